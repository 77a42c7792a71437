#include "cpu/boundary.hpp"

#include <utility>

#include "cpu/data_breakpoints.hpp"
#include "cpu/debug_status.hpp"
#include "cpu/signals.hpp"
#include "cpu/smm.hpp"

namespace hyperstep::cpu {
namespace {

/// What comes of an event that was delivered, or was tried to.
Boundary after_delivery(const Outcome& outcome) {
    if (outcome) return Boundary::event_taken;
    switch (outcome.error().kind) {
        case Fault::Kind::intercepted: return Boundary::intercepted;
        case Fault::Kind::shutdown: return Boundary::shutdown;
        default: return Boundary::unimplemented;
    }
}

bool is_taken_by_hypervisor(Cpu& cpu, Signal signal) {
    return cpu.intercepts != nullptr && cpu.intercepts->signal(cpu, signal) == Verdict::intervene;
}

bool is_active(const Cpu& cpu) {
    return cpu.state.activity == Activity::active;
}
bool waits_for_sipi(const Cpu& cpu) {
    return cpu.state.activity == Activity::wait_for_sipi;
}
/// HLT and MWAIT.
bool waits_for_event(const Cpu& cpu) {
    return cpu.state.activity == Activity::halted || cpu.state.activity == Activity::mwait;
}

Boundary deliver_debug_exception(Cpu& cpu, std::uint64_t conditions) {
    const Event event{
        .kind = EventKind::exception, .vector = static_cast<std::uint8_t>(Vector::db), .payload = conditions};
    return after_delivery(deliver(cpu, event));
}

Boundary deliver_debug_trap(Cpu& cpu) {
    return deliver_debug_exception(cpu, std::exchange(cpu.state.pending_debug, 0));
}

// ---- what is pending

bool task_switch_trap_pending(Cpu& cpu) {
    return (cpu.state.pending_debug & debug_status::task_switch) != 0;
}
bool debug_trap_pending(Cpu& cpu) {
    return cpu.state.pending_debug != 0;
}
bool smi_pending(Cpu& cpu) {
    return cpu.state.signals.smi;
}
bool init_pending(Cpu& cpu) {
    return cpu.state.signals.init;
}
bool sipi_pending(Cpu& cpu) {
    return cpu.state.signals.sipi;
}
bool nmi_pending(Cpu& cpu) {
    return cpu.state.signals.nmi;
}
bool interrupt_pending(Cpu& cpu) {
    return cpu.rflags()[Rflags::if_] && cpu.board.interrupt_pending();
}
/// A store to the line has disarmed the monitor, or an interrupt that is masked may end the wait all the
/// same.
bool end_of_mwait_pending(Cpu& cpu) {
    if (cpu.state.activity != Activity::mwait) return false;
    const MonitorState& monitor = cpu.state.monitor;
    return !monitor.armed || (monitor.masked_interrupts_wake && cpu.board.interrupt_pending());
}
std::uint64_t breakpoints_here(Cpu& cpu) {
    if (cpu.rflags()[Rflags::rf]) return 0;
    const std::uint64_t base = cpu.mode == Mode::long_64 ? 0 : cpu.state.segment[cs].base;
    return instruction_breakpoints_at(cpu, (base + cpu.state.rip) & cpu.linear_mask);
}
bool instruction_breakpoint_pending(Cpu& cpu) {
    return is_active(cpu) && breakpoints_here(cpu) != 0;
}

// ---- what holds it back

bool never(const Cpu& /*cpu*/) {
    return false;
}
bool by_mov_ss(const Cpu& cpu) {
    return cpu.state.blocking.mov_ss;
}
bool by_mov_ss_or_inactivity(const Cpu& cpu) {
    return cpu.state.blocking.mov_ss || !(is_active(cpu) || waits_for_event(cpu));
}
bool by_smm_or_wait_for_sipi(const Cpu& cpu) {
    return cpu.state.blocking.smi || waits_for_sipi(cpu);
}
bool unless_waiting_for_sipi(const Cpu& cpu) {
    return !waits_for_sipi(cpu);
}
bool by_nmi(const Cpu& cpu) {
    return cpu.state.blocking.nmi || cpu.state.blocking.mov_ss || waits_for_sipi(cpu);
}
bool by_shadow_or_inactivity(const Cpu& cpu) {
    return cpu.state.blocking.sti || by_mov_ss_or_inactivity(cpu);
}

// ---- what is done

Boundary act_on_smi(Cpu& cpu) {
    cpu.state.signals.smi = false;
    if (is_taken_by_hypervisor(cpu, Signal::smi)) return Boundary::intercepted;
    enter_smm(cpu);
    ++cpu.time.now;
    return Boundary::event_taken;
}

Boundary act_on_init(Cpu& cpu) {
    cpu.state.signals.init = false;
    if (is_taken_by_hypervisor(cpu, Signal::init)) return Boundary::intercepted;
    constexpr std::uint64_t bootstrap_processor = 1 << 8;
    const PendingSignals held = cpu.state.signals;
    apply_init(cpu.state, cpu.model.signature);
    if ((cpu.board.apic_base() & bootstrap_processor) == 0) {
        cpu.state.activity = Activity::wait_for_sipi;
        cpu.state.signals.sipi = held.sipi;
        cpu.state.signals.sipi_vector = held.sipi_vector;
    }
    cpu.tlb.flush();
    refresh(cpu);
    return Boundary::event_taken;
}

/// SDM "MP Initialization Protocol": the real-address mode code begins at 000VV000H.
Boundary act_on_sipi(Cpu& cpu) {
    cpu.state.signals.sipi = false;
    if (is_taken_by_hypervisor(cpu, Signal::sipi)) return Boundary::intercepted;
    const std::uint64_t base = static_cast<std::uint64_t>(cpu.state.signals.sipi_vector) << 12;
    cpu.state.segment[cs].selector = static_cast<std::uint16_t>(base >> 4);
    cpu.state.segment[cs].base = base;
    cpu.state.rip = 0;
    cpu.state.activity = Activity::active;
    refresh(cpu);
    return Boundary::event_taken;
}

Boundary act_on_nmi(Cpu& cpu) {
    cpu.state.signals.nmi = false;
    if (is_taken_by_hypervisor(cpu, Signal::nmi)) return Boundary::intercepted;
    cpu.state.blocking.nmi = true;
    return after_delivery(
        deliver(cpu, {.kind = EventKind::nmi, .vector = static_cast<std::uint8_t>(Vector::nmi)}));
}

Boundary act_on_interrupt(Cpu& cpu) {
    if (is_taken_by_hypervisor(cpu, Signal::external_interrupt)) return Boundary::intercepted;
    const std::uint8_t vector = cpu.board.acknowledge_interrupt();
    return after_delivery(deliver(cpu, {.kind = EventKind::external_interrupt, .vector = vector}));
}

Boundary wake(Cpu& cpu) {
    cpu.state.activity = Activity::active;
    cpu.state.monitor = {};
    return Boundary::event_taken;
}

Boundary deliver_instruction_breakpoint(Cpu& cpu) {
    return deliver_debug_exception(cpu, breakpoints_here(cpu));
}

/// What may be due at a boundary, first the most urgent. SDM "Priority Among Concurrent Events": RESET and
/// machine checks (first) do not come this way; faults of the next instruction (last) are its own.
struct Row {
    bool (*pending)(Cpu&);
    bool (*blocked)(const Cpu&);
    Boundary (*act)(Cpu&);
};
constexpr Row priorities[] = {
    {task_switch_trap_pending, by_mov_ss_or_inactivity, deliver_debug_trap},
    {smi_pending, by_smm_or_wait_for_sipi, act_on_smi},
    {init_pending, by_smm_or_wait_for_sipi, act_on_init},
    {sipi_pending, unless_waiting_for_sipi, act_on_sipi},
    {debug_trap_pending, by_mov_ss_or_inactivity, deliver_debug_trap},
    {nmi_pending, by_nmi, act_on_nmi},
    {interrupt_pending, by_shadow_or_inactivity, act_on_interrupt},
    {end_of_mwait_pending, never, wake},
    {instruction_breakpoint_pending, by_mov_ss, deliver_instruction_breakpoint},
};

/// Whether the next instruction changes what is due after it, or whether it is looked at, by itself.
bool needs_care(const Cpu& cpu) {
    const Blocking& blocking = cpu.state.blocking;
    const Rflags flags = cpu.rflags();
    return flags[Rflags::tf] || flags[Rflags::rf] || blocking.sti || blocking.mov_ss ||
           has_instruction_breakpoints(cpu);
}

}  // namespace

Boundary at_boundary(Cpu& cpu) {
    for (const Row& row : priorities)
        if (row.pending(cpu) && !row.blocked(cpu)) return row.act(cpu);
    if (cpu.state.activity == Activity::shutdown) return Boundary::shutdown;
    if (!is_active(cpu)) return Boundary::waiting;
    // A repeated string instruction stops after each iteration only if a trap follows each.
    cpu.attention = cpu.rflags()[Rflags::tf];
    return needs_care(cpu) ? Boundary::step : Boundary::run;
}

StepStart begin_step(Cpu& cpu) {
    State& state = cpu.state;
    const StepStart start{
        .resume = cpu.rflags()[Rflags::rf], .blocking = state.blocking, .pending_debug = state.pending_debug};
    cpu.single_step = cpu.rflags()[Rflags::tf];
    state.rflags &= ~Rflags::rf.mask;
    state.blocking.sti = false;
    state.blocking.mov_ss = false;
    return start;
}

void end_step(Cpu& cpu, Progress progress) {
    const bool only_branches = (cpu.state.msr.debugctl & debug_control::branch_trap) != 0;
    if (cpu.single_step && (!only_branches || progress == Progress::branch))
        cpu.state.pending_debug |= debug_status::single_step;
    cpu.attention = true;
}

void abandon_step(Cpu& cpu, const StepStart& start) {
    if (start.resume) cpu.state.rflags |= Rflags::rf.mask;
    cpu.state.blocking = start.blocking;
    cpu.state.pending_debug = start.pending_debug;
    cpu.attention = true;
}

}  // namespace hyperstep::cpu
