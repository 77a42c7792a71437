#include <initializer_list>
#include <string_view>
#include <vector>

#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

namespace {

/// The rules on an MSR area, and the fields that it is made of.
struct MsrArea {
    std::string_view aligned;
    std::string_view width;
    std::string_view last_byte_width;
    Slot address;
    std::vector<Change> one;  ///< an area of one entry
    std::vector<Change> two;  ///< an area of two entries
};

/// An entry has 16 bytes. An area that begins beyond the width ends there, too.
std::vector<Boundary> msr_area(const MsrArea& area) {
    const Slot address = area.address;
    const Change narrow = set_bits(vmx_basic, 0x1'0000'0000'0000);
    const auto with = [](std::vector<Change> changes, std::initializer_list<Change> more) {
        changes.insert(changes.end(), more);
        return changes;
    };
    const auto one = [&](std::initializer_list<Change> more) { return with(area.one, more); };
    const auto two = [&](std::initializer_list<Change> more) { return with(area.two, more); };
    return {
        {area.aligned, long_mode, one({assign(address, 0x30'7008)}), one({assign(address, 0x30'7010)}), {}},
        {area.aligned, long_mode, one({assign(address, 0x30'7001)}), {assign(address, 0x30'7001)}, {}},
        {area.width,
         long_mode,
         one({assign(address, 0x4000'0000'0000)}),
         one({assign(address, 0x3fff'ffff'fff0)}),
         {area.last_byte_width}},
        {area.width,
         long_mode,
         one({assign(address, 0x8000'0000'0000'0000)}),
         {assign(address, 0x8000'0000'0000'0000)},
         {area.last_byte_width}},
        {area.width,
         long_mode,
         one({narrow, assign(address, 0x1'0000'0000)}),
         one({narrow, assign(address, 0xffff'fff0)}),
         {area.last_byte_width}},
        {area.last_byte_width,
         long_mode,
         two({assign(address, 0x3fff'ffff'fff0)}),
         one({assign(address, 0x3fff'ffff'fff0)}),
         {}},
        {area.last_byte_width,
         long_mode,
         two({assign(address, 0x3fff'ffff'fff0)}),
         two({assign(address, 0x3fff'ffff'ffe0)}),
         {}},
        {area.last_byte_width,
         long_mode,
         two({narrow, assign(address, 0xffff'fff0)}),
         two({narrow, assign(address, 0xffff'ffe0)}),
         {}},
    };
}

std::vector<Boundary> words_of_controls() {
    return {
        // Save debug controls (bit 2) may be 0 where IA32_VMX_BASIC[55] is 1; bit 0 never.
        {"ctl.exit.must_be_1",
         long_mode,
         {clear_bits(exit_controls, 0x1)},
         {clear_bits(exit_controls, 0x4)},
         {}},
        {"ctl.exit.must_be_1",
         long_mode,
         {clear_bits(exit_controls, 0x4), clear_bits(vmx_basic, 0x80'0000'0000'0000)},
         {clear_bits(exit_controls, 0x4)},
         {}},
        // `all` allows every bit of the VM-exit controls: the processor here lacks saving of
        // IA32_PERF_GLOBAL_CTRL (bit 30).
        {"ctl.exit.reserved",
         long_mode,
         {turn_on(exit::save_perf_global_ctrl), clear_bits(vmx_true_exit_ctls, 0x4000'0000'0000'0000)},
         {turn_on(exit::save_perf_global_ctrl), clear_bits(vmx_exit_ctls, 0x4000'0000'0000'0000)},
         {}},
        {"ctl.exit.reserved",
         long_mode,
         {turn_on(exit::save_perf_global_ctrl),
          clear_bits(vmx_basic, 0x80'0000'0000'0000),
          clear_bits(vmx_exit_ctls, 0x4000'0000'0000'0000)},
         {turn_on(exit::save_perf_global_ctrl),
          clear_bits(vmx_basic, 0x80'0000'0000'0000),
          clear_bits(vmx_true_exit_ctls, 0x4000'0000'0000'0000)},
         {}},
        {"ctl.exit2.reserved",
         long_mode,
         {turn_on(exit::activate_secondary_controls), assign(exit_controls2, 0x10)},
         {turn_on(exit::activate_secondary_controls), assign(exit_controls2, 0x1)},
         {}},
        {"ctl.exit2.reserved",
         long_mode,
         {turn_on(exit::activate_secondary_controls), assign(exit_controls2, 0x8000'0000'0000'0000)},
         {assign(exit_controls2, 0x8000'0000'0000'0000)},
         {}},
        {"ctl.exit2.reserved",
         long_mode,
         {turn_on(exit::activate_secondary_controls),
          assign(exit_controls2, 0x1),
          assign(vmx_exit_ctls2, 0xe)},
         {turn_on(exit::activate_secondary_controls), assign(exit_controls2, 0x1)},
         {}},
        {"ctl.exit.save_timer_needs_timer",
         long_mode,
         {turn_on(exit::save_preemption_timer)},
         {turn_on(exit::save_preemption_timer), turn_on(pin::activate_preemption_timer)},
         {}},
        // Load debug controls (bit 2) may be 0 where IA32_VMX_BASIC[55] is 1; bit 0 never.
        {"ctl.entry.must_be_1",
         long_mode,
         {clear_bits(entry_controls, 0x1)},
         {clear_bits(entry_controls, 0x4)},
         {}},
        {"ctl.entry.must_be_1",
         long_mode,
         {clear_bits(entry_controls, 0x1000)},
         {clear_bits(entry_controls, 0x4)},
         {}},
        {"ctl.entry.must_be_1",
         long_mode,
         {clear_bits(entry_controls, 0x4), clear_bits(vmx_basic, 0x80'0000'0000'0000)},
         {clear_bits(entry_controls, 0x4)},
         {}},
        {"ctl.entry.must_be_1",
         long_mode,
         {clear_bits(vmx_basic, 0x80'0000'0000'0000), set_bits(vmx_entry_ctls, 0x2'0000)},
         {clear_bits(vmx_basic, 0x80'0000'0000'0000), set_bits(vmx_true_entry_ctls, 0x2'0000)},
         {}},
        // Bit 25 is the lowest without a definition; conceal VMX from PT is bit 17.
        {"ctl.entry.reserved",
         long_mode,
         {set_bits(entry_controls, 0x200'0000)},
         {set_bits(entry_controls, 0x2'0000)},
         {}},
        {"ctl.entry.reserved",
         long_mode,
         {turn_on(entry::conceal_vmx_from_pt), clear_bits(vmx_true_entry_ctls, 0x2'0000'0000'0000)},
         {turn_on(entry::conceal_vmx_from_pt), clear_bits(vmx_entry_ctls, 0x2'0000'0000'0000)},
         {}},
        {"ctl.entry.reserved",
         long_mode,
         {turn_on(entry::conceal_vmx_from_pt),
          clear_bits(vmx_basic, 0x80'0000'0000'0000),
          clear_bits(vmx_entry_ctls, 0x2'0000'0000'0000)},
         {turn_on(entry::conceal_vmx_from_pt),
          clear_bits(vmx_basic, 0x80'0000'0000'0000),
          clear_bits(vmx_true_entry_ctls, 0x2'0000'0000'0000)},
         {}},
        {"ctl.entry.rtit_traceen",
         long_mode,
         {turn_on(entry::load_rtit_ctl), assign(cur_rtit_ctl, 0x1)},
         {turn_on(entry::load_rtit_ctl), assign(cur_rtit_ctl, 0x2)},
         {}},
        {"ctl.entry.rtit_traceen",
         long_mode,
         {turn_on(entry::load_rtit_ctl), assign(cur_rtit_ctl, 0x1)},
         {assign(cur_rtit_ctl, 0x1)},
         {}},
    };
}

}  // namespace

std::vector<Boundary> exit_entry_control_boundaries() {
    const Change kernel_gs_base = msr_entry(0xc000'0102, 0x1000);
    std::vector<Boundary> all = words_of_controls();
    for (const MsrArea& area : {MsrArea{"ctl.exit_msr_store.aligned",
                                        "ctl.exit_msr_store.width",
                                        "ctl.exit_msr_store.last_byte_width",
                                        exit_msr_store_addr,
                                        {assign(exit_msr_store_count, 1)},
                                        {assign(exit_msr_store_count, 2)}},
                                MsrArea{"ctl.exit_msr_load.aligned",
                                        "ctl.exit_msr_load.width",
                                        "ctl.exit_msr_load.last_byte_width",
                                        exit_msr_load_addr,
                                        {assign(exit_msr_load_count, 1)},
                                        {assign(exit_msr_load_count, 2)}},
                                MsrArea{"ctl.entry_msr_load.aligned",
                                        "ctl.entry_msr_load.width",
                                        "ctl.entry_msr_load.last_byte_width",
                                        entry_msr_load_addr,
                                        {kernel_gs_base},
                                        {kernel_gs_base, kernel_gs_base}}}) {
        const std::vector<Boundary> more = msr_area(area);
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

}  // namespace hyperstep::vmx
