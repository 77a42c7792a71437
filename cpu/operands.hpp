#pragma once
#include <bit>
#include <concepts>
#include <cstdint>

#include "cpu/access.hpp"
#include "cpu/cpu.hpp"

// The operands of an Op.
namespace hyperstep::cpu {

template <std::unsigned_integral T>
T read_gpr(const State& state, std::uint8_t number) {
    if constexpr (sizeof(T) == 1)
        if (number >= 16) return static_cast<T>(state.gpr[number & 3U] >> 8U);
    return static_cast<T>(state.gpr[number & 15U]);
}
/// A write of 32 bits clears the upper half; of 8 or 16 bits keeps the others.
template <std::unsigned_integral T>
void write_gpr(State& state, std::uint8_t number, T value) {
    if constexpr (sizeof(T) >= 4) {
        state.gpr[number & 15U] = value;
    } else if constexpr (sizeof(T) == 2) {
        std::uint64_t& whole = state.gpr[number & 15U];
        whole = (whole & ~0xffffULL) | value;
    } else if (number >= 16) {
        std::uint64_t& whole = state.gpr[number & 3U];
        whole = (whole & ~0xff00ULL) | static_cast<std::uint64_t>(value) << 8U;
    } else {
        std::uint64_t& whole = state.gpr[number & 15U];
        whole = (whole & ~0xffULL) | value;
    }
}

constexpr std::uint64_t mask_of_bytes(unsigned bytes) {
    return bytes >= 8 ? ~0ULL : (1ULL << (bytes * 8)) - 1;
}

/// A register of `bytes` 2, 4 or 8 as a counter or address; the others of its bits are kept, or cleared as by
/// a write of 32 bits.
inline std::uint64_t read_sized(const State& state, unsigned number, unsigned bytes) {
    return state.gpr[number] & mask_of_bytes(bytes);
}
inline void write_sized(State& state, unsigned number, unsigned bytes, std::uint64_t value) {
    if (bytes == 2)
        state.gpr[number] = (state.gpr[number] & ~0xffffULL) | (value & 0xffff);
    else
        state.gpr[number] = value & mask_of_bytes(bytes);
}

/// The offset of the memory operand, wrapped at the address size. SDM "Specifying an Offset".
inline std::uint64_t effective_offset(const Cpu& cpu, const Op& op) {
    std::uint64_t offset = static_cast<std::uint64_t>(static_cast<std::int64_t>(op.displacement));
    if (op.base < 16)
        offset += cpu.state.gpr[op.base];
    else if (op.base == rip_register)
        offset += cpu.next_rip;
    if (op.index < 16) offset += cpu.state.gpr[op.index] << op.scale;
    return offset & mask_of_bytes(op.address_bytes);
}

template <class T>
Expected<T> load_operand(Cpu& cpu, const Op& op) {
    return load<T>(cpu, op.segment, effective_offset(cpu, op));
}
template <class T>
Outcome store_operand(Cpu& cpu, const Op& op, const T& value) {
    return store<T>(cpu, op.segment, effective_offset(cpu, op), value);
}
template <class T>
Expected<Place> prepare_operand(Cpu& cpu, const Op& op) {
    return prepare_store<T>(cpu, op.segment, effective_offset(cpu, op));
}

// ---- the stack
// --------------------------------------------------------------------------------------------------

/// Pushes a value: SP, ESP or RSP moves only if the store does not fault.
template <std::unsigned_integral T>
Outcome push(Cpu& cpu, T value) {
    const std::uint64_t top = (cpu.state.gpr[rsp] - sizeof(T)) & mask_of_bytes(cpu.stack_bytes);
    HS_TRY(store<T>(cpu, ss, top, value));
    write_sized(cpu.state, rsp, cpu.stack_bytes, top);
    return {};
}
/// Reads the value on top of the stack, `depth` bytes down; RSP stays.
template <std::unsigned_integral T>
Expected<T> peek(Cpu& cpu, std::uint64_t depth = 0) {
    return load<T>(cpu, ss, (cpu.state.gpr[rsp] + depth) & mask_of_bytes(cpu.stack_bytes));
}
/// Moves the stack pointer up, after a peek.
inline void drop(Cpu& cpu, std::uint64_t bytes) {
    write_sized(cpu.state, rsp, cpu.stack_bytes, cpu.state.gpr[rsp] + bytes);
}

}  // namespace hyperstep::cpu
