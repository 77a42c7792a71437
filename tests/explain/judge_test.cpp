#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "explain/inference.hpp"
#include "explain/verdict.hpp"
#include "vmx/rules/boundary.hpp"

// From what a dump shows and reports to what is broken, unknown and suspected.
namespace hyperstep::explain {
namespace {

using vmx::Slot;
using Values = std::vector<std::pair<Slot, std::uint64_t>>;

Dump dump_of(Format format, const Values& values) {
    Dump dump;
    dump.format = format;
    for (const auto& [slot, value] : values) dump.state.set(slot, value);
    return dump;
}

Dump failed_entry(const Values& values, std::uint32_t reason = 0x8000'0021, std::uint64_t qualification = 0) {
    Dump dump = dump_of(Format::kvm, values);
    dump.reported.reason = reason;
    dump.reported.qualification = qualification;
    dump.reported.entry_failed = true;
    return dump;
}

Dump failed_instruction(const Values& values, std::uint32_t error) {
    Dump dump = dump_of(Format::kvm, values);
    dump.reported.instruction_error = error;
    dump.reported.entry_failed = true;
    return dump;
}

std::set<std::string> broken_ids(const Verdict& verdict) {
    std::set<std::string> ids;
    for (const BrokenRule& b : verdict.broken) ids.emplace(vmx::all_checks()[b.check].id);
    return ids;
}

std::set<std::string> unknown_ids(const Verdict& verdict) {
    std::set<std::string> ids;
    for (const UnknownRule& u : verdict.unknown) ids.emplace(vmx::all_checks()[u.check].id);
    return ids;
}

std::set<std::string> suspect_ids(const Verdict& verdict) {
    std::set<std::string> ids;
    for (const std::size_t check : verdict.suspects) ids.emplace(vmx::all_checks()[check].id);
    return ids;
}

const vmx::Capabilities unknown_processor;
using Ids = std::set<std::string>;

// Blocking by STI with RFLAGS.IF = 0: the interruptibility of a guest that entered SMM behind STI.
TEST(Judge, BlockingByStiWithoutIfIsBrokenAndItsRepairIsOneBit) {
    const Verdict v =
        judge(failed_entry({{Slot::guest_interruptibility, 9}, {Slot::guest_rflags, 2}}), unknown_processor);
    EXPECT_EQ(v.conclusion, Conclusion::broken);
    EXPECT_EQ(broken_ids(v), Ids{"guest.int.sti_needs_if"});
    EXPECT_EQ(v.agrees, true);
    ASSERT_EQ(v.broken.size(), 1U);
    ASSERT_EQ(v.broken[0].repair.size(), 1U);
    EXPECT_EQ(v.broken[0].repair[0].slot, Slot::guest_interruptibility);
    EXPECT_EQ(v.broken[0].repair[0].from, 9U);
    EXPECT_EQ(v.broken[0].repair[0].to, 8U);
}

TEST(Judge, WhatTheDumpDoesNotShowIsNeverBroken) {
    const Verdict v = judge(failed_entry({{Slot::guest_interruptibility, 9}}), unknown_processor);
    EXPECT_EQ(v.conclusion, Conclusion::unknown);
    EXPECT_EQ(broken_ids(v), Ids{});
    EXPECT_TRUE(unknown_ids(v).contains("guest.int.sti_needs_if"));
    EXPECT_EQ(v.agrees, std::nullopt);
}

TEST(Judge, AnEmptyDumpWithoutAReportHolds) {
    const Verdict v = judge(dump_of(Format::fields, {}), unknown_processor);
    EXPECT_EQ(v.conclusion, Conclusion::holds);
    EXPECT_EQ(broken_ids(v), Ids{});
}

// DS of type 2 (data, read/write, not accessed), usable, outside virtual-8086 mode.
TEST(Judge, ASegmentThatWasNotAccessed) {
    const Verdict v =
        judge(failed_entry({{Slot::guest_rflags, 0x202}, {Slot::guest_ds_ar, 0xc0f2}}), unknown_processor);
    ASSERT_EQ(broken_ids(v), Ids{"guest.seg.ds.type_accessed"});
    ASSERT_EQ(v.broken[0].repair.size(), 1U);
    EXPECT_EQ(v.broken[0].repair[0].to, 0xc0f3U);
}

TEST(Judge, AGuestStateReportProvesControlsAndHost) {
    const Verdict v = judge(failed_entry({}), unknown_processor);
    for (const UnknownRule& u : v.unknown) EXPECT_EQ(vmx::all_checks()[u.check].stage, vmx::Stage::guest);
    EXPECT_FALSE(v.unknown.empty());
}

TEST(Judge, Error7LeavesOnlyTheControls) {
    const Verdict v = judge(failed_instruction({}, 7), unknown_processor);
    EXPECT_EQ(v.conclusion, Conclusion::unknown);
    EXPECT_FALSE(v.unknown.empty());
    for (const UnknownRule& u : v.unknown) EXPECT_EQ(vmx::all_checks()[u.check].stage, vmx::Stage::control);
}

// Pin-based controls without bit 1, which every processor with VMX requires: VMfailValid(7), not (8).
TEST(Judge, AgreementIsOnTheNumber) {
    const Values pin{{Slot::pin_controls, 0x1d}};
    EXPECT_EQ(judge(failed_instruction(pin, 7), unknown_processor).agrees, true);
    EXPECT_EQ(judge(failed_instruction(pin, 8), unknown_processor).agrees, false);
    EXPECT_EQ(judge(failed_entry(pin), unknown_processor).agrees, false);
    EXPECT_EQ(judge(dump_of(Format::kvm, pin), unknown_processor).agrees, std::nullopt);
}

TEST(Judge, AgreementIsOnTheQualification) {
    const Values sti{{Slot::guest_interruptibility, 1}, {Slot::guest_rflags, 2}};
    EXPECT_EQ(judge(failed_entry(sti, 0x8000'0021, 0), unknown_processor).agrees, true);
    EXPECT_EQ(judge(failed_entry(sti, 0x8000'0021, 4), unknown_processor).agrees, false);
    EXPECT_EQ(judge(failed_entry(sti, 0x8000'0022, 1), unknown_processor).agrees, false);
}

// VM-entry failure due to MSR loading: the qualification is the entry's number, from 1.
TEST(Judge, AnMsrThatMayNotBeLoaded) {
    Dump dump = failed_entry({{Slot::entry_msr_load_count, 2}}, 0x8000'0022, 2);
    dump.state.msr_load = {{0x277, 0, 0x0007'0406'0007'0406}, {0xc000'0100, 0, 0x1000}};
    dump.state.msr_load_complete = true;
    const Verdict v = judge(dump, unknown_processor);
    ASSERT_EQ(broken_ids(v), Ids{"load.msr.fs_base"});
    EXPECT_EQ(v.broken[0].msr_entry, 2U);
    EXPECT_EQ(v.agrees, true);
    EXPECT_TRUE(suspect_ids(v).contains("load.msr.fs_base"));
}

// Qualification 2: PDPTEs. 3: NMI injection under blocking by STI. 4: VMCS link pointer.
TEST(Judge, TheQualificationPointsToRules) {
    const auto prefixed = [](std::uint64_t qualification, std::string_view prefix) {
        const Ids ids = suspect_ids(judge(failed_entry({}, 0x8000'0021, qualification), unknown_processor));
        return std::all_of(
            ids.begin(), ids.end(), [&](const std::string& id) { return id.starts_with(prefix); });
    };
    EXPECT_TRUE(prefixed(2, "guest.pdpte"));
    EXPECT_TRUE(prefixed(3, "guest.int.nmi_sti"));
    EXPECT_TRUE(prefixed(4, "guest.nonreg.vmcs_link."));
    EXPECT_EQ(suspect_ids(judge(failed_entry({}), unknown_processor)), Ids{});
}

TEST(Judge, TheReportProvesTheInstructionChecks) {
    for (const Dump& dump : {failed_entry({}), failed_instruction({}, 7), dump_of(Format::xen, {})})
        for (const std::string& id : unknown_ids(judge(dump, unknown_processor)))
            EXPECT_FALSE(id.starts_with("instr.") || id.starts_with("smm.executive")) << id;
}

TEST(Judge, OurOwnJsonIsTakenAtItsWord) {
    Dump dump = dump_of(Format::hyperstep, {{Slot::in_vmx_operation, 0}});
    EXPECT_EQ(broken_ids(judge(dump, unknown_processor)), Ids{"instr.not_in_vmx"});
}

// IA32_EFER.LMA before the entry equals "host address-space size" once the checks on it are passed.
TEST(Inference, LmaFollowsTheHostSize) {
    const auto lma = [](std::uint64_t exit_controls, std::uint32_t reason) {
        const Dump dump = failed_entry({{Slot::exit_controls, exit_controls}}, reason);
        return judged_state(dump, unknown_processor)[Slot::cur_efer];
    };
    EXPECT_EQ(lma(0x3'6fff, 0x8000'0021).value, 0x400U);
    EXPECT_EQ(lma(0x3'6fff, 0x8000'0021).known, 0x400U);
    EXPECT_EQ(lma(0x3'6dff, 0x8000'0021).value, 0U);
    EXPECT_EQ(lma(0x3'6dff, 0x8000'0021).known, 0x400U);
}

TEST(Inference, NothingThatTheDumpKnowsIsChanged) {
    const Dump dump = failed_entry({{Slot::cur_cpl, 3}, {Slot::in_smm, 1}, {Slot::cur_cr0, 0}});
    const vmx::State state = judged_state(dump, unknown_processor);
    EXPECT_EQ(state[Slot::cur_cpl].value, 3U);
    EXPECT_EQ(state[Slot::in_smm].value, 1U);
    EXPECT_EQ(state[Slot::cur_cr0].value, 0U);
}

TEST(Inference, ReachFollowsTheNumbers) {
    const auto reach =
        [](std::optional<std::uint32_t> reason, std::optional<std::uint32_t> error, bool failed) {
            Reported r;
            r.reason = reason;
            r.instruction_error = error;
            r.entry_failed = failed;
            return reach_of(r);
        };
    EXPECT_EQ(reach(0x8000'0021, std::nullopt, true), Reach::guest);
    EXPECT_EQ(reach(0x8000'0021, 7, true), Reach::guest) << "an old instruction error may stand in the VMCS";
    EXPECT_EQ(reach(0x8000'0022, std::nullopt, true), Reach::msr_load);
    EXPECT_EQ(reach(0x8000'0029, std::nullopt, true), Reach::machine_check);
    EXPECT_EQ(reach(0x8000'0000, std::nullopt, true), Reach::nothing_reported);
    EXPECT_EQ(reach(48, 0, false), Reach::entered);
    EXPECT_EQ(reach(std::nullopt, 4, true), Reach::instruction);
    EXPECT_EQ(reach(std::nullopt, 7, true), Reach::control);
    EXPECT_EQ(reach(std::nullopt, 8, true), Reach::host);
    EXPECT_EQ(reach(std::nullopt, std::nullopt, true), Reach::nothing_reported);
}

// Host CR3 beyond 46 bits on a processor with LAM: the one bit.
TEST(Repair, AReservedAddressBitIsCleared) {
    Dump dump = dump_of(Format::hyperstep, {});
    dump.state = base_state(vmx::BaseState::long_mode);
    dump.state.set(Slot::host_cr3, 0x4000'0000'1000);
    const Verdict v = judge(dump, unknown_processor);
    ASSERT_EQ(broken_ids(v), Ids{"host.cr3.width"});
    ASSERT_EQ(v.broken[0].repair.size(), 1U);
    EXPECT_EQ(v.broken[0].repair[0].slot, Slot::host_cr3);
    EXPECT_EQ(v.broken[0].repair[0].to, 0x1000U);
}

bool reads_a_writable_field(const vmx::EntryCheck& check) {
    return std::any_of(check.reads.begin(), check.reads.end(), [](Slot s) {
        const auto field = vmx::field_in(s);
        return field && vmx::type_of(*field) != vmx::FieldType::exit;
    });
}

/// For every rule's own broken state: the verdict accuses this rule; its repair changes fields that the rule
/// reads, and with it the rule no longer is broken, and nothing else that was not.
TEST(Repair, SatisfiesItsRuleAndBreaksNoOther) {
    for (const vmx::Boundary& b : vmx::all_boundaries()) {
        if (b.broken.empty()) continue;
        SCOPED_TRACE(b.id);
        Dump dump = dump_of(Format::hyperstep, {});
        dump.state = broken_state(b);
        const Verdict v = judge(dump, unknown_processor);
        const Ids before = broken_ids(v);
        EXPECT_TRUE(before.contains(std::string{b.id}));
        for (const BrokenRule& broken : v.broken) {
            const vmx::EntryCheck& check = vmx::all_checks()[broken.check];
            if (check.id != b.id) continue;
            const bool repairable = check.stage != vmx::Stage::msr_load && reads_a_writable_field(check);
            EXPECT_TRUE(!repairable || !broken.repair.empty()) << "no repair found";
            Dump repaired = dump;
            for (const Repair& change : broken.repair) {
                EXPECT_NE(std::find(check.reads.begin(), check.reads.end(), change.slot), check.reads.end());
                EXPECT_EQ(dump.state[change.slot].value, change.from);
                repaired.state.set(change.slot, change.to);
            }
            if (broken.repair.empty()) continue;
            const Ids after = broken_ids(judge(repaired, unknown_processor));
            EXPECT_FALSE(after.contains(std::string{b.id}));
            for (const std::string& id : after)
                EXPECT_TRUE(before.contains(id)) << "the repair breaks " << id;
        }
    }
}

}  // namespace
}  // namespace hyperstep::explain
