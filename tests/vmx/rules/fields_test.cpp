#include <algorithm>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/vmcs.hpp"

namespace hyperstep::vmx {
namespace {

struct Row {
    std::uint32_t encoding;
    std::string_view short_name;
    FieldType type;
    FieldWidth width;
};

// SDM "Field Encoding in VMCS", every field as the manual's tables give it.
// clang-format off
constexpr Row rows[] = {
    {0x0000, "vpid", FieldType::control, FieldWidth::w16},
    {0x0002, "posted_int_nv", FieldType::control, FieldWidth::w16},
    {0x0004, "eptp_index", FieldType::control, FieldWidth::w16},
    {0x0006, "hlat_prefix_size", FieldType::control, FieldWidth::w16},
    {0x0008, "last_pid_ptr_index", FieldType::control, FieldWidth::w16},
    {0x000a, "virtual_timer_vector", FieldType::control, FieldWidth::w16},
    {0x0800, "guest_es_sel", FieldType::guest, FieldWidth::w16},
    {0x0802, "guest_cs_sel", FieldType::guest, FieldWidth::w16},
    {0x0804, "guest_ss_sel", FieldType::guest, FieldWidth::w16},
    {0x0806, "guest_ds_sel", FieldType::guest, FieldWidth::w16},
    {0x0808, "guest_fs_sel", FieldType::guest, FieldWidth::w16},
    {0x080a, "guest_gs_sel", FieldType::guest, FieldWidth::w16},
    {0x080c, "guest_ldtr_sel", FieldType::guest, FieldWidth::w16},
    {0x080e, "guest_tr_sel", FieldType::guest, FieldWidth::w16},
    {0x0810, "guest_interrupt_status", FieldType::guest, FieldWidth::w16},
    {0x0812, "pml_index", FieldType::guest, FieldWidth::w16},
    {0x0814, "guest_uinv", FieldType::guest, FieldWidth::w16},
    {0x0c00, "host_es_sel", FieldType::host, FieldWidth::w16},
    {0x0c02, "host_cs_sel", FieldType::host, FieldWidth::w16},
    {0x0c04, "host_ss_sel", FieldType::host, FieldWidth::w16},
    {0x0c06, "host_ds_sel", FieldType::host, FieldWidth::w16},
    {0x0c08, "host_fs_sel", FieldType::host, FieldWidth::w16},
    {0x0c0a, "host_gs_sel", FieldType::host, FieldWidth::w16},
    {0x0c0c, "host_tr_sel", FieldType::host, FieldWidth::w16},
    {0x2000, "io_bitmap_a", FieldType::control, FieldWidth::w64},
    {0x2002, "io_bitmap_b", FieldType::control, FieldWidth::w64},
    {0x2004, "msr_bitmap", FieldType::control, FieldWidth::w64},
    {0x2006, "exit_msr_store_addr", FieldType::control, FieldWidth::w64},
    {0x2008, "exit_msr_load_addr", FieldType::control, FieldWidth::w64},
    {0x200a, "entry_msr_load_addr", FieldType::control, FieldWidth::w64},
    {0x200c, "executive_vmcs_ptr", FieldType::control, FieldWidth::w64},
    {0x200e, "pml_addr", FieldType::control, FieldWidth::w64},
    {0x2010, "tsc_offset", FieldType::control, FieldWidth::w64},
    {0x2012, "virtual_apic_addr", FieldType::control, FieldWidth::w64},
    {0x2014, "apic_access_addr", FieldType::control, FieldWidth::w64},
    {0x2016, "posted_int_desc_addr", FieldType::control, FieldWidth::w64},
    {0x2018, "vmfunc_controls", FieldType::control, FieldWidth::w64},
    {0x201a, "eptp", FieldType::control, FieldWidth::w64},
    {0x201c, "eoi_exit_bitmap0", FieldType::control, FieldWidth::w64},
    {0x201e, "eoi_exit_bitmap1", FieldType::control, FieldWidth::w64},
    {0x2020, "eoi_exit_bitmap2", FieldType::control, FieldWidth::w64},
    {0x2022, "eoi_exit_bitmap3", FieldType::control, FieldWidth::w64},
    {0x2024, "eptp_list_addr", FieldType::control, FieldWidth::w64},
    {0x2026, "vmread_bitmap", FieldType::control, FieldWidth::w64},
    {0x2028, "vmwrite_bitmap", FieldType::control, FieldWidth::w64},
    {0x202a, "ve_info_addr", FieldType::control, FieldWidth::w64},
    {0x202c, "xss_exit_bitmap", FieldType::control, FieldWidth::w64},
    {0x202e, "encls_exit_bitmap", FieldType::control, FieldWidth::w64},
    {0x2030, "spptp", FieldType::control, FieldWidth::w64},
    {0x2032, "tsc_multiplier", FieldType::control, FieldWidth::w64},
    {0x2034, "tertiary_controls", FieldType::control, FieldWidth::w64},
    {0x2036, "enclv_exit_bitmap", FieldType::control, FieldWidth::w64},
    {0x2038, "low_pasid_dir_addr", FieldType::control, FieldWidth::w64},
    {0x203a, "high_pasid_dir_addr", FieldType::control, FieldWidth::w64},
    {0x203c, "shared_eptp", FieldType::control, FieldWidth::w64},
    {0x203e, "pconfig_exit_bitmap", FieldType::control, FieldWidth::w64},
    {0x2040, "hlatp", FieldType::control, FieldWidth::w64},
    {0x2042, "pid_ptr_table_addr", FieldType::control, FieldWidth::w64},
    {0x2044, "exit_controls2", FieldType::control, FieldWidth::w64},
    {0x204a, "spec_ctrl_mask", FieldType::control, FieldWidth::w64},
    {0x204c, "spec_ctrl_shadow", FieldType::control, FieldWidth::w64},
    {0x204e, "guest_deadline_shadow", FieldType::control, FieldWidth::w64},
    {0x2052, "injected_event_data", FieldType::control, FieldWidth::w64},
    {0x2400, "guest_physical_address", FieldType::exit, FieldWidth::w64},
    {0x2402, "exit_msr_data", FieldType::exit, FieldWidth::w64},
    {0x2404, "original_event_data", FieldType::exit, FieldWidth::w64},
    {0x2800, "vmcs_link_pointer", FieldType::guest, FieldWidth::w64},
    {0x2802, "guest_debugctl", FieldType::guest, FieldWidth::w64},
    {0x2804, "guest_pat", FieldType::guest, FieldWidth::w64},
    {0x2806, "guest_efer", FieldType::guest, FieldWidth::w64},
    {0x2808, "guest_perf_global_ctrl", FieldType::guest, FieldWidth::w64},
    {0x280a, "guest_pdpte0", FieldType::guest, FieldWidth::w64},
    {0x280c, "guest_pdpte1", FieldType::guest, FieldWidth::w64},
    {0x280e, "guest_pdpte2", FieldType::guest, FieldWidth::w64},
    {0x2810, "guest_pdpte3", FieldType::guest, FieldWidth::w64},
    {0x2812, "guest_bndcfgs", FieldType::guest, FieldWidth::w64},
    {0x2814, "guest_rtit_ctl", FieldType::guest, FieldWidth::w64},
    {0x2816, "guest_lbr_ctl", FieldType::guest, FieldWidth::w64},
    {0x2818, "guest_pkrs", FieldType::guest, FieldWidth::w64},
    {0x281a, "guest_fred_config", FieldType::guest, FieldWidth::w64},
    {0x281c, "guest_fred_rsp1", FieldType::guest, FieldWidth::w64},
    {0x281e, "guest_fred_rsp2", FieldType::guest, FieldWidth::w64},
    {0x2820, "guest_fred_rsp3", FieldType::guest, FieldWidth::w64},
    {0x2822, "guest_fred_stklvls", FieldType::guest, FieldWidth::w64},
    {0x2824, "guest_fred_ssp1", FieldType::guest, FieldWidth::w64},
    {0x2826, "guest_fred_ssp2", FieldType::guest, FieldWidth::w64},
    {0x2828, "guest_fred_ssp3", FieldType::guest, FieldWidth::w64},
    {0x282e, "guest_spec_ctrl", FieldType::guest, FieldWidth::w64},
    {0x2830, "guest_deadline", FieldType::guest, FieldWidth::w64},
    {0x2c00, "host_pat", FieldType::host, FieldWidth::w64},
    {0x2c02, "host_efer", FieldType::host, FieldWidth::w64},
    {0x2c04, "host_perf_global_ctrl", FieldType::host, FieldWidth::w64},
    {0x2c06, "host_pkrs", FieldType::host, FieldWidth::w64},
    {0x2c08, "host_fred_config", FieldType::host, FieldWidth::w64},
    {0x2c0a, "host_fred_rsp1", FieldType::host, FieldWidth::w64},
    {0x2c0c, "host_fred_rsp2", FieldType::host, FieldWidth::w64},
    {0x2c0e, "host_fred_rsp3", FieldType::host, FieldWidth::w64},
    {0x2c10, "host_fred_stklvls", FieldType::host, FieldWidth::w64},
    {0x2c12, "host_fred_ssp1", FieldType::host, FieldWidth::w64},
    {0x2c14, "host_fred_ssp2", FieldType::host, FieldWidth::w64},
    {0x2c16, "host_fred_ssp3", FieldType::host, FieldWidth::w64},
    {0x2c1a, "host_spec_ctrl", FieldType::host, FieldWidth::w64},
    {0x4000, "pin_controls", FieldType::control, FieldWidth::w32},
    {0x4002, "primary_controls", FieldType::control, FieldWidth::w32},
    {0x4004, "exception_bitmap", FieldType::control, FieldWidth::w32},
    {0x4006, "pfec_mask", FieldType::control, FieldWidth::w32},
    {0x4008, "pfec_match", FieldType::control, FieldWidth::w32},
    {0x400a, "cr3_target_count", FieldType::control, FieldWidth::w32},
    {0x400c, "exit_controls", FieldType::control, FieldWidth::w32},
    {0x400e, "exit_msr_store_count", FieldType::control, FieldWidth::w32},
    {0x4010, "exit_msr_load_count", FieldType::control, FieldWidth::w32},
    {0x4012, "entry_controls", FieldType::control, FieldWidth::w32},
    {0x4014, "entry_msr_load_count", FieldType::control, FieldWidth::w32},
    {0x4016, "entry_intr_info", FieldType::control, FieldWidth::w32},
    {0x4018, "entry_exception_error_code", FieldType::control, FieldWidth::w32},
    {0x401a, "entry_instruction_len", FieldType::control, FieldWidth::w32},
    {0x401c, "tpr_threshold", FieldType::control, FieldWidth::w32},
    {0x401e, "secondary_controls", FieldType::control, FieldWidth::w32},
    {0x4020, "ple_gap", FieldType::control, FieldWidth::w32},
    {0x4022, "ple_window", FieldType::control, FieldWidth::w32},
    {0x4024, "instruction_timeout_ctl", FieldType::control, FieldWidth::w32},
    {0x4026, "guest_hkid", FieldType::control, FieldWidth::w32},
    {0x4400, "vm_instruction_error", FieldType::exit, FieldWidth::w32},
    {0x4402, "exit_reason", FieldType::exit, FieldWidth::w32},
    {0x4404, "exit_intr_info", FieldType::exit, FieldWidth::w32},
    {0x4406, "exit_intr_error_code", FieldType::exit, FieldWidth::w32},
    {0x4408, "idt_vectoring_info", FieldType::exit, FieldWidth::w32},
    {0x440a, "idt_vectoring_error_code", FieldType::exit, FieldWidth::w32},
    {0x440c, "exit_instruction_len", FieldType::exit, FieldWidth::w32},
    {0x440e, "exit_instruction_info", FieldType::exit, FieldWidth::w32},
    {0x4800, "guest_es_limit", FieldType::guest, FieldWidth::w32},
    {0x4802, "guest_cs_limit", FieldType::guest, FieldWidth::w32},
    {0x4804, "guest_ss_limit", FieldType::guest, FieldWidth::w32},
    {0x4806, "guest_ds_limit", FieldType::guest, FieldWidth::w32},
    {0x4808, "guest_fs_limit", FieldType::guest, FieldWidth::w32},
    {0x480a, "guest_gs_limit", FieldType::guest, FieldWidth::w32},
    {0x480c, "guest_ldtr_limit", FieldType::guest, FieldWidth::w32},
    {0x480e, "guest_tr_limit", FieldType::guest, FieldWidth::w32},
    {0x4810, "guest_gdtr_limit", FieldType::guest, FieldWidth::w32},
    {0x4812, "guest_idtr_limit", FieldType::guest, FieldWidth::w32},
    {0x4814, "guest_es_ar", FieldType::guest, FieldWidth::w32},
    {0x4816, "guest_cs_ar", FieldType::guest, FieldWidth::w32},
    {0x4818, "guest_ss_ar", FieldType::guest, FieldWidth::w32},
    {0x481a, "guest_ds_ar", FieldType::guest, FieldWidth::w32},
    {0x481c, "guest_fs_ar", FieldType::guest, FieldWidth::w32},
    {0x481e, "guest_gs_ar", FieldType::guest, FieldWidth::w32},
    {0x4820, "guest_ldtr_ar", FieldType::guest, FieldWidth::w32},
    {0x4822, "guest_tr_ar", FieldType::guest, FieldWidth::w32},
    {0x4824, "guest_interruptibility", FieldType::guest, FieldWidth::w32},
    {0x4826, "guest_activity_state", FieldType::guest, FieldWidth::w32},
    {0x4828, "guest_smbase", FieldType::guest, FieldWidth::w32},
    {0x482a, "guest_sysenter_cs", FieldType::guest, FieldWidth::w32},
    {0x482e, "preemption_timer_value", FieldType::guest, FieldWidth::w32},
    {0x4c00, "host_sysenter_cs", FieldType::host, FieldWidth::w32},
    {0x6000, "cr0_mask", FieldType::control, FieldWidth::natural},
    {0x6002, "cr4_mask", FieldType::control, FieldWidth::natural},
    {0x6004, "cr0_read_shadow", FieldType::control, FieldWidth::natural},
    {0x6006, "cr4_read_shadow", FieldType::control, FieldWidth::natural},
    {0x6008, "cr3_target0", FieldType::control, FieldWidth::natural},
    {0x600a, "cr3_target1", FieldType::control, FieldWidth::natural},
    {0x600c, "cr3_target2", FieldType::control, FieldWidth::natural},
    {0x600e, "cr3_target3", FieldType::control, FieldWidth::natural},
    {0x6400, "exit_qualification", FieldType::exit, FieldWidth::natural},
    {0x6402, "io_rcx", FieldType::exit, FieldWidth::natural},
    {0x6404, "io_rsi", FieldType::exit, FieldWidth::natural},
    {0x6406, "io_rdi", FieldType::exit, FieldWidth::natural},
    {0x6408, "io_rip", FieldType::exit, FieldWidth::natural},
    {0x640a, "guest_linear_address", FieldType::exit, FieldWidth::natural},
    {0x6800, "guest_cr0", FieldType::guest, FieldWidth::natural},
    {0x6802, "guest_cr3", FieldType::guest, FieldWidth::natural},
    {0x6804, "guest_cr4", FieldType::guest, FieldWidth::natural},
    {0x6806, "guest_es_base", FieldType::guest, FieldWidth::natural},
    {0x6808, "guest_cs_base", FieldType::guest, FieldWidth::natural},
    {0x680a, "guest_ss_base", FieldType::guest, FieldWidth::natural},
    {0x680c, "guest_ds_base", FieldType::guest, FieldWidth::natural},
    {0x680e, "guest_fs_base", FieldType::guest, FieldWidth::natural},
    {0x6810, "guest_gs_base", FieldType::guest, FieldWidth::natural},
    {0x6812, "guest_ldtr_base", FieldType::guest, FieldWidth::natural},
    {0x6814, "guest_tr_base", FieldType::guest, FieldWidth::natural},
    {0x6816, "guest_gdtr_base", FieldType::guest, FieldWidth::natural},
    {0x6818, "guest_idtr_base", FieldType::guest, FieldWidth::natural},
    {0x681a, "guest_dr7", FieldType::guest, FieldWidth::natural},
    {0x681c, "guest_rsp", FieldType::guest, FieldWidth::natural},
    {0x681e, "guest_rip", FieldType::guest, FieldWidth::natural},
    {0x6820, "guest_rflags", FieldType::guest, FieldWidth::natural},
    {0x6822, "guest_pending_dbg", FieldType::guest, FieldWidth::natural},
    {0x6824, "guest_sysenter_esp", FieldType::guest, FieldWidth::natural},
    {0x6826, "guest_sysenter_eip", FieldType::guest, FieldWidth::natural},
    {0x6828, "guest_s_cet", FieldType::guest, FieldWidth::natural},
    {0x682a, "guest_ssp", FieldType::guest, FieldWidth::natural},
    {0x682c, "guest_intr_ssp_table", FieldType::guest, FieldWidth::natural},
    {0x6c00, "host_cr0", FieldType::host, FieldWidth::natural},
    {0x6c02, "host_cr3", FieldType::host, FieldWidth::natural},
    {0x6c04, "host_cr4", FieldType::host, FieldWidth::natural},
    {0x6c06, "host_fs_base", FieldType::host, FieldWidth::natural},
    {0x6c08, "host_gs_base", FieldType::host, FieldWidth::natural},
    {0x6c0a, "host_tr_base", FieldType::host, FieldWidth::natural},
    {0x6c0c, "host_gdtr_base", FieldType::host, FieldWidth::natural},
    {0x6c0e, "host_idtr_base", FieldType::host, FieldWidth::natural},
    {0x6c10, "host_sysenter_esp", FieldType::host, FieldWidth::natural},
    {0x6c12, "host_sysenter_eip", FieldType::host, FieldWidth::natural},
    {0x6c14, "host_rsp", FieldType::host, FieldWidth::natural},
    {0x6c16, "host_rip", FieldType::host, FieldWidth::natural},
    {0x6c18, "host_s_cet", FieldType::host, FieldWidth::natural},
    {0x6c1a, "host_ssp", FieldType::host, FieldWidth::natural},
    {0x6c1c, "host_intr_ssp_table", FieldType::host, FieldWidth::natural},
};
// clang-format on

TEST(Fields, HaveTheManualsEncodings) {
    ASSERT_EQ(all_fields().size(), std::size(rows));
    for (const Row& row : rows) {
        const auto field = field_named(row.short_name);
        ASSERT_TRUE(field) << row.short_name;
        EXPECT_EQ(encoding(*field), row.encoding) << row.short_name;
        EXPECT_EQ(type_of(*field), row.type) << row.short_name;
        EXPECT_EQ(width_of(*field), row.width) << row.short_name;
        EXPECT_EQ(field_with_encoding(row.encoding), field);
        EXPECT_FALSE(info(*field).name.empty());
    }
}

TEST(Fields, OnlyThoseOf64BitsHaveAHighEncoding) {
    for (const Row& row : rows) {
        const Field field = *field_named(row.short_name);
        if (row.width == FieldWidth::w64) {
            EXPECT_EQ(high_encoding(field), row.encoding + 1);
            EXPECT_EQ(field_with_encoding(row.encoding + 1), field);
        } else {
            EXPECT_FALSE(high_encoding(field));
            EXPECT_FALSE(field_with_encoding(row.encoding + 1)) << row.short_name;
        }
    }
}

TEST(Fields, NoOtherNumberNamesOne) {
    std::set<std::uint32_t> known;
    for (const Row& row : rows) {
        known.insert(row.encoding);
        if (row.width == FieldWidth::w64) known.insert(row.encoding + 1);
    }
    for (std::uint32_t n = 0; n < 0x1'0000; ++n)
        EXPECT_EQ(field_with_encoding(n).has_value(), known.contains(n)) << n;
    for (const std::uint32_t n : {0x1'0000U, 0x1'681eU, 0x8000'4402U, ~0U})
        EXPECT_FALSE(field_with_encoding(n));
    EXPECT_FALSE(field_named("GUEST_RIP"));
    EXPECT_FALSE(field_named(""));
}

TEST(Fields, HoldTheBitsOfTheirWidth) {
    EXPECT_EQ(mask_of(Field::guest_cs_sel), 0xffffU);
    EXPECT_EQ(mask_of(Field::guest_cs_limit), 0xffff'ffffU);
    EXPECT_EQ(mask_of(Field::eptp), ~0ULL);
    EXPECT_EQ(mask_of(Field::guest_rip), ~0ULL);
}

struct Existence {
    std::string_view cpu;
    Field field;
    Truth exists;
};

TEST(FieldExists, FollowsTheCapabilities) {
    constexpr auto yes = Truth::yes;
    constexpr auto no = Truth::no;
    constexpr Existence cases[] = {
        {"coffee-lake", Field::guest_rip, yes},
        {"coffee-lake", Field::vpid, yes},
        {"coffee-lake", Field::posted_int_nv, no},
        {"broadwell-ep", Field::posted_int_nv, yes},
        {"coffee-lake", Field::pml_index, yes},
        {"coffee-lake", Field::eptp_list_addr, yes},
        {"coffee-lake", Field::vmread_bitmap, no},
        {"broadwell-ep", Field::vmread_bitmap, yes},
        {"coffee-lake", Field::tsc_multiplier, no},
        {"kvm-nested", Field::tsc_multiplier, yes},
        {"coffee-lake", Field::guest_bndcfgs, yes},
        {"broadwell-ep", Field::guest_bndcfgs, no},
        {"coffee-lake", Field::guest_rtit_ctl, no},
        {"coffee-lake", Field::tertiary_controls, no},
        {"coffee-lake", Field::guest_s_cet, no},
        {"kvm-nested", Field::cr3_target0, no},
        {"coffee-lake", Field::cr3_target3, yes},
        {"coffee-lake", Field::injected_event_data, no},
    };
    for (const Existence& c : cases)
        EXPECT_EQ(field_exists(*preset(c.cpu), c.field), c.exists)
            << c.cpu << ' ' << info(c.field).short_name;
    for (const FieldInfo& row : all_fields()) {
        EXPECT_EQ(field_exists(*preset("all"), row.field), yes) << row.short_name;
        EXPECT_NE(field_exists(Capabilities{}, row.field), no) << row.short_name;
    }
    EXPECT_EQ(field_exists(Capabilities{}, Field::guest_rip), yes);
    EXPECT_EQ(field_exists(Capabilities{}, Field::eptp), Truth::unknown);
}

}  // namespace
}  // namespace hyperstep::vmx
