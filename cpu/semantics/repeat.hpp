#pragma once
#include <cstdint>

#include "cpu/flags.hpp"
#include "cpu/op.hpp"
#include "cpu/operands.hpp"

// The repetition of string instructions. SDM volume 2 "REP/REPE/REPZ/REPNE/REPNZ". Every iteration is
// committed as it completes, so that a fault or an event finds the registers of the iteration that is next.
//
// Virtual time: a repeated instruction takes a tick an iteration, the last of which is its retirement; of no
// iterations, a tick. So it never runs beyond Timeline::stop_at, and how often it is suspended changes
// nothing.
namespace hyperstep::cpu {

/// When a repetition ends before the count does.
enum class RepeatWhile : std::uint8_t { counted, equal, not_equal };

/// What to add to an index register after an element.
inline std::uint64_t index_step(const Cpu& cpu, std::uint64_t bytes) {
    return cpu.rflags()[Rflags::df] ? 0 - bytes : bytes;
}
inline void advance_index(Cpu& cpu, const Op& op, Gpr index, std::uint64_t by) {
    write_sized(cpu.state, index, op.address_bytes, cpu.state.gpr[index] + by);
}

/// Whether something is due between two iterations: the end of the time, a debug trap, what a device did.
inline bool is_due_between_iterations(const Cpu& cpu) {
    return cpu.time.now >= cpu.time.stop_at || cpu.leave_block || cpu.rflags()[Rflags::tf];
}

/// Repeats `iterate(most)`, which executes from one to `most` iterations and gives their number, or the fault
/// of the first of them. `most` respects the counter and the time.
template <RepeatWhile condition, class Iterate>
Outcome repeat(Cpu& cpu, const Op& op, Iterate&& iterate) {
    std::uint64_t count = read_sized(cpu.state, rcx, op.address_bytes);
    if (count == 0) return {};
    for (;;) {
        const std::uint64_t left = cpu.time.stop_at > cpu.time.now && !cpu.rflags()[Rflags::tf]
                                       ? cpu.time.stop_at - cpu.time.now
                                       : 1;
        const Expected<std::uint64_t> done = iterate(count < left ? count : left);
        if (!done) return tl::unexpected{done.error()};
        count -= *done;
        write_sized(cpu.state, rcx, op.address_bytes, count);
        const bool zf = (cpu.state.rflags & flag::zf) != 0;
        const bool ends = condition != RepeatWhile::counted && zf != (condition == RepeatWhile::equal);
        if (count == 0 || ends) {
            cpu.time.now += *done - 1;
            // The time that is left is not what it was when the block began.
            cpu.leave_block = true;
            return {};
        }
        cpu.time.now += *done;
        if (is_due_between_iterations(cpu)) return suspended();
    }
}

}  // namespace hyperstep::cpu
