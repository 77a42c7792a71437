#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "explain/draft.hpp"
#include "explain/segment_slots.hpp"

namespace hyperstep::explain {

/// A segment or table register as the guest believes it to be.
struct SegmentView {
    std::optional<vmx::PartialWord> selector, base, limit;
    /// Access rights in the VMCS's layout, as far as they are shown; bit 16 is left to `unusable`.
    vmx::PartialWord rights = vmx::PartialWord::nothing_known();
    std::optional<bool> unusable;
};

/// What QEMU's register dump and KVM_GET_SREGS show: the guest's belief, not the VMCS.
struct GuestView {
    std::array<SegmentView, 10> segments;  ///< in the order of guest_segments()
    std::optional<std::uint64_t> cr0, cr4, efer, rflags;
    std::optional<vmx::PartialWord> rip, rsp;
};

/// What to think of the mode when CR0 is not shown.
enum class SilentMode : std::uint8_t { unknown, assume_protected };

/// Tells the draft what the VMCS surely held when KVM entered such a guest. Without unrestricted guest KVM
/// runs real mode as virtual-8086 with segments of its own, so nothing is told of segments unless the guest
/// is in protected mode.
void show_guest_view(const GuestView& view, SilentMode silent, Draft& draft);

/// The report is of AMD's SVM; `why` begins the remark that says so.
void report_svm(std::string_view why, Draft& draft);

/// The number that KVM gives for a failed entry: a whole exit reason, or a VM-instruction error.
void report_failure_number(std::uint64_t number, Draft& draft);

/// Adds what a guest's view shows to the VMCS dump that it stands next to: fills what the dump does not show,
/// remarks on contradictions. The VMCS wins.
void attach_view(Dump& vmcs, Dump&& view);

}  // namespace hyperstep::explain
