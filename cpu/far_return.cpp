#include "cpu/far_return.hpp"

#include "cpu/code_segments.hpp"
#include "cpu/operands.hpp"
#include "cpu/outer_return.hpp"

namespace hyperstep::cpu {
namespace {

/// In real-address and virtual-8086 mode.
Outcome return_real(Cpu& cpu, unsigned bytes, std::uint16_t parameter_bytes) {
    const auto offset = peek_sized(cpu, 0, bytes);
    if (!offset) return tl::unexpected{offset.error()};
    const auto selector = peek_sized(cpu, bytes, bytes);
    if (!selector) return tl::unexpected{selector.error()};
    Segment& code = cpu.state.segment[cs];
    const bool is_virtual = cpu.mode == Mode::virtual_8086;
    if (*offset > (is_virtual ? 0xffff : code.limit)) return general_protection();
    drop(cpu, 2ULL * bytes + parameter_bytes);
    if (is_virtual)
        code = segment_of_virtual_8086(static_cast<std::uint16_t>(*selector));
    else
        load_real_mode_segment(code, static_cast<std::uint16_t>(*selector));
    cpu.next_rip = *offset;
    refresh(cpu);
    return {};
}

struct ReturnTarget {
    std::uint16_t selector = 0;
    std::uint64_t offset = 0;
    TableEntry entry;
};

Outcome return_to_outer_level(Cpu& cpu, ReturnTarget& target, unsigned bytes, std::uint16_t parameter_bytes) {
    const unsigned cpl = rpl_of(target.selector);
    const std::uint64_t depth = 2ULL * bytes + parameter_bytes;
    const auto pointer = peek_sized(cpu, depth, bytes);
    if (!pointer) return tl::unexpected{pointer.error()};
    const auto selector = peek_sized(cpu, depth + bytes, bytes);
    if (!selector) return tl::unexpected{selector.error()};
    const auto stack =
        checked_return_stack(cpu, static_cast<std::uint16_t>(*selector), target.entry.descriptor, cpl);
    if (!stack) return tl::unexpected{stack.error()};
    HS_TRY(check_offset(cpu, target.entry.descriptor, target.offset));
    HS_TRY(mark_accessed(cpu, target.entry));
    set_returned_stack(cpu, *stack, *pointer, target.entry.descriptor);
    load_code_segment(cpu, target.selector, target.entry.descriptor, cpl);
    hide_inner_segments(cpu, cpl);
    refresh(cpu);
    drop(cpu, parameter_bytes);
    return {};
}

}  // namespace

Outcome far_return(Cpu& cpu, unsigned bytes, std::uint16_t parameter_bytes) {
    if (!cpu.protected_mode()) return return_real(cpu, bytes, parameter_bytes);
    ReturnTarget target;
    const auto offset = peek_sized(cpu, 0, bytes);
    if (!offset) return tl::unexpected{offset.error()};
    const auto selector = peek_sized(cpu, bytes, bytes);
    if (!selector) return tl::unexpected{selector.error()};
    target.offset = *offset;
    target.selector = static_cast<std::uint16_t>(*selector);
    const auto entry = checked_return_code(cpu, target.selector);
    if (!entry) return tl::unexpected{entry.error()};
    target.entry = *entry;
    if (rpl_of(target.selector) > cpu.cpl) {
        HS_TRY(return_to_outer_level(cpu, target, bytes, parameter_bytes));
    } else {
        HS_TRY(check_offset(cpu, target.entry.descriptor, target.offset));
        HS_TRY(mark_accessed(cpu, target.entry));
        drop(cpu, 2ULL * bytes + parameter_bytes);
        load_code_segment(cpu, target.selector, target.entry.descriptor, cpu.cpl);
        refresh(cpu);
    }
    cpu.next_rip = target.offset;
    return {};
}

}  // namespace hyperstep::cpu
