#include "cpu/outer_return.hpp"

#include "cpu/code_segments.hpp"
#include "cpu/operands.hpp"

namespace hyperstep::cpu {

Expected<std::uint64_t> peek_sized(Cpu& cpu, std::uint64_t depth, unsigned bytes) {
    switch (bytes) {
        case 2: return peek<std::uint16_t>(cpu, depth);
        case 4: return peek<std::uint32_t>(cpu, depth);
        default: return peek<std::uint64_t>(cpu, depth);
    }
}

Expected<TableEntry> checked_return_code(Cpu& cpu, std::uint16_t selector) {
    const std::uint32_t error_code = error_code_of(selector);
    if (is_null(selector)) return general_protection();
    auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return entry;
    const Descriptor code = entry->descriptor;
    const unsigned rpl = rpl_of(selector);
    const auto dpl = code[Descriptor::dpl];
    const bool is_permitted = rpl >= cpu.cpl && (code.is_conforming() ? dpl <= rpl : dpl == rpl);
    if (!code.is_code() || !has_valid_size(cpu, code) || !is_permitted) return general_protection(error_code);
    if (!code[Descriptor::p]) return raise(Vector::np, error_code);
    return entry;
}

Expected<Segment> checked_return_stack(Cpu& cpu, std::uint16_t selector, Descriptor code, unsigned cpl) {
    const std::uint32_t error_code = error_code_of(selector);
    if (is_null(selector)) {
        const bool may_be_null = is_64_bit_code(cpu, code) && cpl != 3 && rpl_of(selector) == cpl;
        if (!may_be_null) return general_protection();
        return null_segment(selector, cpl);
    }
    auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor stack = entry->descriptor;
    if (rpl_of(selector) != cpl || !stack.is_writable_data() || stack[Descriptor::dpl] != cpl)
        return general_protection(error_code);
    if (!stack[Descriptor::p]) return raise(Vector::ss, error_code);
    HS_TRY(mark_accessed(cpu, *entry));
    return segment_of(selector, entry->descriptor);
}

void set_returned_stack(Cpu& cpu, const Segment& stack, std::uint64_t pointer, Descriptor code) {
    cpu.state.segment[ss] = stack;
    const unsigned bytes = is_64_bit_code(cpu, code) ? 8 : stack.rights[AccessRights::db] ? 4 : 2;
    write_sized(cpu.state, rsp, bytes, pointer);
}

void hide_inner_segments(Cpu& cpu, unsigned cpl) {
    for (const SegmentName name : {es, fs, gs, ds}) {
        Segment& segment = cpu.state.segment[name];
        if (segment.rights[AccessRights::unusable]) continue;
        const bool is_conforming = segment.rights[AccessRights::code] && (segment.rights.raw & 4) != 0;
        if (!is_conforming && segment.rights[AccessRights::dpl] < cpl) segment = null_segment(0);
    }
}

}  // namespace hyperstep::cpu
