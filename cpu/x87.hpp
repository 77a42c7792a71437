#pragma once
#include "cpu/cpu.hpp"

// What every x87 instruction does around its own work.
namespace hyperstep::cpu {

/// Bits of the x87 status and control words. SDM "x87 FPU Status Register", "x87 FPU Control Word".
namespace x87 {
inline constexpr std::uint16_t ie = 1, de = 2, ze = 4, oe = 8, ue = 16, pe = 32, stack_fault = 64,
                               summary = 128;
inline constexpr std::uint16_t c0 = 1 << 8, c1 = 1 << 9, c2 = 1 << 10, c3 = 1 << 14, busy = 1 << 15;
inline constexpr std::uint16_t exceptions = 63;
inline constexpr std::uint16_t control_writable = 0x1f3f, control_fixed = 0x40;
}  // namespace x87

/// #NM if the x87 unit is not to be used: CR0.EM or CR0.TS.
Outcome require_x87(const Cpu& cpu);
/// The same, then #MF if an unmasked exception is pending: before each waiting instruction, MMX included.
/// Model: with CR0.NE = 0 it signals FERR# and goes on, as with IGNNE# asserted, which a PC does when its
/// handler runs.
Outcome require_x87_waiting(Cpu& cpu);
/// ES and B follow from the exceptions and their masks.
void update_summary(FpuState& fpu);
/// Remembers where the last non-control instruction lies, for FNSTENV and its like.
void note_x87_instruction(Cpu& cpu, const Op& op, std::uint16_t opcode);

inline unsigned x87_top(const FpuState& fpu) {
    return fpu.status >> 11 & 7U;
}
/// The physical number of ST(i).
inline unsigned x87_register(const FpuState& fpu, unsigned i) {
    return (x87_top(fpu) + i) % 8;
}

}  // namespace hyperstep::cpu
