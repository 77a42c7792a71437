#pragma once
#include "cpu/op.hpp"

// Control and environment of the x87 unit. SDM "x87 FPU Control Instructions".
namespace hyperstep::cpu::x87_control {

Outcome fnclex(Cpu& cpu, const Op& op);
Outcome fninit(Cpu& cpu, const Op& op);
Outcome fnstcw(Cpu& cpu, const Op& op);
Outcome fldcw(Cpu& cpu, const Op& op);
/// To AX or to memory.
Handler select_fnstsw(const Form& form);
/// 14 or 28 bytes by operand size, in the form of real mode or of protected mode.
Outcome fnstenv(Cpu& cpu, const Op& op);
Outcome fldenv(Cpu& cpu, const Op& op);
/// The environment and the eight registers: 94 or 108 bytes.
Outcome fnsave(Cpu& cpu, const Op& op);
Outcome frstor(Cpu& cpu, const Op& op);
Outcome fwait(Cpu& cpu, const Op& op);
/// FENI, FDISI, FSETPM: of the 8087 and 80287, without effect since.
Outcome older_nop(Cpu& cpu, const Op& op);

}  // namespace hyperstep::cpu::x87_control
