#include "vmx/rules/capabilities.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "vmx/rules/capability_parts.hpp"
#include "vmx/rules/control_dependencies.hpp"
#include "vmx/rules/registers.hpp"

namespace hyperstep::vmx {
namespace {

std::uint64_t exact(const Capabilities& cap, Slot s) {
    return cap[s].value;
}

// SDM "VMX Capability Reporting Facility": the indices.
TEST(CapabilityMsrs, HaveTheManualsIndices) {
    struct Row {
        std::uint32_t index;
        std::string_view name;
    };
    constexpr Row rows[] = {
        {0x480, "IA32_VMX_BASIC"},
        {0x481, "IA32_VMX_PINBASED_CTLS"},
        {0x482, "IA32_VMX_PROCBASED_CTLS"},
        {0x483, "IA32_VMX_EXIT_CTLS"},
        {0x484, "IA32_VMX_ENTRY_CTLS"},
        {0x485, "IA32_VMX_MISC"},
        {0x486, "IA32_VMX_CR0_FIXED0"},
        {0x487, "IA32_VMX_CR0_FIXED1"},
        {0x488, "IA32_VMX_CR4_FIXED0"},
        {0x489, "IA32_VMX_CR4_FIXED1"},
        {0x48a, "IA32_VMX_VMCS_ENUM"},
        {0x48b, "IA32_VMX_PROCBASED_CTLS2"},
        {0x48c, "IA32_VMX_EPT_VPID_CAP"},
        {0x48d, "IA32_VMX_TRUE_PINBASED_CTLS"},
        {0x48e, "IA32_VMX_TRUE_PROCBASED_CTLS"},
        {0x48f, "IA32_VMX_TRUE_EXIT_CTLS"},
        {0x490, "IA32_VMX_TRUE_ENTRY_CTLS"},
        {0x491, "IA32_VMX_VMFUNC"},
        {0x492, "IA32_VMX_PROCBASED_CTLS3"},
        {0x493, "IA32_VMX_EXIT_CTLS2"},
    };
    for (const Row& row : rows) {
        const auto slot = capability_slot(row.index);
        ASSERT_TRUE(slot) << std::hex << row.index;
        EXPECT_EQ(info(*slot).name, row.name);
        EXPECT_EQ(slot_named(row.name), slot);
    }
    for (const std::uint32_t other : {0U, 0x3aU, 0x47fU, 0x494U, ~0U}) EXPECT_FALSE(capability_slot(other));
}

TEST(CapabilityParts, CoverEachMsrWithoutRepeatingAName) {
    std::vector<std::string_view> names;
    for (const CapabilityPart& p : all_capability_parts()) {
        EXPECT_LE(p.low, p.high);
        EXPECT_NE(info(p.msr).number, 0U) << p.short_name;
        names.push_back(p.short_name);
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    for (std::uint32_t index = 0x480; index <= 0x493; ++index)
        EXPECT_TRUE(std::any_of(all_capability_parts().begin(),
                                all_capability_parts().end(),
                                [=](const auto& p) { return p.msr == *capability_slot(index); }))
            << std::hex << index;
}

/// The plain and the TRUE capability MSR of each 32-bit word, and its default-1 bits.
struct Pair {
    Slot plain, true_msr;
    std::uint64_t default1;
};
constexpr Pair pairs[] = {
    {Slot::vmx_pinbased_ctls, Slot::vmx_true_pinbased_ctls, 0x16},
    {Slot::vmx_procbased_ctls, Slot::vmx_true_procbased_ctls, 0x401'e172},
    {Slot::vmx_exit_ctls, Slot::vmx_true_exit_ctls, 0x3'6dff},
    {Slot::vmx_entry_ctls, Slot::vmx_true_entry_ctls, 0x11ff},
};

TEST(Presets, AreCompleteAndConsistent) {
    ASSERT_GE(all_presets().size(), 4U);
    for (const PresetInfo& p : all_presets()) {
        SCOPED_TRACE(p.name);
        const auto found = preset(p.name);
        ASSERT_TRUE(found);
        const Capabilities& cap = *found;
        EXPECT_TRUE(cap.fully_known());
        for (const Pair& pair : pairs) {
            for (const Slot s : {pair.plain, pair.true_msr}) {
                const std::uint64_t must_be_1 = exact(cap, s) & 0xffff'ffff;
                const std::uint64_t may_be_1 = exact(cap, s) >> 32U;
                EXPECT_EQ(must_be_1 & ~may_be_1, 0U) << info(s).name << ": what must be 1 may be 1";
                EXPECT_EQ(must_be_1 & ~pair.default1, 0U)
                    << info(s).name << ": only default-1 controls must be 1";
            }
            EXPECT_EQ(exact(cap, pair.plain) & 0xffff'ffff, pair.default1) << info(pair.plain).name;
            EXPECT_EQ(exact(cap, pair.plain) >> 32U, exact(cap, pair.true_msr) >> 32U)
                << info(pair.plain).name;
        }
        EXPECT_EQ(exact(cap, Slot::vmx_procbased_ctls2) & 0xffff'ffff, 0U);
        EXPECT_EQ(exact(cap, Slot::cr0_fixed0) & ~exact(cap, Slot::cr0_fixed1), 0U);
        EXPECT_EQ(exact(cap, Slot::cr4_fixed0) & ~exact(cap, Slot::cr4_fixed1), 0U);
    }
    EXPECT_FALSE(preset("no-such-cpu"));
}

// What holds for every processor with Intel 64 and VMX holds for each preset.
TEST(Presets, AreMembersOfTheUnknownProcessor) {
    const Capabilities unknown;
    for (const PresetInfo& p : all_presets()) {
        const Capabilities cap = *preset(p.name);
        for (const Slot s : slots_of(SlotKind::capability))
            EXPECT_EQ(exact(cap, s) & unknown[s].known, unknown[s].value) << p.name << ' ' << info(s).name;
    }
}

// The field with the highest index that exists is what IA32_VMX_VMCS_ENUM reports. SDM "VMCS Enumeration".
TEST(Presets, EnumerateTheirFields) {
    for (const PresetInfo& p : all_presets()) {
        const Capabilities cap = *preset(p.name);
        unsigned highest = 0;
        for (const FieldInfo& row : all_fields())
            if (field_exists(cap, row.field) == Truth::yes) highest = std::max(highest, index_of(row.field));
        EXPECT_EQ(exact(cap, Slot::vmx_vmcs_enum), highest << 1U) << p.name;
    }
}

TEST(Presets, CanSatisfyTheDependenciesOfWhatTheyAllow) {
    for (const PresetInfo& p : all_presets()) {
        const Capabilities cap = *preset(p.name);
        for (const ControlDependency& d : all_control_dependencies()) {
            if (cap.allows(d.control) != Truth::yes) continue;
            if (d.relation == Relation::requires_1)
                EXPECT_EQ(cap.allows(d.other), Truth::yes) << p.name << ": " << describe(d);
            else
                EXPECT_EQ(cap.requires_1(d.other), Truth::no) << p.name << ": " << describe(d);
        }
        for (const ControlInfo& c : all_controls())
            EXPECT_EQ(cap.requires_1(c.control), truth(c.default1 == Default1::yes))
                << p.name << ' ' << c.short_name;
    }
}

TEST(Presets, AllAllowsEveryControl) {
    const Capabilities cap = *preset("all");
    for (const ControlInfo& c : all_controls()) EXPECT_EQ(cap.allows(c.control), Truth::yes) << c.short_name;
    EXPECT_EQ(cap.allows(Control{ControlWord::primary, 18}), Truth::no);
    EXPECT_EQ(cap.allows(Control{ControlWord::secondary, 29}), Truth::no);
    EXPECT_EQ(cap.eptp_switching(), Truth::yes);
}

// FRED is one switch: entry bit 23, secondary exit bits 0 and 1, IA32_VMX_BASIC[58], CR4 bit 32, CPUID.
TEST(Presets, HaveAllOfFredOrNothing) {
    for (const PresetInfo& p : all_presets()) {
        const Capabilities cap = *preset(p.name);
        const Truth fred = truth(p.name == "all");
        SCOPED_TRACE(p.name);
        EXPECT_EQ(cap.fred(), fred);
        EXPECT_EQ(cap.allows(entry::load_fred), fred);
        EXPECT_EQ(cap.allows(exit2::save_guest_fred), fred);
        EXPECT_EQ(cap.allows(exit2::load_host_fred), fred);
        EXPECT_EQ(cap[Slot::vmx_basic][VmxBasic::nested_exception], fred);
        EXPECT_EQ(cap[Slot::cr4_fixed1][Cr4::fred], fred);
        EXPECT_EQ(field_exists(cap, Field::injected_event_data), fred);
        EXPECT_EQ(field_exists(cap, Field::original_event_data), fred);
    }
}

// Key Locker likewise: LOADIWKEY exiting and CR4.KL. CET: its two load controls and CR4.CET, and error codes
// for any vector. Unrestricted guest requires that VM exits store LMA.
TEST(Presets, HaveWholeFeatures) {
    for (const PresetInfo& p : all_presets()) {
        const Capabilities cap = *preset(p.name);
        SCOPED_TRACE(p.name);
        EXPECT_EQ(cap.allows(tertiary::loadiwkey_exiting), cap[Slot::cr4_fixed1][Cr4::kl]);
        EXPECT_EQ(cap.allows(entry::load_cet), cap[Slot::cr4_fixed1][Cr4::cet]);
        EXPECT_EQ(cap.allows(exit::load_cet), cap[Slot::cr4_fixed1][Cr4::cet]);
        EXPECT_EQ(cap[Slot::vmx_basic][VmxBasic::any_error_code], cap[Slot::cr4_fixed1][Cr4::cet]);
        EXPECT_EQ(cap.allows(entry::load_pkrs), cap[Slot::cr4_fixed1][Cr4::pks]);
        EXPECT_EQ(cap.allows(exit::clear_uinv), cap[Slot::cr4_fixed1][Cr4::uintr]);
        EXPECT_EQ(
            implies(cap.allows(secondary::unrestricted_guest), cap[Slot::vmx_misc][VmxMisc::stores_lma]),
            Truth::yes);
        EXPECT_EQ(truth(cap[Slot::linear_width].value == 57), cap[Slot::cr4_fixed1][Cr4::la57]);
        EXPECT_EQ(cap.allows(secondary::encls_exiting), truth(cap[Slot::sgx].value == 1));
    }
}

// Allowed settings as the TRUE capability MSRs of a real dump say them.
TEST(Capabilities, TellWhatAControlMayBe) {
    const Capabilities cap = *preset("coffee-lake");
    EXPECT_EQ(cap.allows(pin::virtual_nmis), Truth::yes);
    EXPECT_EQ(cap.allows(pin::process_posted_interrupts), Truth::no);
    EXPECT_EQ(cap.allows(secondary::mode_based_execute), Truth::yes);
    EXPECT_EQ(cap.allows(secondary::apic_register_virtualization), Truth::no);
    EXPECT_EQ(cap.allows(tertiary::enable_hlat), Truth::no);
    EXPECT_EQ(cap.requires_1(primary::rsvd1), Truth::yes);
    EXPECT_EQ(cap.requires_1(primary::cr3_load_exiting), Truth::no) << "the TRUE MSR lets it be 0";
    EXPECT_EQ(cap.has_cr3_target(3), Truth::yes);
    EXPECT_EQ(cap.has_cr3_target(4), Truth::no);
}

TEST(Capabilities, OfAnUnknownProcessorAreWhatAllHaveInCommon) {
    const Capabilities cap;
    EXPECT_EQ(cap.allows(primary::hlt_exiting), Truth::unknown);
    EXPECT_EQ(cap.requires_1(primary::hlt_exiting), Truth::no);
    EXPECT_EQ(cap.requires_1(primary::rsvd26), Truth::yes);
    EXPECT_EQ(cap.requires_1(primary::cr3_load_exiting), Truth::unknown);
    EXPECT_EQ(cap.allows(Control{ControlWord::primary, 0}), Truth::no);
    EXPECT_EQ(cap.allows(Control{ControlWord::secondary, 29}), Truth::no);
    EXPECT_EQ(cap[Slot::cr0_fixed0].value, 0x8000'0021U);
    EXPECT_EQ(cap[Slot::intel64] == PartialWord{1}, Truth::yes);
    EXPECT_EQ(cap[Slot::maxphyaddr].known, 0U);
}

// The plain MSRs decide where IA32_VMX_BASIC[55] is 0.
TEST(Capabilities, WithoutTrueMsrsComeFromThePlainOnes) {
    Capabilities cap = *preset("coffee-lake");
    cap.set(Slot::vmx_basic, exact(cap, Slot::vmx_basic) & ~(1ULL << 55U));
    EXPECT_EQ(cap.requires_1(primary::cr3_load_exiting), Truth::yes);
    EXPECT_EQ(cap.requires_1(exit::save_debug_controls), Truth::yes);
}

}  // namespace
}  // namespace hyperstep::vmx
