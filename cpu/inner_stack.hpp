#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"
#include "cpu/stack_frame.hpp"

// The stack of a more privileged level, which the TSS holds.
namespace hyperstep::cpu {

/// Reads SS:SP or SS:ESP of level `dpl` (0 to 2) from the TSS and checks them. Sets the accessed bit of the
/// stack segment. #TS, #SS, #PF. SDM "Stack Switching".
Expected<Stack> inner_stack(Cpu& cpu, unsigned dpl);
/// Reads RSP of level `dpl` from the 64-bit TSS, or, with `interrupt_stack` 1 to 7, that of the IST. SS is
/// null. #TS if the TSS ends before it; #SS if it is not canonical. SDM "Stack Switching in IA-32e Mode".
Expected<Stack> inner_stack_ia32e(Cpu& cpu, unsigned dpl, unsigned interrupt_stack);

}  // namespace hyperstep::cpu
