#include <optional>
#include <utility>

#include "base/trace_words.hpp"
#include "cpu/boundary.hpp"
#include "cpu/debug_status.hpp"
#include "cpu/delivery.hpp"

namespace hyperstep::cpu {
namespace {

/// SDM "Interrupt 8: Double Fault Exception", the classes of interrupts and exceptions.
enum class ExceptionClass : std::uint8_t { benign, contributory, page_fault, double_fault };

ExceptionClass class_of(const Event& event) {
    if (event.kind != EventKind::exception) return ExceptionClass::benign;
    switch (static_cast<Vector>(event.vector)) {
        case Vector::df: return ExceptionClass::double_fault;
        case Vector::de:
        case Vector::ts:
        case Vector::np:
        case Vector::ss:
        case Vector::gp:
        case Vector::cp: return ExceptionClass::contributory;
        case Vector::pf:
        case Vector::ve: return ExceptionClass::page_fault;
        default: return ExceptionClass::benign;
    }
}

enum class Then : std::uint8_t { handle_serially, double_fault, shutdown };

/// The table of conditions for a double fault.
Then after_second(ExceptionClass first, ExceptionClass second) {
    if (second == ExceptionClass::benign) return Then::handle_serially;
    switch (first) {
        case ExceptionClass::benign: return Then::handle_serially;
        case ExceptionClass::contributory:
            return second == ExceptionClass::contributory ? Then::double_fault : Then::handle_serially;
        case ExceptionClass::page_fault: return Then::double_fault;
        case ExceptionClass::double_fault: break;
    }
    return Then::shutdown;
}

constexpr Event double_fault{
    .kind = EventKind::exception, .vector = static_cast<std::uint8_t>(Vector::df), .has_error_code = true};

Event event_of(const Cpu& cpu, const Fault& fault) {
    Event event{.kind = EventKind::exception,
                .vector = static_cast<std::uint8_t>(fault.vector),
                .has_error_code = fault.has_error_code,
                .error_code = fault.error_code};
    if (fault.vector == Vector::pf) event.payload = cpu.fault_address;
    if (fault.vector == Vector::db) {
        event.payload = fault.error_code;
        event.error_code = 0;
    }
    return event;
}

/// CR2, DR6, DR7, IA32_DEBUGCTL change before the handler is entered, and whether or not it can be.
/// Model: B3 to B0 are of the last debug exception, those of enabled breakpoints only; BD, BS, BT stay until
/// software clears them.
void note_payload(Cpu& cpu, const Event& event) {
    if (event.kind != EventKind::exception) return;
    State& state = cpu.state;
    if (event.vector == static_cast<std::uint8_t>(Vector::pf)) state.cr2 = event.payload;
    if (event.vector != static_cast<std::uint8_t>(Vector::db)) return;
    constexpr std::uint64_t general_detect_enable = 1 << 13;
    state.dr6 = (state.dr6 & ~debug_status::breakpoints) | event.payload;
    state.dr7 &= ~general_detect_enable;
    state.msr.debugctl &= ~debug_control::branch_trap;
}

bool is_intercepted(Cpu& cpu, const Event& event, const Event* original) {
    if (cpu.intercepts == nullptr) return false;
    if (event.kind == EventKind::external_interrupt || event.kind == EventKind::nmi) return false;
    return cpu.intercepts->event(cpu, event, original) == Verdict::intervene;
}

tl::unexpected<Fault> shut_down(Cpu& cpu, const Event& original) {
    if (cpu.intercepts != nullptr && cpu.intercepts->triple_fault(cpu, original) == Verdict::intervene)
        return intercepted();
    cpu.state.activity = Activity::shutdown;
    cpu.board.signal_shutdown();
    return tl::unexpected{Fault{.kind = Fault::Kind::shutdown}};
}

void finish(Cpu& cpu) {
    State& state = cpu.state;
    state.activity = Activity::active;
    state.blocking.sti = false;
    state.blocking.mov_ss = false;
    ++cpu.time.now;
    look_at_boundary(cpu);
}

/// The interruption types of the VMCS. SDM "Format of the VM-Entry Interruption-Information Field".
std::uint64_t type_of(EventKind kind) {
    switch (kind) {
        case EventKind::external_interrupt: return 0;
        case EventKind::nmi: return 2;
        case EventKind::exception: return 3;
        case EventKind::software_interrupt: return 4;
        case EventKind::privileged_software_exception: return 5;
        case EventKind::software_exception: break;
    }
    return 6;
}

TraceEvent trace_of(const Cpu& cpu, const Event& event) {
    namespace word = trace_word::inject;
    TraceEvent told{.instructions = cpu.time.retired, .vcpu = cpu.number, .kind = TraceKind::inject};
    told.word(word::vector, event.vector).word(word::type, type_of(event.kind));
    if (event.has_error_code) told.word(word::error_code, event.error_code);
    return told.word(word::rip, cpu.state.rip);
}

/// A chain of events, each of which arises when the one before is delivered, is shorter, or never ends: a
/// handler at CPL 3 with a misaligned stack, whose #AC is delivered to that same stack.
constexpr unsigned longest_chain = 16;

Outcome deliver_after(Cpu& cpu, Event event, std::optional<Event> original) {
    for (unsigned length = 0; length < longest_chain; ++length) {
        if (is_intercepted(cpu, event, original ? &*original : nullptr)) return intercepted();
        cpu.trace.report([&] { return trace_of(cpu, event); });
        note_payload(cpu, event);
        // Breakpoints of an instruction or event that did not complete. Those that the delivery's pushes meet
        // stay.
        cpu.state.pending_debug = 0;
        const Outcome entered = enter_handler(cpu, event);
        if (entered) {
            finish(cpu);
            return {};
        }
        if (entered.error().kind != Fault::Kind::exception) return entered;
        const Event second = event_of(cpu, entered.error());
        original = event;
        switch (after_second(class_of(event), class_of(second))) {
            case Then::handle_serially: event = second; break;
            case Then::double_fault: event = double_fault; break;
            case Then::shutdown: return shut_down(cpu, event);
        }
    }
    // Model: a processor would be busy with it for ever.
    return shut_down(cpu, event);
}

}  // namespace

Outcome deliver(Cpu& cpu, const Event& event) {
    return deliver_after(cpu, event, std::nullopt);
}

Outcome deliver_fault(Cpu& cpu, const Fault& fault) {
    return deliver_after(cpu, event_of(cpu, fault), std::exchange(cpu.failed_software_event, std::nullopt));
}

}  // namespace hyperstep::cpu
