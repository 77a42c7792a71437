#pragma once
#include <cstdint>

#include "cpu/state.hpp"

// The x87 registers in the forms in which memory has them. SDM "x87 FPU Execution Environment", "FXSAVE".
namespace hyperstep::cpu {

/// TOP: the number of the physical register that is ST(0).
constexpr unsigned top_of_stack(const FpuState& fpu) {
    return fpu.status >> 11 & 7U;
}
/// The physical register that is ST(`number`).
constexpr unsigned physical_register(const FpuState& fpu, unsigned number) {
    return (top_of_stack(fpu) + number) & 7U;
}

/// What the tag word of FNSTENV and FNSAVE says of a register.
enum class Tag : std::uint8_t { valid, zero, special, empty };

/// The tag of a register that is not empty. SDM "x87 FPU Tag Word": special are infinities, NaNs, denormals
/// and formats that are not supported.
constexpr Tag tag_of(const Float80& value) {
    const unsigned exponent = value.sign_exponent & 0x7fffU;
    if (exponent == 0 && value.significand == 0) return Tag::zero;
    const bool normal = exponent != 0 && exponent != 0x7fff && value.significand >> 63 != 0;
    return normal ? Tag::valid : Tag::special;
}

/// The tag word: two bits for each physical register, of R0 the lowest.
constexpr std::uint16_t full_tag_word(const FpuState& fpu) {
    unsigned word = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const bool empty = (fpu.empty >> i & 1) != 0;
        word |= static_cast<unsigned>(empty ? Tag::empty : tag_of(fpu.registers[i])) << (2 * i);
    }
    return static_cast<std::uint16_t>(word);
}
/// Loading it: a register is empty or not; the rest follows from its content.
constexpr void set_full_tag_word(FpuState& fpu, std::uint16_t word) {
    unsigned empty = 0;
    for (unsigned i = 0; i < 8; ++i)
        if ((word >> (2 * i) & 3) == static_cast<unsigned>(Tag::empty)) empty |= 1U << i;
    fpu.empty = static_cast<std::uint8_t>(empty);
}
/// The tags of FXSAVE and XSAVE: a 1 for each physical register that is not empty.
constexpr std::uint8_t abridged_tags(const FpuState& fpu) {
    return static_cast<std::uint8_t>(~fpu.empty);
}
constexpr void set_abridged_tags(FpuState& fpu, std::uint8_t tags) {
    fpu.empty = static_cast<std::uint8_t>(~tags);
}

/// Loads the control word: bits 7, 13, 14 and 15 do not exist, bit 6 is 1. Whether an unmasked exception is
/// pending (ES and B of the status word) follows from both words.
constexpr void set_control_and_status(FpuState& fpu, std::uint16_t control, std::uint16_t status) {
    constexpr unsigned error_summary = 0x80, busy = 0x8000, exceptions = 0x3f;
    fpu.control = static_cast<std::uint16_t>((control & 0x1f3fU) | 0x40U);
    const bool pending = (status & ~static_cast<unsigned>(fpu.control) & exceptions) != 0;
    const unsigned rest = status & ~(error_summary | busy);
    fpu.status = static_cast<std::uint16_t>(rest | (pending ? error_summary | busy : 0));
}

/// What FNINIT leaves, with the registers zero: the initial configuration of the x87 state.
constexpr FpuState initial_fpu() {
    FpuState fpu;
    fpu.control = 0x37f;
    fpu.status = 0;
    fpu.empty = 0xff;
    return fpu;
}

}  // namespace hyperstep::cpu
