#include "explain/segment_slots.hpp"
#include "explain/vmcs_lines.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

/// Every line of the guest's part has arrived, so that a list that is not there was not printed.
bool guest_part_is_whole(const VmcsLines& lines, const Draft& draft) {
    if (!lines.host_header) return false;
    for (const SegmentSlots& segment : guest_segments())
        if (!draft.shows(segment.base)) return false;
    for (const Slot slot : {Slot::guest_cr0,
                            Slot::guest_cr3,
                            Slot::guest_cr4,
                            Slot::guest_rsp,
                            Slot::guest_rip,
                            Slot::guest_rflags,
                            Slot::guest_sysenter_esp,
                            Slot::guest_debugctl,
                            Slot::guest_interruptibility})
        if (!draft.shows(slot)) return false;
    return true;
}

}  // namespace

void finish_kvm(const VmcsLines& lines, Draft& draft) {
    vmx::State& state = draft.dump.state;
    const bool whole = guest_part_is_whole(lines, draft);
    // Kernels since 5.13 print the VM-entry MSR-load list, if it is not empty.
    if (lines.guest_autoload && whole && !lines.broken_list && !state.msr_load.empty()) {
        draft.show(Slot::entry_msr_load_count, vmx::PartialWord{state.msr_load.size()});
        state.msr_load_complete = true;
    } else if (!lines.any_msr_line && lines.efer_on_its_own && whole) {
        draft.show(Slot::entry_msr_load_count, vmx::PartialWord{0});
        state.msr_load_complete = true;
    }
    if (lines.broken_list) {
        state.msr_load.clear();
        draft.remark("the list of MSRs to load is not whole; taken as unknown");
    }
}

}  // namespace hyperstep::explain
