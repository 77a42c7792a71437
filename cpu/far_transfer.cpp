#include "cpu/far_transfer.hpp"

#include "cpu/code_segments.hpp"
#include "cpu/inner_stack.hpp"
#include "cpu/operands.hpp"
#include "cpu/stack_frame.hpp"
#include "cpu/task_switch.hpp"

namespace hyperstep::cpu {
namespace {

enum class Transfer : std::uint8_t { jump, call };

/// The descriptor of a far pointer, or the code segment of a gate. #GP(0) if it is null, #GP with the
/// selector if it is beyond the table.
Expected<TableEntry> target_descriptor(Cpu& cpu, std::uint16_t selector) {
    if (is_null(selector)) return general_protection();
    return read_descriptor(cpu, selector, Vector::gp);
}

void push_return_pointer(const Cpu& cpu, StackFrame& frame, unsigned bytes) {
    frame.push(cpu.state.segment[cs].selector, bytes);
    frame.push(cpu.next_rip, bytes);
}

// ---- real-address and virtual-8086 mode

Outcome transfer_real(Cpu& cpu, const FarPointer& target, unsigned operand_bytes, Transfer kind) {
    StackFrame frame{current_stack(cpu)};
    if (kind == Transfer::call) push_return_pointer(cpu, frame, operand_bytes);
    HS_TRY(frame.check_room(cpu));
    Segment& code = cpu.state.segment[cs];
    const bool is_virtual = cpu.mode == Mode::virtual_8086;
    if (target.offset > (is_virtual ? 0xffff : code.limit)) return general_protection();
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    if (is_virtual)
        code = segment_of_virtual_8086(target.selector);
    else
        load_real_mode_segment(code, target.selector);
    cpu.next_rip = target.offset;
    refresh(cpu);
    return {};
}

// ---- to a code segment

Outcome transfer_to_code(
    Cpu& cpu, const FarPointer& target, TableEntry& entry, unsigned operand_bytes, Transfer kind) {
    const std::uint32_t error_code = error_code_of(target.selector);
    const Descriptor code = entry.descriptor;
    const auto dpl = code[Descriptor::dpl];
    const bool is_permitted =
        code.is_conforming() ? dpl <= cpu.cpl : dpl == cpu.cpl && rpl_of(target.selector) <= cpu.cpl;
    if (!has_valid_size(cpu, code) || !is_permitted) return general_protection(error_code);
    if (!code[Descriptor::p]) return raise(Vector::np, error_code);
    StackFrame frame{current_stack(cpu)};
    if (kind == Transfer::call) push_return_pointer(cpu, frame, operand_bytes);
    HS_TRY(frame.check_room(cpu));
    HS_TRY(check_offset(cpu, code, target.offset));
    HS_TRY(mark_accessed(cpu, entry));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    load_code_segment(cpu, target.selector, entry.descriptor, cpu.cpl);
    cpu.next_rip = target.offset;
    refresh(cpu);
    return {};
}

// ---- through a call gate

struct CallGate {
    FarPointer target;
    unsigned bytes = 2;  ///< of what it pushes
    unsigned parameters = 0;
};

/// SDM "Accessing a Code Segment Through a Call Gate": the checks of the gate itself.
Expected<CallGate> checked_call_gate(Cpu& cpu, std::uint16_t selector, Gate gate) {
    const std::uint32_t error_code = error_code_of(selector);
    const bool is_wide = cpu.efer()[Efer::lma];
    CallGate result{.target = {.selector = gate.target(), .offset = gate.offset_16()}};
    if (gate[Gate::dpl] < cpu.cpl || gate[Gate::dpl] < rpl_of(selector))
        return general_protection(error_code);
    if (is_wide) {
        const auto upper = read_upper_descriptor(cpu, selector, Vector::gp);
        if (!upper) return tl::unexpected{upper.error()};
        if ((*upper >> 40 & 0x1f) != 0) return general_protection(error_code);
        result.target.offset = *upper << 32 | gate.offset_32();
        result.bytes = 8;
    } else {
        result.parameters = static_cast<unsigned>(gate[Gate::parameters]);
        if (gate[Gate::type] == call_gate_32) {
            result.target.offset = gate.offset_32();
            result.bytes = 4;
        }
    }
    if (!gate[Gate::p]) return raise(Vector::np, error_code);
    return result;
}

/// The code segment of a gate. A call may lead to a more privileged one.
Expected<TableEntry> checked_gate_code(Cpu& cpu, std::uint16_t selector, Transfer kind) {
    const auto entry = target_descriptor(cpu, selector);
    if (!entry) return entry;
    const Descriptor code = entry->descriptor;
    const auto dpl = code[Descriptor::dpl];
    const bool may_be_inner = code.is_conforming() || kind == Transfer::call;
    const bool is_permitted = may_be_inner ? dpl <= cpu.cpl : dpl == cpu.cpl;
    const bool is_right_size = !cpu.efer()[Efer::lma] || (code[Descriptor::l] && !code[Descriptor::db]);
    if (!code.is_code() || !is_permitted || !is_right_size)
        return general_protection(error_code_of(selector));
    if (!code[Descriptor::p]) return raise(Vector::np, error_code_of(selector));
    return entry;
}

/// The stack on which a call through a gate of IA-32e mode pushes at the same level: that of 64-bit mode.
Stack stack_for_gate(const Cpu& cpu, const CallGate& gate) {
    Stack stack = current_stack(cpu);
    if (gate.bytes == 8) stack.pointer_bytes = 8;
    return stack;
}

/// Copies the parameters from the old stack to the new one.
Outcome push_parameters(Cpu& cpu, const CallGate& gate, StackFrame& frame) {
    for (unsigned i = gate.parameters; i-- > 0;) {
        if (gate.bytes == 4) {
            const auto value = peek<std::uint32_t>(cpu, i * 4ULL);
            if (!value) return tl::unexpected{value.error()};
            frame.push(*value, 4);
        } else {
            const auto value = peek<std::uint16_t>(cpu, i * 2ULL);
            if (!value) return tl::unexpected{value.error()};
            frame.push(*value, 2);
        }
    }
    return {};
}

Outcome call_to_inner_level(Cpu& cpu, const CallGate& gate, TableEntry& entry, unsigned dpl) {
    const bool is_wide = gate.bytes == 8;
    const auto stack = is_wide ? inner_stack_ia32e(cpu, dpl, 0) : inner_stack(cpu, dpl);
    if (!stack) return tl::unexpected{stack.error()};
    StackFrame frame{*stack};
    frame.push(cpu.state.segment[ss].selector, gate.bytes);
    frame.push(cpu.state.gpr[rsp], gate.bytes);
    HS_TRY(push_parameters(cpu, gate, frame));
    push_return_pointer(cpu, frame, gate.bytes);
    HS_TRY(frame.check_room(cpu));
    HS_TRY(check_offset(cpu, entry.descriptor, gate.target.offset));
    HS_TRY(mark_accessed(cpu, entry));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    cpu.state.segment[ss] = stack->segment;
    load_code_segment(cpu, gate.target.selector, entry.descriptor, dpl);
    cpu.next_rip = gate.target.offset;
    refresh(cpu);
    return {};
}

Outcome transfer_through_gate(Cpu& cpu, std::uint16_t selector, Gate raw, Transfer kind) {
    const auto gate = checked_call_gate(cpu, selector, raw);
    if (!gate) return tl::unexpected{gate.error()};
    auto entry = checked_gate_code(cpu, gate->target.selector, kind);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor code = entry->descriptor;
    const auto dpl = static_cast<unsigned>(code[Descriptor::dpl]);
    if (!code.is_conforming() && dpl < cpu.cpl) return call_to_inner_level(cpu, *gate, *entry, dpl);
    StackFrame frame{stack_for_gate(cpu, *gate)};
    if (kind == Transfer::call) push_return_pointer(cpu, frame, gate->bytes);
    HS_TRY(frame.check_room(cpu));
    HS_TRY(check_offset(cpu, code, gate->target.offset));
    HS_TRY(mark_accessed(cpu, *entry));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    load_code_segment(cpu, gate->target.selector, entry->descriptor, cpu.cpl);
    cpu.next_rip = gate->target.offset;
    refresh(cpu);
    return {};
}

// ---- to a task

TaskSwitchSource source_of(Transfer kind) {
    return kind == Transfer::call ? TaskSwitchSource::call : TaskSwitchSource::jmp;
}

Outcome transfer_to_task(Cpu& cpu, std::uint16_t selector, const TableEntry& entry, Transfer kind) {
    const auto dpl = entry.descriptor[Descriptor::dpl];
    if (dpl < cpu.cpl || dpl < rpl_of(selector)) return general_protection(error_code_of(selector));
    HS_TRY(check_available_tss(entry, selector));
    return switch_task(cpu,
                       {.source = source_of(kind),
                        .selector = selector,
                        .descriptor = entry,
                        .saved_flags = cpu.state.rflags});
}

Outcome transfer_through_task_gate(Cpu& cpu, std::uint16_t selector, Gate gate, Transfer kind) {
    if (gate[Gate::dpl] < cpu.cpl || gate[Gate::dpl] < rpl_of(selector))
        return general_protection(error_code_of(selector));
    if (!gate[Gate::p]) return raise(Vector::np, error_code_of(selector));
    const auto entry = task_of_gate(cpu, gate.target());
    if (!entry) return tl::unexpected{entry.error()};
    return switch_task(cpu,
                       {.source = source_of(kind),
                        .selector = gate.target(),
                        .descriptor = *entry,
                        .saved_flags = cpu.state.rflags});
}

Outcome transfer_to_system_descriptor(Cpu& cpu,
                                      const FarPointer& target,
                                      const TableEntry& entry,
                                      Transfer kind) {
    const Gate gate{{entry.descriptor.raw}};
    const bool is_wide = cpu.efer()[Efer::lma];
    switch (entry.descriptor[Descriptor::type]) {
        case call_gate_32: return transfer_through_gate(cpu, target.selector, gate, kind);
        case call_gate_16:
            if (is_wide) break;
            return transfer_through_gate(cpu, target.selector, gate, kind);
        case task_gate:
            if (is_wide) break;
            return transfer_through_task_gate(cpu, target.selector, gate, kind);
        case tss_16_available:
        case tss_16_busy:
        case tss_32_available:
        case tss_32_busy:
            if (is_wide) break;
            return transfer_to_task(cpu, target.selector, entry, kind);
        default: break;
    }
    return general_protection(error_code_of(target.selector));
}

Outcome transfer(Cpu& cpu, const FarPointer& target, unsigned operand_bytes, Transfer kind) {
    if (!cpu.protected_mode()) return transfer_real(cpu, target, operand_bytes, kind);
    auto entry = target_descriptor(cpu, target.selector);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor descriptor = entry->descriptor;
    if (descriptor.is_code()) return transfer_to_code(cpu, target, *entry, operand_bytes, kind);
    if (descriptor.is_data()) return general_protection(error_code_of(target.selector));
    return transfer_to_system_descriptor(cpu, target, *entry, kind);
}

}  // namespace

Outcome far_jump(Cpu& cpu, const FarPointer& target, unsigned operand_bytes) {
    return transfer(cpu, target, operand_bytes, Transfer::jump);
}

Outcome far_call(Cpu& cpu, const FarPointer& target, unsigned operand_bytes) {
    return transfer(cpu, target, operand_bytes, Transfer::call);
}

}  // namespace hyperstep::cpu
