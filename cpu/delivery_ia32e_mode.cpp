#include "cpu/delivery.hpp"
#include "cpu/handler_code.hpp"
#include "cpu/inner_stack.hpp"
#include "cpu/stack_frame.hpp"

// SDM "Interrupt and Exception Handling in 64-bit Mode": every handler runs in 64-bit mode, and SS:RSP is
// always saved.
namespace hyperstep::cpu {
namespace {

/// The gate of the vector: #GP, #NP.
Expected<Gate> checked_gate(Cpu& cpu, const Event& event, std::uint64_t& upper) {
    const std::uint32_t error_code = idt_error_code(event.vector);
    const std::uint64_t offset = event.vector * 16ULL;
    if (offset + 15 > cpu.state.idtr.limit) return general_protection(error_code);
    const std::uint64_t address = cpu.state.idtr.base + offset;
    if (!is_canonical(cpu, address) || !is_canonical(cpu, address + 15))
        return general_protection(error_code);
    const auto low = load_system<std::uint64_t>(cpu, address);
    if (!low) return tl::unexpected{low.error()};
    const auto high = load_system<std::uint64_t>(cpu, address + 8);
    if (!high) return tl::unexpected{high.error()};
    upper = *high;
    const Gate gate{{*low}};
    const bool exists =
        !gate[Gate::s] && (gate[Gate::type] == interrupt_gate_32 || gate[Gate::type] == trap_gate_32);
    if (!exists) return general_protection(error_code);
    if (is_software(event.kind) && gate[Gate::dpl] < cpu.cpl) return general_protection(error_code);
    if (!gate[Gate::p]) return raise(Vector::np, error_code);
    return gate;
}

/// The stack of the handler: of the inner level, of the IST, or the current one. Aligned to 16 bytes.
Expected<Stack> handler_stack(Cpu& cpu, const HandlerCode& code, unsigned interrupt_stack) {
    Expected<Stack> stack;
    if (code.cpl != cpu.cpl || interrupt_stack != 0) {
        stack = inner_stack_ia32e(cpu, code.cpl, interrupt_stack);
        if (!stack) return stack;
        if (code.cpl == cpu.cpl) stack->segment = cpu.state.segment[ss];
    } else {
        stack = Stack{.segment = cpu.state.segment[ss], .pointer = cpu.state.gpr[rsp], .pointer_bytes = 8};
        if (cpu.mode != Mode::long_64) stack->pointer &= 0xffff'ffff;
    }
    stack->pointer &= ~0xfULL;
    return stack;
}

}  // namespace

Outcome enter_handler_ia32e_mode(Cpu& cpu, const Event& event) {
    std::uint64_t upper = 0;
    const auto gate = checked_gate(cpu, event, upper);
    if (!gate) return tl::unexpected{gate.error()};
    auto code = handler_code(cpu, gate->target());
    if (!code) return tl::unexpected{code.error()};
    const auto stack = handler_stack(cpu, *code, static_cast<unsigned>((*gate)[Gate::interrupt_stack]));
    if (!stack) return tl::unexpected{stack.error()};
    const std::uint64_t offset = upper << 32 | gate->offset_32();

    StackFrame frame{*stack};
    frame.push(cpu.state.segment[ss].selector, 8);
    frame.push(cpu.state.gpr[rsp], 8);
    frame.push(flags_image(cpu, event), 8);
    frame.push(cpu.state.segment[cs].selector, 8);
    frame.push(return_address(cpu, event), 8);
    if (event.has_error_code) frame.push(event.error_code, 8);
    HS_TRY(frame.check_room(cpu));
    if (!is_canonical(cpu, offset)) return general_protection();
    HS_TRY(mark_accessed(cpu, code->entry));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    if (code->cpl != cpu.cpl) cpu.state.segment[ss] = stack->segment;
    const bool is_trap = (*gate)[Gate::type] == trap_gate_32;
    begin_handler(cpu, *code, offset, is_trap ? GateKind::trap : GateKind::interrupt);
    return {};
}

}  // namespace hyperstep::cpu
