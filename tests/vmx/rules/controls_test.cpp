#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "vmx/rules/control_dependencies.hpp"

namespace hyperstep::vmx {
namespace {

struct Row {
    std::string_view short_name;
    ControlWord word;
    std::uint8_t bit;
    Default1 default1;
};

// SDM "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control Fields".
// clang-format off
constexpr Row rows[] = {
    {"pin.external_interrupt_exiting", ControlWord::pin, 0, Default1::no},
    {"pin.nmi_exiting", ControlWord::pin, 3, Default1::no},
    {"pin.virtual_nmis", ControlWord::pin, 5, Default1::no},
    {"pin.activate_preemption_timer", ControlWord::pin, 6, Default1::no},
    {"pin.process_posted_interrupts", ControlWord::pin, 7, Default1::no},
    {"primary.interrupt_window_exiting", ControlWord::primary, 2, Default1::no},
    {"primary.use_tsc_offsetting", ControlWord::primary, 3, Default1::no},
    {"primary.hlt_exiting", ControlWord::primary, 7, Default1::no},
    {"primary.invlpg_exiting", ControlWord::primary, 9, Default1::no},
    {"primary.mwait_exiting", ControlWord::primary, 10, Default1::no},
    {"primary.rdpmc_exiting", ControlWord::primary, 11, Default1::no},
    {"primary.rdtsc_exiting", ControlWord::primary, 12, Default1::no},
    {"primary.cr3_load_exiting", ControlWord::primary, 15, Default1::clearable},
    {"primary.cr3_store_exiting", ControlWord::primary, 16, Default1::clearable},
    {"primary.activate_tertiary_controls", ControlWord::primary, 17, Default1::no},
    {"primary.cr8_load_exiting", ControlWord::primary, 19, Default1::no},
    {"primary.cr8_store_exiting", ControlWord::primary, 20, Default1::no},
    {"primary.use_tpr_shadow", ControlWord::primary, 21, Default1::no},
    {"primary.nmi_window_exiting", ControlWord::primary, 22, Default1::no},
    {"primary.mov_dr_exiting", ControlWord::primary, 23, Default1::no},
    {"primary.unconditional_io_exiting", ControlWord::primary, 24, Default1::no},
    {"primary.use_io_bitmaps", ControlWord::primary, 25, Default1::no},
    {"primary.monitor_trap_flag", ControlWord::primary, 27, Default1::no},
    {"primary.use_msr_bitmaps", ControlWord::primary, 28, Default1::no},
    {"primary.monitor_exiting", ControlWord::primary, 29, Default1::no},
    {"primary.pause_exiting", ControlWord::primary, 30, Default1::no},
    {"primary.activate_secondary_controls", ControlWord::primary, 31, Default1::no},
    {"secondary.virtualize_apic_accesses", ControlWord::secondary, 0, Default1::no},
    {"secondary.enable_ept", ControlWord::secondary, 1, Default1::no},
    {"secondary.descriptor_table_exiting", ControlWord::secondary, 2, Default1::no},
    {"secondary.enable_rdtscp", ControlWord::secondary, 3, Default1::no},
    {"secondary.virtualize_x2apic_mode", ControlWord::secondary, 4, Default1::no},
    {"secondary.enable_vpid", ControlWord::secondary, 5, Default1::no},
    {"secondary.wbinvd_exiting", ControlWord::secondary, 6, Default1::no},
    {"secondary.unrestricted_guest", ControlWord::secondary, 7, Default1::no},
    {"secondary.apic_register_virtualization", ControlWord::secondary, 8, Default1::no},
    {"secondary.virtual_interrupt_delivery", ControlWord::secondary, 9, Default1::no},
    {"secondary.pause_loop_exiting", ControlWord::secondary, 10, Default1::no},
    {"secondary.rdrand_exiting", ControlWord::secondary, 11, Default1::no},
    {"secondary.enable_invpcid", ControlWord::secondary, 12, Default1::no},
    {"secondary.enable_vm_functions", ControlWord::secondary, 13, Default1::no},
    {"secondary.vmcs_shadowing", ControlWord::secondary, 14, Default1::no},
    {"secondary.encls_exiting", ControlWord::secondary, 15, Default1::no},
    {"secondary.rdseed_exiting", ControlWord::secondary, 16, Default1::no},
    {"secondary.enable_pml", ControlWord::secondary, 17, Default1::no},
    {"secondary.ept_violation_ve", ControlWord::secondary, 18, Default1::no},
    {"secondary.conceal_vmx_from_pt", ControlWord::secondary, 19, Default1::no},
    {"secondary.enable_xsaves", ControlWord::secondary, 20, Default1::no},
    {"secondary.pasid_translation", ControlWord::secondary, 21, Default1::no},
    {"secondary.mode_based_execute", ControlWord::secondary, 22, Default1::no},
    {"secondary.sub_page_write_permissions", ControlWord::secondary, 23, Default1::no},
    {"secondary.pt_uses_gpa", ControlWord::secondary, 24, Default1::no},
    {"secondary.use_tsc_scaling", ControlWord::secondary, 25, Default1::no},
    {"secondary.enable_user_wait_pause", ControlWord::secondary, 26, Default1::no},
    {"secondary.enable_pconfig", ControlWord::secondary, 27, Default1::no},
    {"secondary.enclv_exiting", ControlWord::secondary, 28, Default1::no},
    {"secondary.bus_lock_detection", ControlWord::secondary, 30, Default1::no},
    {"secondary.instruction_timeout", ControlWord::secondary, 31, Default1::no},
    {"tertiary.loadiwkey_exiting", ControlWord::tertiary, 0, Default1::no},
    {"tertiary.enable_hlat", ControlWord::tertiary, 1, Default1::no},
    {"tertiary.ept_paging_write", ControlWord::tertiary, 2, Default1::no},
    {"tertiary.guest_paging_verification", ControlWord::tertiary, 3, Default1::no},
    {"tertiary.ipi_virtualization", ControlWord::tertiary, 4, Default1::no},
    {"tertiary.seam_gpaw", ControlWord::tertiary, 5, Default1::no},
    {"tertiary.enable_msr_list", ControlWord::tertiary, 6, Default1::no},
    {"tertiary.virtualize_spec_ctrl", ControlWord::tertiary, 7, Default1::no},
    {"tertiary.guest_apic_timer", ControlWord::tertiary, 8, Default1::no},
    {"exit.save_debug_controls", ControlWord::exit, 2, Default1::clearable},
    {"exit.host_address_space_size", ControlWord::exit, 9, Default1::no},
    {"exit.load_perf_global_ctrl", ControlWord::exit, 12, Default1::no},
    {"exit.ack_interrupt_on_exit", ControlWord::exit, 15, Default1::no},
    {"exit.save_pat", ControlWord::exit, 18, Default1::no},
    {"exit.load_pat", ControlWord::exit, 19, Default1::no},
    {"exit.save_efer", ControlWord::exit, 20, Default1::no},
    {"exit.load_efer", ControlWord::exit, 21, Default1::no},
    {"exit.save_preemption_timer", ControlWord::exit, 22, Default1::no},
    {"exit.clear_bndcfgs", ControlWord::exit, 23, Default1::no},
    {"exit.conceal_vmx_from_pt", ControlWord::exit, 24, Default1::no},
    {"exit.clear_rtit_ctl", ControlWord::exit, 25, Default1::no},
    {"exit.clear_lbr_ctl", ControlWord::exit, 26, Default1::no},
    {"exit.clear_uinv", ControlWord::exit, 27, Default1::no},
    {"exit.load_cet", ControlWord::exit, 28, Default1::no},
    {"exit.load_pkrs", ControlWord::exit, 29, Default1::no},
    {"exit.save_perf_global_ctrl", ControlWord::exit, 30, Default1::no},
    {"exit.activate_secondary_controls", ControlWord::exit, 31, Default1::no},
    {"exit2.save_guest_fred", ControlWord::exit2, 0, Default1::no},
    {"exit2.load_host_fred", ControlWord::exit2, 1, Default1::no},
    {"exit2.load_host_spec_ctrl", ControlWord::exit2, 2, Default1::no},
    {"exit2.prematurely_busy_shadow_stack", ControlWord::exit2, 3, Default1::no},
    {"entry.load_debug_controls", ControlWord::entry, 2, Default1::clearable},
    {"entry.ia32e_mode_guest", ControlWord::entry, 9, Default1::no},
    {"entry.entry_to_smm", ControlWord::entry, 10, Default1::no},
    {"entry.deactivate_dual_monitor", ControlWord::entry, 11, Default1::no},
    {"entry.load_perf_global_ctrl", ControlWord::entry, 13, Default1::no},
    {"entry.load_pat", ControlWord::entry, 14, Default1::no},
    {"entry.load_efer", ControlWord::entry, 15, Default1::no},
    {"entry.load_bndcfgs", ControlWord::entry, 16, Default1::no},
    {"entry.conceal_vmx_from_pt", ControlWord::entry, 17, Default1::no},
    {"entry.load_rtit_ctl", ControlWord::entry, 18, Default1::no},
    {"entry.load_uinv", ControlWord::entry, 19, Default1::no},
    {"entry.load_cet", ControlWord::entry, 20, Default1::no},
    {"entry.load_lbr_ctl", ControlWord::entry, 21, Default1::no},
    {"entry.load_pkrs", ControlWord::entry, 22, Default1::no},
    {"entry.load_fred", ControlWord::entry, 23, Default1::no},
    {"entry.load_spec_ctrl", ControlWord::entry, 24, Default1::no},
};
// clang-format on

TEST(Controls, HaveTheManualsBits) {
    for (const Row& row : rows) {
        const auto control = control_named(row.short_name);
        ASSERT_TRUE(control) << row.short_name;
        EXPECT_EQ(control->word, row.word) << row.short_name;
        EXPECT_EQ(control->bit, row.bit) << row.short_name;
        EXPECT_EQ(find(*control)->default1, row.default1) << row.short_name;
    }
}

struct Word {
    ControlWord word;
    Field field;
    std::uint64_t reserved_1;  ///< default-1 bits without a name
};

// SDM "Reserved Controls and Default Settings" and the lists of default-1 bits: pin 1, 2, 4; primary 1, 4-6,
// 8, 13-16, 26; exit 0-8, 10, 11, 13, 14, 16, 17; entry 0-8, 12. Primary 15 and 16, exit 2 and entry 2 have
// names.
constexpr Word words[] = {
    {ControlWord::pin, Field::pin_controls, 0x16},
    {ControlWord::primary, Field::primary_controls, 0x0400'6172},
    {ControlWord::secondary, Field::secondary_controls, 0},
    {ControlWord::tertiary, Field::tertiary_controls, 0},
    {ControlWord::exit, Field::exit_controls, 0x3'6dfb},
    {ControlWord::exit2, Field::exit_controls2, 0},
    {ControlWord::entry, Field::entry_controls, 0x11fb},
};

TEST(Controls, AreNamedOrReserved) {
    std::size_t reserved = 0;
    for (const Word& word : words) {
        EXPECT_EQ(field_of(word.word), word.field);
        std::uint64_t found = 0;
        for (const ControlInfo& row : all_controls())
            if (row.control.word == word.word && row.default1 == Default1::yes) {
                found |= row.control.mask();
                ++reserved;
            }
        EXPECT_EQ(found, word.reserved_1) << to_string(word.word);
    }
    EXPECT_EQ(all_controls().size(), std::size(rows) + reserved);
    EXPECT_EQ(find(Control{ControlWord::primary, 18}), nullptr);
    EXPECT_EQ(find(Control{ControlWord::secondary, 29}), nullptr);
    EXPECT_FALSE(control_named("secondary.no_such_control"));
}

TEST(ControlDependencies, AreBetweenNamedControlsOnce) {
    std::set<std::string_view> checks;
    for (const ControlDependency& d : all_control_dependencies()) {
        ASSERT_NE(find(d.control), nullptr);
        ASSERT_NE(find(d.other), nullptr);
        EXPECT_TRUE(checks.insert(d.check).second) << d.check;
    }
    EXPECT_EQ(dependencies_of(secondary::virtualize_x2apic_mode),
              "requires primary.use_tpr_shadow, excludes secondary.virtualize_apic_accesses");
    EXPECT_EQ(dependencies_of(primary::hlt_exiting), "");
}

}  // namespace
}  // namespace hyperstep::vmx
