#include <array>

#include "cpu/code_segments.hpp"
#include "cpu/far_return.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"
#include "cpu/outer_return.hpp"
#include "cpu/task_switch.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t always_loaded = flag::status | Rflags::tf.mask | Rflags::df.mask | Rflags::nt.mask;
/// Of the upper half of EFLAGS, loaded with operands of 32 and 64 bits.
constexpr std::uint64_t upper_loaded = Rflags::rf.mask | Rflags::ac.mask | Rflags::id.mask;

void load_flags(Cpu& cpu, std::uint64_t popped, std::uint64_t mask) {
    cpu.state.rflags = (cpu.state.rflags & ~mask) | (popped & mask);
}

/// The flags that a return loads at the current privilege level.
std::uint64_t loadable_flags(const Cpu& cpu, unsigned bytes) {
    std::uint64_t mask = always_loaded;
    if (bytes != 2) mask |= upper_loaded;
    if (cpu.cpl <= cpu.rflags()[Rflags::iopl]) mask |= Rflags::if_.mask;
    if (cpu.cpl == 0) {
        mask |= Rflags::iopl.mask;
        if (bytes != 2) mask |= Rflags::vif.mask | Rflags::vip.mask;
    }
    return mask;
}

/// What is on top of the stack: RIP, CS, RFLAGS, then RSP, SS, and of virtual-8086 mode ES, DS, FS, GS.
template <std::size_t count>
Expected<std::array<std::uint64_t, count>> peek_frame(Cpu& cpu, unsigned bytes, unsigned first = 0) {
    std::array<std::uint64_t, count> frame{};
    for (unsigned i = 0; i < count; ++i) {
        const auto value = peek_sized(cpu, (first + i) * std::uint64_t{bytes}, bytes);
        if (!value) return tl::unexpected{value.error()};
        frame[i] = *value;
    }
    return frame;
}

/// In real-address and virtual-8086 mode.
Outcome return_real(Cpu& cpu, unsigned bytes) {
    const bool is_virtual = cpu.mode == Mode::virtual_8086;
    if (is_virtual && cpu.rflags()[Rflags::iopl] < 3) return general_protection();
    const auto frame = peek_frame<3>(cpu, bytes);
    if (!frame) return tl::unexpected{frame.error()};
    const auto [offset, selector, flags] = *frame;
    Segment& code = cpu.state.segment[cs];
    if (offset > (is_virtual ? 0xffff : code.limit)) return general_protection();
    drop(cpu, 3ULL * bytes);
    std::uint64_t mask = always_loaded | Rflags::if_.mask;
    if (!is_virtual) mask |= Rflags::iopl.mask;
    if (bytes != 2) mask |= upper_loaded;
    load_flags(cpu, flags, mask);
    if (is_virtual)
        code = segment_of_virtual_8086(static_cast<std::uint16_t>(selector));
    else
        load_real_mode_segment(code, static_cast<std::uint16_t>(selector));
    cpu.next_rip = offset;
    refresh(cpu);
    return {};
}

Outcome return_to_virtual_8086(Cpu& cpu, const std::array<std::uint64_t, 3>& top) {
    const auto frame = peek_frame<6>(cpu, 4, 3);
    if (!frame) return tl::unexpected{frame.error()};
    if (top[0] > 0xffff) return general_protection();
    State& state = cpu.state;
    constexpr SegmentName order[] = {ss, es, ds, fs, gs};
    load_flags(cpu, top[2], loadable_flags(cpu, 4) | Rflags::vm.mask);
    state.segment[cs] = segment_of_virtual_8086(static_cast<std::uint16_t>(top[1]));
    for (unsigned i = 0; i < std::size(order); ++i)
        state.segment[order[i]] = segment_of_virtual_8086(static_cast<std::uint16_t>((*frame)[i + 1]));
    state.gpr[rsp] = (*frame)[0];
    cpu.next_rip = top[0];
    refresh(cpu);
    return {};
}

/// In 64-bit mode SS:RSP is popped also at the same level.
bool pops_stack(const Cpu& cpu, unsigned new_cpl) {
    return cpu.mode == Mode::long_64 || new_cpl > cpu.cpl;
}

Outcome return_protected(Cpu& cpu, unsigned bytes, const std::array<std::uint64_t, 3>& top) {
    const auto [offset, code_selector, flags] = top;
    const auto selector = static_cast<std::uint16_t>(code_selector);
    auto entry = checked_return_code(cpu, selector);
    if (!entry) return tl::unexpected{entry.error()};
    const unsigned cpl = rpl_of(selector);
    const std::uint64_t mask = loadable_flags(cpu, bytes);
    if (pops_stack(cpu, cpl)) {
        const auto outer = peek_frame<2>(cpu, bytes, 3);
        if (!outer) return tl::unexpected{outer.error()};
        const auto [pointer, stack_selector] = *outer;
        const auto stack =
            checked_return_stack(cpu, static_cast<std::uint16_t>(stack_selector), entry->descriptor, cpl);
        if (!stack) return tl::unexpected{stack.error()};
        HS_TRY(check_offset(cpu, entry->descriptor, offset));
        HS_TRY(mark_accessed(cpu, *entry));
        set_returned_stack(cpu, *stack, pointer, entry->descriptor);
        if (cpl > cpu.cpl) hide_inner_segments(cpu, cpl);
    } else {
        HS_TRY(check_offset(cpu, entry->descriptor, offset));
        HS_TRY(mark_accessed(cpu, *entry));
        drop(cpu, 3ULL * bytes);
    }
    load_code_segment(cpu, selector, entry->descriptor, cpl);
    load_flags(cpu, flags, mask);
    cpu.next_rip = offset;
    refresh(cpu);
    return {};
}

}  // namespace

Outcome interrupt_return(Cpu& cpu, unsigned bytes) {
    cpu.state.blocking.nmi = false;
    look_at_boundary(cpu);
    if (!cpu.protected_mode()) return return_real(cpu, bytes);
    const bool is_ia32e = cpu.efer()[Efer::lma];
    if (cpu.rflags()[Rflags::nt]) {
        if (is_ia32e) return general_protection();
        return return_to_previous_task(cpu);
    }
    const auto top = peek_frame<3>(cpu, bytes);
    if (!top) return tl::unexpected{top.error()};
    const bool to_virtual_8086 = (Rflags{{(*top)[2]}})[Rflags::vm];
    if (!is_ia32e && bytes == 4 && cpu.cpl == 0 && to_virtual_8086) return return_to_virtual_8086(cpu, *top);
    return return_protected(cpu, bytes, *top);
}

}  // namespace hyperstep::cpu
