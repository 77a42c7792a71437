#include "cpu/delivery.hpp"

#include "cpu/debug_status.hpp"
#include "cpu/descriptors.hpp"
#include "cpu/stack_frame.hpp"

namespace hyperstep::cpu {
namespace {

/// Whether RF is 1 in the saved flags though it is not in RFLAGS: after faults, but not after instruction
/// breakpoints, traps and aborts.
bool sets_rf(const Event& event) {
    if (event.kind != EventKind::exception) return false;
    switch (static_cast<Vector>(event.vector)) {
        case Vector::db: return (event.payload & debug_status::general_detect) != 0;
        case Vector::bp:
        case Vector::of:
        case Vector::df:
        case Vector::mc: return false;
        default: return true;
    }
}

/// The error codes that have a bit for an event external to the program. SDM "Error Code".
bool has_external_bit(const Fault& fault) {
    switch (fault.vector) {
        case Vector::ts:
        case Vector::np:
        case Vector::ss:
        case Vector::gp:
        case Vector::ac: return fault.kind == Fault::Kind::exception;
        default: return false;
    }
}

Outcome enter_by_mode(Cpu& cpu, const Event& event) {
    if (cpu.mode == Mode::real) return enter_handler_real_mode(cpu, event);
    if (cpu.efer()[Efer::lma]) return enter_handler_ia32e_mode(cpu, event);
    return enter_handler_protected_mode(cpu, event);
}

}  // namespace

std::uint64_t return_address(const Cpu& cpu, const Event& event) {
    return (cpu.state.rip + event.instruction_bytes) & cpu.linear_mask;
}

std::uint64_t flags_image(const Cpu& cpu, const Event& event) {
    const Rflags flags = cpu.rflags();
    return sets_rf(event) ? flags.with(Rflags::rf, true).raw : flags.raw;
}

Outcome enter_handler(Cpu& cpu, const Event& event) {
    Outcome outcome = enter_by_mode(cpu, event);
    if (outcome || is_software(event.kind) || !has_external_bit(outcome.error())) return outcome;
    Fault fault = outcome.error();
    fault.error_code |= 1;
    return tl::unexpected{fault};
}

Outcome enter_handler_real_mode(Cpu& cpu, const Event& event) {
    const std::uint64_t offset = event.vector * 4ULL;
    if (offset + 3 > cpu.state.idtr.limit) return general_protection();
    const auto pointer = load_system<std::uint32_t>(cpu, (cpu.state.idtr.base + offset) & 0xffff'ffff);
    if (!pointer) return tl::unexpected{pointer.error()};
    StackFrame frame{current_stack(cpu)};
    frame.push(flags_image(cpu, event), 2);
    frame.push(cpu.state.segment[cs].selector, 2);
    frame.push(return_address(cpu, event), 2);
    HS_TRY(frame.check_room(cpu));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    load_real_mode_segment(cpu.state.segment[cs], static_cast<std::uint16_t>(*pointer >> 16));
    cpu.state.rip = *pointer & 0xffff;
    cpu.state.rflags &= ~(Rflags::if_.mask | Rflags::tf.mask | Rflags::rf.mask | Rflags::ac.mask);
    refresh(cpu);
    return {};
}

}  // namespace hyperstep::cpu
