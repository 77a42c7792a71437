#pragma once
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

#include "cpu/operands.hpp"

// Packed values, the registers that hold them, and the checks before the instructions on them.
// SDM "Programming with Intel MMX Technology", "Programming with Intel Streaming SIMD Extensions",
// "Programming with AVX, FMA, and Intel AVX2".
namespace hyperstep::cpu {

/// A packed value of `bytes` bytes: 8 of MMX, 16 of SSE and of a half of AVX, 32 of AVX.
template <unsigned bytes>
using Packed = std::array<std::uint64_t, bytes / 8>;
/// The same as lanes of T, lowest first.
template <class T, unsigned bytes>
using Lanes = std::array<T, bytes / sizeof(T)>;

template <class T, std::size_t words>
constexpr Lanes<T, words * 8> lanes_of(const std::array<std::uint64_t, words>& value) {
    return std::bit_cast<Lanes<T, words * 8>>(value);
}
template <class T, std::size_t count>
constexpr Packed<sizeof(T) * count> pack(const std::array<T, count>& lanes) {
    return std::bit_cast<Packed<sizeof(T) * count>>(lanes);
}

/// How an instruction is encoded, which decides its registers and its checks.
enum class Encoding : std::uint8_t { mmx, sse, vex };

// ---- checks
// ------------------------------------------------------------------------------------------------------

/// SDM "Exception conditions of legacy SSE instructions": #UD, then #NM.
inline Outcome check_sse(const Cpu& cpu) {
    constexpr std::uint64_t em_ts = Cr0::em.mask | Cr0::ts.mask;
    if ((cpu.state.cr0 & em_ts) == 0 && cpu.cr4()[Cr4::osfxsr]) [[likely]]
        return {};
    if (cpu.cr0()[Cr0::em] || !cpu.cr4()[Cr4::osfxsr]) return undefined_opcode();
    return raise(Vector::nm);
}
/// SDM "Detection of AVX Instructions": the system must have enabled both halves of the registers.
inline Outcome check_vex(const Cpu& cpu) {
    constexpr std::uint64_t sse_and_avx = 6;
    if (!cpu.cr4()[Cr4::osxsave] || (cpu.state.xcr0 & sse_and_avx) != sse_and_avx) return undefined_opcode();
    if (cpu.cr0()[Cr0::ts]) return raise(Vector::nm);
    return {};
}
/// SDM "Effect of MMX Instructions on Pending Floating-Point Exceptions": #UD, #NM, then #MF.
inline Outcome check_mmx(Cpu& cpu) {
    if (cpu.cr0()[Cr0::em]) return undefined_opcode();
    if (cpu.cr0()[Cr0::ts]) return raise(Vector::nm);
    constexpr std::uint16_t error_summary = 0x80;
    if ((cpu.state.fpu.status & error_summary) == 0) return {};
    if (cpu.cr0()[Cr0::ne]) return raise(Vector::mf);
    // Model: FERR# does not freeze the processor; the interrupt comes at a later boundary.
    cpu.board.signal_ferr();
    return {};
}

template <Encoding encoding>
Outcome check(Cpu& cpu) {
    if constexpr (encoding == Encoding::mmx)
        return check_mmx(cpu);
    else if constexpr (encoding == Encoding::vex)
        return check_vex(cpu);
    else
        return check_sse(cpu);
}

// ---- registers
// ---------------------------------------------------------------------------------------------------

template <unsigned bytes>
Packed<bytes> vector_register(const State& state, unsigned number) {
    const VectorRegister& whole = state.vector[number & 15U];
    if constexpr (bytes == 32)
        return whole;
    else
        return {whole[0], whole[1]};
}
inline Packed<16> xmm(const State& state, unsigned number) {
    return vector_register<16>(state, number);
}
/// A write of 128 bits: SSE keeps the upper half of the YMM register, VEX clears it.
template <Encoding encoding>
void set_xmm(State& state, unsigned number, const Packed<16>& value) {
    VectorRegister& whole = state.vector[number & 15U];
    whole[0] = value[0];
    whole[1] = value[1];
    if constexpr (encoding == Encoding::vex) whole[2] = whole[3] = 0;
}
template <Encoding encoding, unsigned bytes>
void set_vector(State& state, unsigned number, const Packed<bytes>& value) {
    if constexpr (bytes == 32)
        state.vector[number & 15U] = value;
    else
        set_xmm<encoding>(state, number, value);
}

/// An MMX register is the significand of the physical x87 register of its number.
inline std::uint64_t mmx_register(const State& state, unsigned number) {
    return state.fpu.registers[number & 7U].significand;
}
inline void set_mmx_register(State& state, unsigned number, std::uint64_t value) {
    state.fpu.registers[number & 7U] = {.significand = value, .sign_exponent = 0xffff};
}
/// What every MMX instruction does to the x87 FPU: TOP is 0, all tags are valid (EMMS then makes them empty).
/// SDM "Effect of MMX, x87 FPU, FXSAVE, and FXRSTOR Instructions on the x87 FPU Tag Word".
inline void enter_mmx(State& state) {
    constexpr unsigned top = 7U << 11U;
    state.fpu.status = static_cast<std::uint16_t>(state.fpu.status & ~top);
    state.fpu.empty = 0;
}

/// The number of the register that is the first source: the destination itself, unless VEX names another.
template <Encoding encoding>
std::uint8_t first_source(const Op& op) {
    return encoding == Encoding::vex ? op.reg[1] : op.reg[0];
}
/// The visible operand that is the second source: a register or memory.
template <Encoding encoding>
inline constexpr unsigned second_source = encoding == Encoding::vex ? 2 : 1;

// ---- memory
// ------------------------------------------------------------------------------------------------------

/// Whether a memory operand must lie at a multiple of its size.
enum class Alignment : std::uint8_t { any, natural };

/// #GP(0) if the operand is not at a multiple of `bytes`. It comes before the segment's faults, as processors
/// have it: the manual does not say.
inline Outcome check_alignment(const Cpu& cpu, const Op& op, unsigned bytes) {
    const std::uint64_t linear = cpu.quick_base[op.segment] + effective_offset(cpu, op);
    if ((linear & (bytes - 1)) != 0) [[unlikely]]
        return general_protection();
    return {};
}

template <unsigned bytes>
using ByteArray = std::array<std::uint8_t, bytes>;

/// Reads `bytes` bytes of the memory operand into the low part of a packed value; the rest is zero.
template <unsigned bytes,
          Alignment alignment,
          unsigned packed_bytes = bytes <= 8    ? 8
                                  : bytes <= 16 ? 16
                                                : 32>
Expected<Packed<packed_bytes>> load_packed(Cpu& cpu, const Op& op) {
    if constexpr (alignment == Alignment::natural) HS_TRY(check_alignment(cpu, op, bytes));
    const auto loaded = load_operand<ByteArray<bytes>>(cpu, op);
    if (!loaded) return tl::unexpected{loaded.error()};
    Packed<packed_bytes> value{};
    std::memcpy(value.data(), loaded->data(), bytes);
    return value;
}
/// Writes the low `bytes` bytes of a packed value to the memory operand.
template <unsigned bytes, Alignment alignment, std::size_t words>
Outcome store_packed(Cpu& cpu, const Op& op, const std::array<std::uint64_t, words>& value) {
    static_assert(bytes <= words * 8);
    if constexpr (alignment == Alignment::natural) HS_TRY(check_alignment(cpu, op, bytes));
    ByteArray<bytes> stored;
    std::memcpy(stored.data(), value.data(), bytes);
    return store_operand(cpu, op, stored);
}

/// Visible operand `place` of an SSE or VEX instruction: a register, or `bytes` bytes of memory, which SSE
/// wants aligned if they are 16.
template <Encoding encoding, unsigned bytes, unsigned place>
Expected<Packed<bytes == 32 ? 32 : 16>> vector_source(Cpu& cpu, const Op& op) {
    constexpr unsigned packed_bytes = bytes == 32 ? 32 : 16;
    if (!op.has(op_flag::has_memory)) return vector_register<packed_bytes>(cpu.state, op.reg[place]);
    constexpr Alignment alignment =
        encoding == Encoding::sse && bytes == 16 ? Alignment::natural : Alignment::any;
    return load_packed<bytes, alignment, packed_bytes>(cpu, op);
}

}  // namespace hyperstep::cpu
