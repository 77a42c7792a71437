#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// Records in State::pending_debug which data breakpoints the access matches; the trap follows the
/// instruction. SDM "Data Breakpoint Exception Condition".
void note_data_access(Cpu& cpu, std::uint64_t linear, unsigned bytes, mmu::Access access);
/// The same for an access to I/O ports (R/W = 10, CR4.DE = 1).
void note_port_access(Cpu& cpu, std::uint16_t port, unsigned bytes);
/// B3:B0 of the enabled instruction breakpoints at this linear address. SDM "Instruction-Breakpoint Exception
/// Condition".
unsigned instruction_breakpoints_at(const Cpu& cpu, std::uint64_t linear);

/// Whether any instruction breakpoint is enabled.
bool has_instruction_breakpoints(const Cpu& cpu);

}  // namespace hyperstep::cpu
