#include <optional>

#include "cpu/boundary.hpp"
#include "cpu/execute.hpp"
#include "cpu/fetch.hpp"
#include "cpu/run_ops.hpp"

namespace hyperstep::cpu {
namespace {

using exec::Stop;
using Block = exec::Block<Op>;

/// What a link from block to block holds for: an epoch of this processor. Another that shares the blocks may
/// map the same address elsewhere while its own epoch happens to be the same number.
std::uint64_t epoch_of_links(const Cpu& cpu) {
    return cpu.code_epoch() << 16 | (cpu.number & 0xffff);
}

/// The block at RIP if it followed `previous` before, and nothing has changed since; otherwise null.
const Block* linked_block(const Cpu& cpu, const Block* previous) {
    if (previous == nullptr) return nullptr;
    const std::uint64_t epoch = epoch_of_links(cpu);
    for (const Block::Link& link : previous->links)
        if (link.address == cpu.state.rip && link.epoch == epoch) return link.block;
    return nullptr;
}

bool can_link(const Block& block) {
    return block.key != 0 && block.second_page == ~0ULL;
}

/// The block at RIP, looked up or decoded; from now on linked_block() finds it after `previous`.
Expected<const Block*> looked_up_block(Cpu& cpu, const Block* previous) {
    const std::uint64_t epoch = epoch_of_links(cpu);
    const auto block = fetch_block(cpu);
    // First the epoch: when it has changed, `previous` is perhaps no more.
    const bool is_lasting = block && previous != nullptr && epoch_of_links(cpu) == epoch;
    if (is_lasting && can_link(*previous) && can_link(**block)) {
        previous->links[1] = previous->links[0];
        previous->links[0] = {.block = *block, .address = cpu.state.rip, .epoch = epoch};
    }
    return block;
}

/// What a fault of an instruction leads to: a reason to stop, or nothing: an event was delivered, the run
/// goes on.
std::optional<Stop> after_fault(Cpu& cpu, const Fault& fault) {
    switch (fault.kind) {
        case Fault::Kind::exception: {
            const Outcome delivered = deliver_fault(cpu, fault);
            return delivered ? std::nullopt : after_fault(cpu, delivered.error());
        }
        case Fault::Kind::suspended:
            // The breakpoint on a repeated instruction is not met again, and events save RF = 1.
            cpu.state.rflags |= Rflags::rf.mask;
            return std::nullopt;
        case Fault::Kind::intercepted: return Stop::vm_exit;
        case Fault::Kind::shutdown: return Stop::shutdown;
        case Fault::Kind::unimplemented: break;
    }
    return Stop::unimplemented;
}

/// One instruction with everything that surrounds it.
Outcome step(Cpu& cpu) {
    const StepStart start = begin_step(cpu);
    const auto block = fetch_block(cpu);
    const std::uint64_t following = block ? cpu.state.rip + (*block)->ops[0].length : cpu.state.rip;
    Outcome outcome = block ? run_ops(cpu, **block, 1) : tl::unexpected{block.error()};
    const bool is_suspended = !outcome && outcome.error().kind == Fault::Kind::suspended;
    const bool branched = outcome && cpu.state.rip != (following & cpu.linear_mask);
    if (outcome || is_suspended)
        end_step(cpu, branched ? Progress::branch : Progress::sequential);
    else
        abandon_step(cpu, start);
    return outcome;
}

/// Blocks, one after another, until something is due or goes wrong.
Outcome run_blocks(Cpu& cpu) {
    const Block* previous = nullptr;
    while (cpu.time.now < cpu.time.stop_at) {
        const Block* block = linked_block(cpu, previous);
        if (block == nullptr) {
            const auto found = looked_up_block(cpu, previous);
            if (!found) return tl::unexpected{found.error()};
            block = *found;
        }
        previous = block;
        const Outcome outcome = run_ops(cpu, *block, cpu.time.stop_at - cpu.time.now);
        if (!outcome) {
            // Data breakpoints that an instruction met before it faulted; each instruction before it met
            // none.
            if (outcome.error().kind != Fault::Kind::suspended) cpu.state.pending_debug = 0;
            return outcome;
        }
        if (cpu.attention) break;
    }
    return {};
}

}  // namespace

Stop run(Cpu& cpu) {
    cpu.attention = true;
    for (;;) {
        // First, so that what falls due at this tick has arrived when the most urgent is chosen.
        if (cpu.time.now >= cpu.time.stop_at) return Stop::budget;
        const Boundary due = cpu.attention ? at_boundary(cpu) : Boundary::run;
        if (due == Boundary::waiting) return Stop::waiting;
        if (due == Boundary::shutdown) return Stop::shutdown;
        if (due == Boundary::intercepted) return Stop::vm_exit;
        if (due == Boundary::unimplemented) return Stop::unimplemented;
        if (due == Boundary::event_taken) continue;
        const Outcome outcome = due == Boundary::step ? step(cpu) : run_blocks(cpu);
        if (outcome) continue;
        cpu.attention = true;
        if (const auto stop = after_fault(cpu, outcome.error())) return *stop;
    }
}

}  // namespace hyperstep::cpu
