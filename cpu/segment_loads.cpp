#include "cpu/segment_loads.hpp"

#include "cpu/descriptors.hpp"

namespace hyperstep::cpu {
namespace {

/// In 64-bit mode SS may be null, but for CPL 3.
bool may_be_null(const Cpu& cpu, std::uint16_t selector) {
    return cpu.mode == Mode::long_64 && cpu.cpl != 3 && rpl_of(selector) == cpu.cpl;
}

Expected<Segment> checked_stack_segment(Cpu& cpu, std::uint16_t selector) {
    if (is_null(selector)) {
        if (!may_be_null(cpu, selector)) return general_protection();
        return null_segment(selector, cpu.cpl);
    }
    const std::uint32_t error_code = error_code_of(selector);
    auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor stack = entry->descriptor;
    if (rpl_of(selector) != cpu.cpl || !stack.is_writable_data() || stack[Descriptor::dpl] != cpu.cpl)
        return general_protection(error_code);
    if (!stack[Descriptor::p]) return raise(Vector::ss, error_code);
    HS_TRY(mark_accessed(cpu, *entry));
    return segment_of(selector, entry->descriptor);
}

Expected<Segment> checked_data_segment(Cpu& cpu, std::uint16_t selector) {
    if (is_null(selector)) return null_segment(selector);
    const std::uint32_t error_code = error_code_of(selector);
    auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor data = entry->descriptor;
    const bool is_readable = data.is_data() || (data.is_code() && data[Descriptor::writable]);
    if (!is_readable) return general_protection(error_code);
    const auto dpl = data[Descriptor::dpl];
    if (!data.is_conforming() && (rpl_of(selector) > dpl || cpu.cpl > dpl))
        return general_protection(error_code);
    if (!data[Descriptor::p]) return raise(Vector::np, error_code);
    HS_TRY(mark_accessed(cpu, *entry));
    return segment_of(selector, entry->descriptor);
}

}  // namespace

Expected<Segment> checked_segment(Cpu& cpu, SegmentName name, std::uint16_t selector) {
    if (cpu.mode == Mode::virtual_8086) return segment_of_virtual_8086(selector);
    if (cpu.mode == Mode::real) {
        Segment loaded = cpu.state.segment[name];
        load_real_mode_segment(loaded, selector);
        return loaded;
    }
    return name == ss ? checked_stack_segment(cpu, selector) : checked_data_segment(cpu, selector);
}

void load_segment(Cpu& cpu, SegmentName name, const Segment& segment) {
    cpu.state.segment[name] = segment;
    refresh(cpu);
}

Expected<Segment> checked_ldtr(Cpu& cpu, std::uint16_t selector, Vector beyond_or_wrong_type, Vector absent) {
    if (is_null(selector)) return null_segment(selector);
    const auto wrong = raise(beyond_or_wrong_type, error_code_of(selector));
    if ((selector & 4) != 0) return wrong;
    const auto entry = read_descriptor(cpu, selector, beyond_or_wrong_type);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor table = entry->descriptor;
    if (!table.is_system() || table[Descriptor::type] != ldt) return wrong;
    if (!table[Descriptor::p]) return raise(absent, error_code_of(selector));
    Segment loaded = segment_of(selector, table);
    if (cpu.efer()[Efer::lma]) {
        const auto upper = read_upper_descriptor(cpu, selector, beyond_or_wrong_type);
        if (!upper) return tl::unexpected{upper.error()};
        loaded.base |= *upper << 32;
        if ((*upper >> 40 & 0x1f) != 0 || !is_canonical(cpu, loaded.base)) return wrong;
    }
    return loaded;
}

}  // namespace hyperstep::cpu
