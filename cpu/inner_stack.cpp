#include "cpu/inner_stack.hpp"

#include "cpu/access.hpp"

namespace hyperstep::cpu {
namespace {

/// Reads a field of the current TSS, within its limit.
template <class T>
Expected<T> read_tss(Cpu& cpu, std::uint64_t offset) {
    return load_system<T>(cpu, (cpu.state.tr.base + offset) & (cpu.efer()[Efer::lma] ? ~0ULL : 0xffff'ffff));
}

tl::unexpected<Fault> tss_too_short(const Cpu& cpu) {
    return raise(Vector::ts, error_code_of(cpu.state.tr.selector));
}

struct StackPointer {
    std::uint16_t selector = 0;
    std::uint32_t pointer = 0;
};

Expected<StackPointer> read_stack_pointer(Cpu& cpu, unsigned dpl) {
    const Segment& tr = cpu.state.tr;
    const bool is_32 = (tr.rights[AccessRights::type] & 8) != 0;
    const std::uint64_t first = is_32 ? dpl * 8ULL + 4 : dpl * 4ULL + 2;
    if (first + (is_32 ? 5 : 3) > tr.limit) return tss_too_short(cpu);
    if (is_32) {
        const auto pointer = read_tss<std::uint32_t>(cpu, first);
        if (!pointer) return tl::unexpected{pointer.error()};
        const auto selector = read_tss<std::uint16_t>(cpu, first + 4);
        if (!selector) return tl::unexpected{selector.error()};
        return StackPointer{.selector = *selector, .pointer = *pointer};
    }
    const auto both = read_tss<std::uint32_t>(cpu, first);
    if (!both) return tl::unexpected{both.error()};
    return StackPointer{.selector = static_cast<std::uint16_t>(*both >> 16), .pointer = *both & 0xffff};
}

}  // namespace

Expected<Stack> inner_stack(Cpu& cpu, unsigned dpl) {
    const auto top = read_stack_pointer(cpu, dpl);
    if (!top) return tl::unexpected{top.error()};
    const std::uint32_t error_code = error_code_of(top->selector);
    if (is_null(top->selector)) return raise(Vector::ts, 0);
    auto entry = read_descriptor(cpu, top->selector, Vector::ts);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor descriptor = entry->descriptor;
    if (rpl_of(top->selector) != dpl || descriptor[Descriptor::dpl] != dpl || !descriptor.is_writable_data())
        return raise(Vector::ts, error_code);
    if (!descriptor[Descriptor::p]) return raise(Vector::ss, error_code);
    HS_TRY(mark_accessed(cpu, *entry));
    return Stack{.segment = segment_of(top->selector, entry->descriptor),
                 .pointer = top->pointer,
                 .pointer_bytes = static_cast<std::uint8_t>(descriptor[Descriptor::db] ? 4 : 2),
                 .accessor = Accessor::inner_stack,
                 .error_code = error_code};
}

Expected<Stack> inner_stack_ia32e(Cpu& cpu, unsigned dpl, unsigned interrupt_stack) {
    const std::uint64_t first = interrupt_stack != 0 ? interrupt_stack * 8ULL + 28 : dpl * 8ULL + 4;
    if (first + 7 > cpu.state.tr.limit) return tss_too_short(cpu);
    const auto pointer = read_tss<std::uint64_t>(cpu, first);
    if (!pointer) return tl::unexpected{pointer.error()};
    if (!is_canonical(cpu, *pointer)) return raise(Vector::ss, 0);
    return Stack{.segment = null_segment(static_cast<std::uint16_t>(dpl), dpl),
                 .pointer = *pointer,
                 .pointer_bytes = 8,
                 .accessor = dpl == 3 ? Accessor::program : Accessor::inner_stack};
}

}  // namespace hyperstep::cpu
