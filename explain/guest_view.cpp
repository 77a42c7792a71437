#include "explain/guest_view.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;
using vmx::Slot;

constexpr std::uint64_t last_instruction_error = 28;

PartialWord known_bits(std::uint64_t value, std::uint64_t mask) {
    return PartialWord{value & mask, mask};
}

/// KVM writes "unusable" for a segment that is not present, and some versions write nothing else then. With
/// unrestricted guest it sets the accessed bit itself.
PartialWord vmcs_rights(const SegmentView& view) {
    using Rights = vmx::AccessRights;
    constexpr std::uint64_t unusable_bit = decltype(Rights::unusable)::mask;
    PartialWord rights = view.rights;
    std::optional<bool> unusable = view.unusable;
    const vmx::Truth present = rights[Rights::p];
    if (present == vmx::Truth::no) unusable = true;
    if (unusable == true) return known_bits(unusable_bit, unusable_bit);
    rights.known |=
        decltype(Rights::reserved_low)::mask | (0xffff'ffffULL & decltype(Rights::reserved_high)::mask);
    if (unusable && present == vmx::Truth::yes) rights.known |= unusable_bit;
    const bool accessed_shown_clear = (rights.value & 1) == 0;
    if (accessed_shown_clear && rights[Rights::s] != vmx::Truth::no) rights.known &= ~1ULL;
    return PartialWord{rights.value, rights.known};
}

void show_segments(const GuestView& view, Draft& draft) {
    for (std::size_t i = 0; i < view.segments.size(); ++i) {
        const SegmentView& shown = view.segments.at(i);
        const SegmentSlots& slots = guest_segments().at(i);
        if (shown.selector && slots.selector) draft.show(*slots.selector, *shown.selector);
        if (shown.base) draft.show(slots.base, *shown.base);
        if (shown.limit) draft.show(slots.limit, *shown.limit);
        if (slots.rights && (shown.rights.known != 0 || shown.unusable))
            draft.show(*slots.rights, vmcs_rights(shown));
    }
}

void show_mode(const GuestView& view, Draft& draft) {
    using vmx::Cr0, vmx::Cr4, vmx::Efer;
    constexpr std::uint64_t paging = decltype(Cr0::pe)::mask | decltype(Cr0::pg)::mask;
    if (view.cr0 && (*view.cr0 & paging) == paging) draft.show(Slot::guest_cr0, known_bits(paging, paging));
    if (view.cr4) {
        const std::uint64_t passed = *view.cr4 & (decltype(Cr4::pae)::mask | decltype(Cr4::pcide)::mask);
        if (passed != 0) draft.show(Slot::guest_cr4, known_bits(passed, passed));
    }
    if (!view.efer) return;
    constexpr std::uint64_t lma = decltype(Efer::lma)::mask;
    constexpr std::uint64_t lme = decltype(Efer::lme)::mask;
    // Outside IA-32e mode some versions clear LME behind the guest's back.
    const bool lme_sure = (*view.efer & lme) == 0 || (*view.efer & lma) != 0;
    draft.show(Slot::guest_efer, known_bits(*view.efer, lme_sure ? lma | lme : lma));
    constexpr std::uint64_t ia32e = vmx::entry::ia32e_mode_guest.mask();
    draft.show(Slot::entry_controls, known_bits((*view.efer & lma) != 0 ? ia32e : 0, ia32e));
}

}  // namespace

void show_guest_view(const GuestView& view, SilentMode silent, Draft& draft) {
    using vmx::Rflags;
    show_mode(view, draft);
    const bool virtual_8086 = view.rflags && (*view.rflags & decltype(Rflags::vm)::mask) != 0;
    const bool protection_shown = view.cr0 && (*view.cr0 & decltype(vmx::Cr0::pe)::mask) != 0;
    const bool believed_protected =
        !virtual_8086 && (protection_shown || (!view.cr0 && silent == SilentMode::assume_protected));
    if (believed_protected) show_segments(view, draft);
    if (view.rflags) {
        // In real mode KVM may set VM and IOPL.
        constexpr std::uint64_t replaced = decltype(Rflags::vm)::mask | decltype(Rflags::iopl)::mask;
        draft.show(Slot::guest_rflags,
                   known_bits(*view.rflags, protection_shown && !virtual_8086 ? ~0ULL : ~replaced));
    }
    if (view.rip) draft.show(Slot::guest_rip, *view.rip);
    if (view.rsp) draft.show(Slot::guest_rsp, *view.rsp);
}

void report_failure_number(std::uint64_t number, Draft& draft) {
    Reported& reported = draft.dump.reported;
    if (number > 0xffff'ffff) return;
    const auto word = static_cast<std::uint32_t>(number);
    if (word == 0 || word == 0xffff'ffff) return;  // no failure of VMX: nothing, or SVM's invalid VMCB
    if (is_entry_failure(word)) {
        reported.reason = word;
        reported.entry_failed = true;
        draft.show(Slot::exit_reason, PartialWord{number});
    } else if (number <= last_instruction_error) {
        reported.instruction_error = word;
        reported.entry_failed = true;
        draft.show(Slot::vm_instruction_error, PartialWord{number});
    }
}

namespace {

void attach_report(Dump& vmcs, const Reported& view) {
    Reported& reported = vmcs.reported;
    reported.entry_failed = reported.entry_failed || view.entry_failed;
    if (reported.message.empty()) reported.message = view.message;
    if (view.reason && !reported.reason) reported.reason = view.reason;
    if (view.reason && reported.reason != view.reason)
        vmcs.remarks.push_back(
            fmt::format("the exit reason reported to user space, {:#x}, is not the VMCS's", *view.reason));
    if (!view.instruction_error) return;
    reported.instruction_error = view.instruction_error;
    if (reported.reason && !is_entry_failure(*reported.reason)) {
        // VMfail leaves the exit information of an earlier exit in place.
        reported.reason.reset();
        reported.qualification.reset();
        vmcs.remarks.emplace_back(
            "the exit reason shown is that of an earlier VM exit: the entry ended with a VM-instruction "
            "error");
    }
}

}  // namespace

void attach_view(Dump& vmcs, Dump&& view) {
    constexpr std::size_t most_remarks = 64;
    for (const Slot slot : vmx::slots_of(vmx::SlotKind::field)) {
        const PartialWord seen = view.state[slot];
        const PartialWord held = vmcs.state[slot];
        if (slot == Slot::exit_reason && vmcs.state.knows(slot)) continue;
        if (((seen.value ^ held.value) & seen.known & held.known) != 0 && vmcs.remarks.size() < most_remarks)
            vmcs.remarks.push_back(fmt::format(
                "{}: the registers shown next to the dump say {:#x} (of the bits {:#x}), the VMCS {:#x}",
                vmx::info(slot).name,
                seen.value,
                seen.known,
                held.value));
        const std::uint64_t added = seen.known & ~held.known;
        if (added != 0)
            vmcs.state.set(slot, PartialWord{held.value | (seen.value & added), held.known | added});
    }
    attach_report(vmcs, view.reported);
    for (std::string& remark : view.remarks)
        if (vmcs.remarks.size() < most_remarks) vmcs.remarks.push_back(std::move(remark));
    vmcs.line_first = std::min(vmcs.line_first, view.line_first);
    vmcs.line_last = std::max(vmcs.line_last, view.line_last);
}

}  // namespace hyperstep::explain
