#include "cpu/delivery.hpp"
#include "cpu/handler_code.hpp"
#include "cpu/inner_stack.hpp"
#include "cpu/stack_frame.hpp"
#include "cpu/task_switch.hpp"

// SDM "Exception and Interrupt Handling in Protected Mode", "Interrupt and Exception Handling in Virtual-8086
// Mode".
namespace hyperstep::cpu {
namespace {

/// What is saved, in units of the gate's size.
void push_frame(Cpu& cpu, const Event& event, StackFrame& frame, unsigned bytes) {
    frame.push(flags_image(cpu, event), bytes);
    frame.push(cpu.state.segment[cs].selector, bytes);
    frame.push(return_address(cpu, event), bytes);
    if (event.has_error_code) frame.push(event.error_code, bytes);
}

void push_outer_stack(Cpu& cpu, StackFrame& frame, unsigned bytes) {
    const State& state = cpu.state;
    if (cpu.mode == Mode::virtual_8086)
        for (const SegmentName name : {gs, fs, ds, es}) frame.push(state.segment[name].selector, bytes);
    frame.push(state.segment[ss].selector, bytes);
    frame.push(state.gpr[rsp], bytes);
}

Outcome finish(Cpu& cpu, Gate gate, HandlerCode& code, StackFrame& frame, unsigned bytes) {
    const std::uint32_t offset = bytes == 4 ? gate.offset_32() : gate.offset_16();
    HS_TRY(frame.check_room(cpu));
    if (offset > code.entry.descriptor.limit()) return general_protection();
    HS_TRY(mark_accessed(cpu, code.entry));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    const bool is_trap = (gate[Gate::type] & 1) != 0;
    if (cpu.mode == Mode::virtual_8086)
        for (const SegmentName name : {gs, fs, ds, es}) cpu.state.segment[name] = null_segment(0);
    begin_handler(cpu, code, offset, is_trap ? GateKind::trap : GateKind::interrupt);
    return {};
}

Outcome through_gate(Cpu& cpu, const Event& event, Gate gate) {
    const unsigned bytes = (gate[Gate::type] & 8) != 0 ? 4 : 2;
    auto code = handler_code(cpu, gate.target());
    if (!code) return tl::unexpected{code.error()};
    if (code->cpl == cpu.cpl) {
        StackFrame frame{current_stack(cpu)};
        push_frame(cpu, event, frame, bytes);
        return finish(cpu, gate, *code, frame, bytes);
    }
    const auto stack = inner_stack(cpu, code->cpl);
    if (!stack) return tl::unexpected{stack.error()};
    StackFrame frame{*stack};
    push_outer_stack(cpu, frame, bytes);
    push_frame(cpu, event, frame, bytes);
    HS_TRY(finish(cpu, gate, *code, frame, bytes));
    cpu.state.segment[ss] = stack->segment;
    refresh(cpu);
    return {};
}

}  // namespace

Outcome enter_handler_protected_mode(Cpu& cpu, const Event& event) {
    const std::uint32_t error_code = idt_error_code(event.vector);
    const std::uint64_t offset = event.vector * 8ULL;
    if (offset + 7 > cpu.state.idtr.limit) return general_protection(error_code);
    const auto raw = load_system<std::uint64_t>(cpu, (cpu.state.idtr.base + offset) & 0xffff'ffff);
    if (!raw) return tl::unexpected{raw.error()};
    const Gate gate{{*raw}};
    const bool exists = !gate[Gate::s] && (gate[Gate::type] == task_gate || (gate[Gate::type] & 6) == 6);
    if (!exists) return general_protection(error_code);
    if (is_software(event.kind) && gate[Gate::dpl] < cpu.cpl) return general_protection(error_code);
    if (!gate[Gate::p]) return raise(Vector::np, error_code);
    if (gate[Gate::type] == task_gate) return enter_handler_task(cpu, event, gate.target());
    return through_gate(cpu, event, gate);
}

}  // namespace hyperstep::cpu
