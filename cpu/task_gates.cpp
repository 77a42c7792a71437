#include "cpu/access.hpp"
#include "cpu/delivery.hpp"
#include "cpu/stack_frame.hpp"
#include "cpu/task_state.hpp"
#include "cpu/task_switch.hpp"

namespace hyperstep::cpu {

Outcome check_available_tss(const TableEntry& entry, std::uint16_t selector) {
    const std::uint32_t error_code = error_code_of(selector);
    const auto type = entry.descriptor[Descriptor::type];
    const bool is_available =
        entry.descriptor.is_system() && (type == tss_16_available || type == tss_32_available);
    if ((selector & 4) != 0 || !is_available) return general_protection(error_code);
    if (!entry.descriptor[Descriptor::p]) return raise(Vector::np, error_code);
    return {};
}

Expected<TableEntry> task_of_gate(Cpu& cpu, std::uint16_t selector) {
    if (is_null(selector) || (selector & 4) != 0) return general_protection(error_code_of(selector));
    const auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return entry;
    HS_TRY(check_available_tss(*entry, selector));
    return entry;
}

Outcome return_to_previous_task(Cpu& cpu) {
    const auto link = load_system<std::uint16_t>(cpu, cpu.state.tr.base);
    if (!link) return tl::unexpected{link.error()};
    const std::uint32_t error_code = error_code_of(*link);
    if (is_null(*link) || (*link & 4) != 0) return raise(Vector::ts, error_code);
    const auto entry = read_descriptor(cpu, *link, Vector::ts);
    if (!entry) return tl::unexpected{entry.error()};
    const auto type = entry->descriptor[Descriptor::type];
    const bool is_busy = entry->descriptor.is_system() && (type == tss_16_busy || type == tss_32_busy);
    if (!is_busy) return raise(Vector::ts, error_code);
    if (!entry->descriptor[Descriptor::p]) return raise(Vector::np, error_code);
    return switch_task(cpu,
                       {.source = TaskSwitchSource::iret,
                        .selector = *link,
                        .descriptor = *entry,
                        .saved_flags = cpu.rflags().with(Rflags::nt, false).raw});
}

Outcome enter_handler_task(Cpu& cpu, const Event& event, std::uint16_t selector) {
    const auto entry = task_of_gate(cpu, selector);
    if (!entry) return tl::unexpected{entry.error()};
    const TssSize size = tss_size(entry->descriptor[Descriptor::type]);
    cpu.next_rip = return_address(cpu, event);
    HS_TRY(switch_task(cpu,
                       {.source = TaskSwitchSource::gate,
                        .selector = selector,
                        .descriptor = *entry,
                        .saved_flags = flags_image(cpu, event)}));
    if (!event.has_error_code) return {};
    StackFrame frame{current_stack(cpu)};
    frame.push(event.error_code, size == TssSize::bits_32 ? 4 : 2);
    HS_TRY(frame.check_room(cpu));
    HS_TRY(frame.translate(cpu));
    frame.write(cpu);
    return {};
}

}  // namespace hyperstep::cpu
