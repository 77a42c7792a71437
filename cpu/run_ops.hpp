#pragma once
#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// Executes up to `most` instructions of the block. Those that completed are counted; a fault is of the one
/// after them.
inline Outcome run_ops(Cpu& cpu, const exec::Block<Op>& block, std::uint64_t most) {
    const Op* op = block.ops;
    const Op* const end = op + (most < block.count ? most : block.count);
    const std::uint64_t rip_mask = cpu.linear_mask;
    // Beside state.rip: no instruction waits for the one before it to have stored that.
    std::uint64_t rip = cpu.state.rip;
    std::uint64_t done = 0;
    Outcome outcome;
    cpu.leave_block = false;
    do {
        rip = (rip + op->length) & rip_mask;
        cpu.next_rip = rip;
        outcome = op->run(cpu, *op);
        if (!outcome) [[unlikely]]
            break;
        cpu.state.rip = cpu.next_rip;
        ++cpu.time.now;
        ++done;
    } while (++op != end && !cpu.leave_block && cpu.next_rip == rip);
    cpu.time.retired += done;
    cpu.state.retired += done;
    return outcome;
}

}  // namespace hyperstep::cpu
