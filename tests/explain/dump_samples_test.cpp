// The real dumps of casebook/dumps, with numbers taken from their texts by eye.
#include "tests/explain/dump_samples.hpp"

#include <gtest/gtest.h>

namespace hyperstep::explain::test {
namespace {

using vmx::Slot;

struct Value {
    Slot slot;
    std::string_view text;
};

/// The only dump of a sample, and its format.
Dump only_dump(std::string_view name, Format format) {
    std::vector<Dump> dumps = find_dumps(sample(name));
    EXPECT_EQ(dumps.size(), 1U) << name;
    if (dumps.empty()) return {};
    EXPECT_EQ(to_string(dumps.front().format), to_string(format));
    EXPECT_TRUE(dumps.front().remarks.empty()) << dumps.front().remarks.front();
    return std::move(dumps.front());
}

void expect_values(const Dump& dump, std::initializer_list<Value> values) {
    for (const Value& v : values) EXPECT_EQ(shown(dump, v.slot), v.text) << vmx::info(v.slot).name;
}

TEST(DumpSamples, KvmWithQemuRegistersIsOneDump) {
    const Dump dump = only_dump("01-smm-sti", Format::kvm);
    EXPECT_EQ(dump.reported.reason, 0x80000021U);
    EXPECT_EQ(dump.reported.qualification, 0U);
    EXPECT_FALSE(dump.reported.instruction_error);
    EXPECT_TRUE(dump.reported.entry_failed);
    EXPECT_EQ(dump.reported.message, "KVM: entry failed, hardware error 0x80000021");
    expect_values(dump,
                  {{Slot::guest_interruptibility, "0x9"},
                   {Slot::guest_rflags, "0x2"},
                   {Slot::guest_cr0, "0x50032"},
                   {Slot::cr0_mask, "0xfffffffffffffff7"},
                   {Slot::guest_cs_base, "0x7ffc2000"},
                   {Slot::guest_cs_ar, "0x8093"},
                   {Slot::guest_tr_base, "0xfffff8024e651000"},
                   {Slot::guest_pdpte0, "0x3300050011"},
                   {Slot::guest_efer, "0x0"},
                   {Slot::guest_pat, "0x7010600070106"},
                   {Slot::host_pat, "0x407050600070106"},
                   {Slot::host_efer, "0xd01"},
                   {Slot::host_rip, "0xffffffffc119a0a0"},
                   {Slot::host_cr4, "0x1726e0"},
                   {Slot::host_tr_sel, "0x40"},
                   {Slot::primary_controls, "0xb5a06dfa"},
                   {Slot::entry_controls, "0xd1ff"},
                   {Slot::entry_exception_error_code, "0x4"},
                   {Slot::guest_interrupt_status, "0x2f"},
                   {Slot::apic_access_addr, "0x14516c000"},
                   {Slot::virtual_apic_addr, "0x14afe7000"},
                   {Slot::vmcs_link_pointer, "?"},
                   {Slot::msr_bitmap, "?"},
                   {Slot::vm_instruction_error, "?"}});
}

TEST(DumpSamples, KvmWithTheKernelsNewestLines) {
    const Dump dump = only_dump("02-ept-violation-healthy", Format::kvm);
    EXPECT_EQ(dump.reported.reason, 0x30U);
    EXPECT_EQ(dump.reported.qualification, 0x981U);
    EXPECT_FALSE(dump.reported.entry_failed);
    expect_values(dump,
                  {{Slot::guest_efer, "?"},  // "(effective)" is not the field
                   {Slot::guest_cr4, "0x752ef0"},
                   {Slot::cr4_read_shadow, "0x750ef0"},
                   {Slot::guest_ss_ar, "0x1c000"},
                   {Slot::guest_gs_base, "0xffff888236e00000"},
                   {Slot::guest_dr7, "0x60a"},
                   {Slot::guest_interrupt_status, "0xec00"},
                   {Slot::secondary_controls, "0x61017fa"},
                   {Slot::tertiary_controls, "0x0"},
                   {Slot::tsc_multiplier, "0x1000000000000"},
                   {Slot::idt_vectoring_info, "0x800000ec"},
                   {Slot::virtual_apic_addr, "0x360524000"},
                   {Slot::host_efer, "?"},
                   {Slot::vpid, "0x1"}});
}

TEST(DumpSamples, WrappedKvmDumpWithStructSregs) {
    const Dump dump = only_dump("07-ds-not-accessed", Format::kvm);
    EXPECT_EQ(dump.reported.reason, 0x80000021U);
    expect_values(dump,
                  {{Slot::guest_ds_ar, "0xc0f2"},
                   {Slot::guest_es_ar, "0xc0f2"},
                   {Slot::guest_cs_ar, "0x40fb"},
                   {Slot::guest_cs_limit, "0x1a0"},
                   {Slot::guest_cs_base, "0x2110000"},
                   {Slot::cr0_read_shadow, "0xe0000031"},
                   {Slot::cr4_mask, "0xffffffffffffe871"},
                   {Slot::guest_pending_dbg, "0x0"},
                   {Slot::guest_efer, "0x0"},
                   {Slot::host_cr4, "0x1626e0"},
                   {Slot::host_tr_base, "0xfffffe0000102000"},
                   {Slot::pfec_match, "0x0"},
                   {Slot::entry_msr_load_count, "?"},
                   {Slot::entry_intr_info, "0x4e6"}});
}

TEST(DumpSamples, XenDebugKey) {
    const Dump dump = only_dump("08-xen-debug-key", Format::xen);
    EXPECT_EQ(dump.reported.reason, 0xcU);
    EXPECT_FALSE(dump.reported.entry_failed);
    expect_values(dump,
                  {{Slot::guest_rip, "0x209997"},  // the VMCS's, not the saved one
                   {Slot::guest_efer, "?"},        // 0, and neither loaded nor saved
                   {Slot::guest_pat, "0x7040600070406"},
                   {Slot::guest_cs_ar, "0xa099"},
                   {Slot::guest_gdtr_base, "0x3e13c0"},
                   {Slot::guest_tr_limit, "0x68"},
                   {Slot::host_rip, "0xffff82d08031dd30"},
                   {Slot::host_rsp, "0xffff83009c057f70"},
                   {Slot::host_efer, "?"},
                   {Slot::tsc_multiplier, "?"},
                   {Slot::eptp_index, "?"},
                   {Slot::preemption_timer_value, "?"},
                   {Slot::posted_int_nv, "?"},
                   {Slot::entry_controls, "0x53ff"},
                   {Slot::vpid, "0xe"}});
}

TEST(DumpSamples, ExcerptOfKvm) {
    const Dump dump = only_dump("18-interrupt-with-if-0", Format::kvm);
    EXPECT_FALSE(dump.reported.reason);
    EXPECT_FALSE(dump.reported.entry_failed);
    expect_values(dump,
                  {{Slot::entry_intr_info, "0x800000d1"},
                   {Slot::guest_rflags, "0x2"},
                   {Slot::guest_cr0, "0x50032"},
                   {Slot::cr4_mask, "0xfffffffffffff871"},
                   {Slot::guest_cs_ar, "?"},
                   {Slot::entry_controls, "?"},
                   {Slot::guest_interruptibility, "?"}});
}

TEST(DumpSamples, NoirVisor) {
    const Dump dump = only_dump("26-noirvisor-error-7", Format::noirvisor);
    EXPECT_EQ(dump.reported.instruction_error, 7U);
    EXPECT_TRUE(dump.reported.entry_failed);
    expect_values(dump,
                  {{Slot::guest_cs_sel, "0x10"},
                   {Slot::guest_cs_ar, "0x209b"},
                   {Slot::guest_fs_limit, "0xbc00"},
                   {Slot::guest_gs_base, "0xffff94001cc40000"},
                   {Slot::guest_tr_ar, "0x8b"},
                   {Slot::guest_ldtr_ar, "0x10000"},
                   {Slot::guest_gdtr_limit, "0x57"},
                   {Slot::guest_idtr_base, "0xffff94001cc4f000"},
                   {Slot::pin_controls, "?"},
                   {Slot::vm_instruction_error, "0x7"}});
}

TEST(DumpSamples, SregsPrintedByAMonitor) {
    const Dump dump = only_dump("29-sregs-cs-base", Format::sregs);
    EXPECT_TRUE(dump.reported.entry_failed);
    EXPECT_FALSE(dump.reported.reason);
    expect_values(dump,
                  {{Slot::guest_cs_base, "0x7fffeed269c6"},
                   {Slot::guest_cs_limit, "0xfffffff"},
                   {Slot::guest_cs_ar, "0xa09b"},
                   {Slot::guest_fs_base, "0x7fff5affbb20"},
                   {Slot::guest_ds_ar, "0x10000/0x10000"},
                   {Slot::guest_gs_base, "?"},
                   {Slot::guest_ss_ar, "?"},
                   {Slot::guest_cr0, "?"},
                   {Slot::guest_rflags, "0x46/0xfffffffffffdcfff"},
                   {Slot::guest_rip, "0x7fffff5c5f40"}});
}

TEST(DumpSamples, Haxm) {
    const Dump dump = only_dump("31-haxm-invalid-guest-state", Format::haxm);
    EXPECT_TRUE(dump.reported.entry_failed);
    EXPECT_FALSE(dump.reported.reason);
    expect_values(dump,
                  {{Slot::pin_controls, "0x1f"},
                   {Slot::primary_controls, "0x969861fe"},
                   {Slot::secondary_controls, "0x2a"},
                   {Slot::entry_msr_load_count, "0xe"},
                   {Slot::cr0_mask, "0xffffffffe0000021"},
                   {Slot::io_bitmap_a, "0x329d0b000"},
                   {Slot::guest_cr0, "?"}});
}

TEST(DumpSamples, VirtualBoxInVirtual8086Mode) {
    const Dump dump = only_dump("33-virtualbox-gs-limit", Format::virtualbox);
    EXPECT_TRUE(dump.reported.entry_failed);
    expect_values(dump,
                  {{Slot::guest_gs_limit, "0xffffffff"},
                   {Slot::guest_gs_ar, "?"},
                   {Slot::guest_cs_ar, "?"},
                   {Slot::guest_cr0, "?"},
                   {Slot::guest_rflags, "0x20000/0x20000"}});
}

TEST(DumpSamples, XenBannerWithTwoLines) {
    const Dump dump = only_dump("36-xen-dr7-high-bits", Format::xen);
    EXPECT_EQ(dump.reported.reason, 0x80000021U);
    EXPECT_EQ(dump.reported.qualification, 0U);
    EXPECT_TRUE(dump.reported.entry_failed);
    EXPECT_EQ(dump.reported.message, "Invalid guest state (0)");
    expect_values(dump,
                  {{Slot::guest_dr7, "0x4000000000000001"},
                   {Slot::guest_rflags, "0x2"},
                   {Slot::entry_controls, "?"},
                   {Slot::guest_cr0, "?"}});
}

}  // namespace
}  // namespace hyperstep::explain::test
