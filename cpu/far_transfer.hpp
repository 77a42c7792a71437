#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

// Far jumps and calls: to a code segment, through a call gate, to a task.
namespace hyperstep::cpu {

struct FarPointer {
    std::uint16_t selector = 0;
    std::uint64_t offset = 0;
};

/// JMP and CALL to a far pointer, in any mode. `operand_bytes` is the size of what a call pushes. On entry
/// Cpu::next_rip is the address to return to; afterwards it is the target. With a fault nothing is committed
/// (a task switch may have committed the new task). SDM "CALL", "JMP".
Outcome far_jump(Cpu& cpu, const FarPointer& target, unsigned operand_bytes);
Outcome far_call(Cpu& cpu, const FarPointer& target, unsigned operand_bytes);

}  // namespace hyperstep::cpu
