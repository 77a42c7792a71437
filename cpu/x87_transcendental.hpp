#pragma once
#include "cpu/state.hpp"

// The x87 instructions whose results are not exact. Computed with 113 bits of precision in integer
// arithmetic, the same on every host; the last rounding to 64 bits obeys the control word. Each does all of
// its instruction but the checks before it and the summary of exceptions after it. SDM "Transcendental
// Instruction Accuracy": the error is below one unit in the last place. Angles are reduced with pi rounded to
// 66 bits, as the manual says ("Pi").
namespace hyperstep::cpu {

void f2xm1(FpuState& fpu);
void fyl2x(FpuState& fpu);
void fyl2xp1(FpuState& fpu);
void fpatan(FpuState& fpu);
void fptan(FpuState& fpu);
void fsin(FpuState& fpu);
void fcos(FpuState& fpu);
void fsincos(FpuState& fpu);

}  // namespace hyperstep::cpu
