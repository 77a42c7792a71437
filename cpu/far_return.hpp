#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

// Returns to another code segment.
namespace hyperstep::cpu {

/// RET far, releasing `parameter_bytes` of each stack, with operands of 2, 4 or 8 bytes. On return
/// Cpu::next_rip is the target. SDM "RET".
Outcome far_return(Cpu& cpu, unsigned operand_bytes, std::uint16_t parameter_bytes);
/// IRET, IRETD, IRETQ. Unblocks NMIs, also if it faults. SDM "IRET/IRETD/IRETQ".
Outcome interrupt_return(Cpu& cpu, unsigned operand_bytes);

}  // namespace hyperstep::cpu
