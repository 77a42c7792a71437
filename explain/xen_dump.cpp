#include <array>

#include "explain/vmcs_lines.hpp"
#include "vmx/rules/controls.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Control;
using vmx::Slot;

/// A field that some processors lack, and the controls that show that this one has it.
struct OptionalField {
    Slot slot;
    Control first;
    Control second;
};

constexpr std::array optional_fields{
    OptionalField{Slot::guest_pat, vmx::entry::load_pat, vmx::exit::save_pat},
    OptionalField{Slot::guest_efer, vmx::entry::load_efer, vmx::exit::save_efer},
    OptionalField{
        Slot::guest_perf_global_ctrl, vmx::entry::load_perf_global_ctrl, vmx::entry::load_perf_global_ctrl},
    OptionalField{Slot::guest_bndcfgs, vmx::entry::load_bndcfgs, vmx::exit::clear_bndcfgs},
    OptionalField{Slot::guest_s_cet, vmx::entry::load_cet, vmx::entry::load_cet},
    OptionalField{Slot::guest_ssp, vmx::entry::load_cet, vmx::entry::load_cet},
    OptionalField{Slot::guest_intr_ssp_table, vmx::entry::load_cet, vmx::entry::load_cet},
    OptionalField{Slot::guest_interrupt_status,
                  vmx::secondary::virtual_interrupt_delivery,
                  vmx::secondary::virtual_interrupt_delivery},
    OptionalField{Slot::preemption_timer_value,
                  vmx::pin::activate_preemption_timer,
                  vmx::pin::activate_preemption_timer},
    OptionalField{Slot::host_pat, vmx::exit::load_pat, vmx::exit::load_pat},
    OptionalField{Slot::host_efer, vmx::exit::load_efer, vmx::exit::load_efer},
    OptionalField{
        Slot::host_perf_global_ctrl, vmx::exit::load_perf_global_ctrl, vmx::exit::load_perf_global_ctrl},
    OptionalField{Slot::host_s_cet, vmx::exit::load_cet, vmx::exit::load_cet},
    OptionalField{Slot::host_ssp, vmx::exit::load_cet, vmx::exit::load_cet},
    OptionalField{Slot::host_intr_ssp_table, vmx::exit::load_cet, vmx::exit::load_cet},
    OptionalField{Slot::secondary_controls,
                  vmx::primary::activate_secondary_controls,
                  vmx::primary::activate_secondary_controls},
    OptionalField{Slot::tertiary_controls,
                  vmx::primary::activate_tertiary_controls,
                  vmx::primary::activate_tertiary_controls},
    OptionalField{Slot::tsc_multiplier, vmx::secondary::use_tsc_scaling, vmx::secondary::use_tsc_scaling},
    OptionalField{Slot::tpr_threshold, vmx::primary::use_tpr_shadow, vmx::primary::use_tpr_shadow},
    OptionalField{
        Slot::posted_int_nv, vmx::pin::process_posted_interrupts, vmx::pin::process_posted_interrupts},
    OptionalField{Slot::virtual_apic_addr, vmx::primary::use_tpr_shadow, vmx::primary::use_tpr_shadow},
    OptionalField{Slot::apic_access_addr,
                  vmx::secondary::virtualize_apic_accesses,
                  vmx::secondary::virtualize_apic_accesses},
    OptionalField{Slot::eptp, vmx::secondary::enable_ept, vmx::secondary::enable_ept},
    OptionalField{Slot::eptp_index, vmx::secondary::ept_violation_ve, vmx::secondary::ept_violation_ve},
    OptionalField{Slot::ple_gap, vmx::secondary::pause_loop_exiting, vmx::secondary::pause_loop_exiting},
    OptionalField{Slot::ple_window, vmx::secondary::pause_loop_exiting, vmx::secondary::pause_loop_exiting},
    OptionalField{Slot::vpid, vmx::secondary::enable_vpid, vmx::secondary::enable_vpid},
    OptionalField{
        Slot::vmfunc_controls, vmx::secondary::enable_vm_functions, vmx::secondary::enable_vm_functions},
    OptionalField{Slot::guest_pdpte0, vmx::secondary::enable_ept, vmx::secondary::enable_ept},
    OptionalField{Slot::guest_pdpte1, vmx::secondary::enable_ept, vmx::secondary::enable_ept},
    OptionalField{Slot::guest_pdpte2, vmx::secondary::enable_ept, vmx::secondary::enable_ept},
    OptionalField{Slot::guest_pdpte3, vmx::secondary::enable_ept, vmx::secondary::enable_ept},
    OptionalField{Slot::cr3_target0, vmx::primary::cr3_load_exiting, vmx::primary::cr3_load_exiting},
};

bool is_set(const vmx::State& state, Control control) {
    const vmx::PartialWord word = state[vmx::slot_of(control.word)];
    return (word.value & word.known & control.mask()) != 0;
}

}  // namespace

void finish_xen(Draft& draft) {
    // Xen prints 0 for a field that it cannot read.
    vmx::State& state = draft.dump.state;
    for (const OptionalField& field : optional_fields)
        if (state.knows(field.slot) && state[field.slot].value == 0 && !is_set(state, field.first) &&
            !is_set(state, field.second))
            state.forget(field.slot);
}

bool read_xen_banner(std::string_view text, Reported& reported) {
    const std::size_t start = text.find("vmentry failure (reason ");
    if (start == std::string_view::npos) return false;
    std::string_view rest = text.substr(start + std::string_view{"vmentry failure (reason "}.size());
    const std::optional<Number> reason = take_hex(rest);
    if (!reason || reason->value > 0xffff'ffff || !take_start(rest, "):")) return false;
    reported.reason = static_cast<std::uint32_t>(reason->value);
    reported.entry_failed = true;
    rest = trim(rest);
    reported.message = std::string{rest.substr(0, 256)};
    const std::size_t entry = rest.find("(entry ");
    const std::size_t open = entry == std::string_view::npos ? rest.find_last_of('(') : entry + 6;
    const std::size_t close = open == std::string_view::npos ? open : rest.find(')', open);
    if (close != std::string_view::npos)
        if (const auto qualification = whole_decimal(rest.substr(open + 1, close - open - 1)))
            reported.qualification = *qualification;
    return true;
}

std::optional<std::uint32_t> xen_entry_error(std::string_view text) {
    if (text.starts_with('d') && text.size() > 1 && is_digit(text[1])) take_word(text);  // d2v0
    text = trim(text);
    if (!take_start(text, "VMLAUNCH error: 0x") && !take_start(text, "VMRESUME error: 0x"))
        return std::nullopt;
    const std::optional<Number> number = whole_hex(text);
    if (!number || number->too_wide || number->value > 0xffff'ffff) return std::nullopt;
    return static_cast<std::uint32_t>(number->value);
}

}  // namespace hyperstep::explain
