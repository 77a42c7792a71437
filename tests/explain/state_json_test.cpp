#include "explain/state_json.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/capabilities.hpp"

// The hyperstep/state/1 object, read and written.
namespace hyperstep::explain {
namespace {

using vmx::Slot;

NamedState read(const std::string& text) {
    auto result = read_state(text);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return result.value_or(NamedState{});
}

TextError refusal(const std::string& text) {
    const auto result = read_state(text);
    EXPECT_FALSE(result) << text << " was taken";
    return result ? TextError{} : result.error();
}

::testing::AssertionResult same(const vmx::State& a, const vmx::State& b) {
    if (a == b) return ::testing::AssertionSuccess();
    auto failure = ::testing::AssertionFailure() << "differ in:";
    for (std::size_t i = 0; i < vmx::slot_count; ++i) {
        const auto s = static_cast<Slot>(i);
        if (a[s].value != b[s].value || a[s].known != b[s].known)
            failure << ' ' << vmx::info(s).name << ' ' << std::hex << a[s].value << '/' << b[s].value;
    }
    if (a.msr_load != b.msr_load) failure << " msr_load " << a.msr_load.size() << '/' << b.msr_load.size();
    if (a.msr_load_complete != b.msr_load_complete) failure << " msr_load_complete";
    return failure;
}

TEST(StateJson, WithoutCompleteOnlyWhatIsGivenIsKnown) {
    const NamedState s =
        read(R"({"schema":"hyperstep/state/1","complete":false,"fields":{"guest_rflags":"0x2"}})");
    EXPECT_TRUE(s.state.knows(Slot::guest_rflags));
    EXPECT_EQ(s.state[Slot::guest_rflags].value, 2U);
    EXPECT_FALSE(s.state.knows(Slot::guest_cr0));
    EXPECT_FALSE(s.state.knows(Slot::cur_cpl));
    EXPECT_FALSE(s.state.knows(Slot::vmcs_word0));
    EXPECT_FALSE(s.cpu_given);
}

TEST(StateJson, CompleteStandsForZerosAndARunningHypervisor) {
    const NamedState s =
        read(R"({"cpu":"coffee-lake","complete":true,"fields":{"exit_controls":"0x36fff"}})");
    EXPECT_TRUE(s.state.complete());
    EXPECT_EQ(s.cpu, "coffee-lake");
    EXPECT_EQ(s.state[Slot::guest_cr0].value, 0U);
    EXPECT_EQ(s.state[Slot::cur_cr0].value, 0x8005'0033U);
    EXPECT_EQ(s.state[Slot::cur_efer].value, 0xd01U);
    EXPECT_EQ(s.state[Slot::cur_cs_l].value, 1U);
    EXPECT_EQ(s.state[Slot::cur_rflags].value, 2U);
    EXPECT_EQ(s.state[Slot::in_vmx_operation].value, 1U);
    EXPECT_EQ(s.state[Slot::current_vmcs].value, 0x1000U);
    EXPECT_EQ(s.state[Slot::vmcs_word0].value, 4U) << "the preset's revision identifier is 4";
}

TEST(StateJson, A32BitHostHasNoLongMode) {
    const NamedState s = read(R"({"cpu":"all","complete":true,"fields":{"exit_controls":"0x36dff"}})");
    EXPECT_EQ(s.state[Slot::cur_efer].value, 0U);
    EXPECT_EQ(s.state[Slot::cur_cs_l].value, 0U);
}

TEST(StateJson, FieldsGoByNameEncodingAndHalf) {
    const NamedState s =
        read(R"({"fields":{"0x681e":"0xfff0","eptp":31,"0x2800":"0x1122334455667788","0x2010":"0x5",
        "0x2011":"0x7"}})");
    EXPECT_EQ(s.state[Slot::guest_rip].value, 0xfff0U);
    EXPECT_EQ(s.state[Slot::eptp].value, 31U);
    EXPECT_EQ(s.state[Slot::vmcs_link_pointer].value, 0x1122'3344'5566'7788U);
    EXPECT_EQ(s.state[Slot::tsc_offset].value, 0x7'0000'0005U);
}

TEST(StateJson, WholeNumbersReach64Bits) {
    EXPECT_EQ(read(R"({"fields":{"guest_rip":18446744073709551615}})").state[Slot::guest_rip].value, ~0ULL);
}

TEST(StateJson, MemoryFillsWhatAnEntryFetches) {
    const NamedState s = read(R"({"current_vmcs":"0x7000","fields":{"vmcs_link_pointer":"0x8000",
        "virtual_apic_addr":"0x9000","guest_cr3":"0xa03f","entry_msr_load_addr":"0xb000","entry_msr_load_count":2},
        "memory":[{"gpa":"0x7000","bytes":"04000000"},{"gpa":"0x8000","bytes":"04000080"},{"gpa":"0x9080","bytes":"30"},
        {"gpa":"0xa020","bytes":"01000000000000000300000000000000"},
        {"gpa":"0xb000","bytes":"800000c00000000001050000000000007702000001000000ff00000000000000"}]})");
    EXPECT_EQ(s.state[Slot::vmcs_word0].value, 4U);
    EXPECT_EQ(s.state[Slot::link_word0].value, 0x8000'0004U);
    EXPECT_EQ(s.state[Slot::vtpr].value, 0x30U);
    EXPECT_EQ(s.state[Slot::memory_pdpte0].value, 1U);
    EXPECT_EQ(s.state[Slot::memory_pdpte1].value, 3U);
    EXPECT_FALSE(s.state.knows(Slot::memory_pdpte2));
    ASSERT_EQ(s.state.msr_load.size(), 2U);
    EXPECT_TRUE(s.state.msr_load_complete);
    EXPECT_EQ(s.state.msr_load[0], (vmx::MsrEntry{0xc000'0080, 0, 0x501}));
    EXPECT_EQ(s.state.msr_load[1], (vmx::MsrEntry{0x277, 1, 0xff}));
}

TEST(StateJson, AnMsrAreaOfWhichAPartIsThereIsNotComplete) {
    const NamedState s = read(R"({"fields":{"entry_msr_load_addr":"0x0","entry_msr_load_count":4294967295},
        "memory":[{"gpa":"0x0","bytes":"00000000000000000000000000000000"}]})");
    EXPECT_EQ(s.state.msr_load.size(), 1U);
    EXPECT_FALSE(s.state.msr_load_complete);
}

TEST(StateJson, AnEndlessMsrAreaIsBounded) {
    const NamedState s = read(R"({"complete":true,"fields":{"entry_msr_load_count":4294967295}})");
    EXPECT_EQ(s.state.msr_load.size(), 4096U);
}

TEST(StateJson, ProcessorOptionsAndCapabilities) {
    const NamedState s = read(R"({"cpu":{"0x480":"0xda040000000004","MAXPHYADDR":39},"instruction":"vmresume",
        "launch_state":"launched","processor":{"cpl":3,"smm":true,"executive":{"launch_state":"clear","controls_valid":true}},
        "options":{"nmi_under_sti":"allowed"}})");
    EXPECT_TRUE(s.cpu_given);
    EXPECT_EQ(s.cpu, "");
    EXPECT_EQ(s.state[Slot::vmx_basic].value, 0xda'0400'0000'0004U);
    EXPECT_EQ(s.state[Slot::maxphyaddr].value, 39U);
    EXPECT_EQ(s.state[Slot::instruction].value, 1U);
    EXPECT_EQ(s.state[Slot::launch_state].value, 1U);
    EXPECT_EQ(s.state[Slot::cur_cpl].value, 3U);
    EXPECT_EQ(s.state[Slot::in_smm].value, 1U);
    EXPECT_EQ(s.state[Slot::executive_launch_state].value, 0U);
    EXPECT_EQ(s.state[Slot::opt_nmi_under_sti].value, 1U);
}

TEST(StateJson, RefusalsSayWhereAndWhatToDo) {
    const TextError unknown = refusal("{\"fields\":{\n\"guest_rip\":\"0x1\",\n\"guest_pc\":\"0x2\"}}");
    EXPECT_EQ(unknown.line, 3U);
    EXPECT_NE(unknown.what.find("guest_pc"), std::string::npos);
    EXPECT_NE(unknown.what.find("hyperstep vmcs"), std::string::npos);

    EXPECT_EQ(refusal("{\n\n\"fields\":{\"guest_rip\":-1}}").line, 3U);
    EXPECT_EQ(refusal("{\n\"cpu\":\"pentium\"}").line, 2U);
    EXPECT_NE(refusal(R"({"fields":{"guest_rflag":"0x2"}})").what.find("guest_rflags"), std::string::npos);
    EXPECT_NE(refusal(R"({"cpu":"pentium"})").what.find("coffee-lake"), std::string::npos);
    EXPECT_EQ(refusal("{\"fields\":{\n}").line, 2U);
    EXPECT_NE(refusal(R"({"fields":{"guest_cs_sel":"0x10000"}})").what.find("16 bits"), std::string::npos);
    EXPECT_NE(refusal(R"({"schema":"hyperstep/state/9"})").what.find("hyperstep/state/1"), std::string::npos);
    refusal(R"({"memory":[{"gpa":"0x0","bytes":"0011"},{"gpa":"0x1","bytes":"22"}]})");
    refusal(R"({"memory":[{"gpa":"0xffffffffffffffff","bytes":"0011"}]})");
    refusal(R"({"memory":[{"gpa":"0x0","bytes":"0g"}]})");
    refusal(R"({"complete":1})");
    refusal(R"({"fields":[]})");
    refusal(R"({"fields":{"guest_rip":18446744073709551616}})");
    refusal(R"({"instruction":"vmenter"})");
    refusal(R"({"options":{"nmi_under_sti":"maybe"}})");
    refusal("[]");
    refusal("");
    refusal("{\"fields\":{\"\xff\":1}}");
}

TEST(StateJson, ARefusalQuotesNoControlCharacters) {
    EXPECT_NE(refusal(R"({"cpu":"a\u001b[31mb\u009bc"})").what.find("\"a?[31mb?c\""), std::string::npos);
}

TEST(StateJson, DeepAndLongTextsAreRefused) {
    refusal(std::string(1'000'000, '['));
    refusal(std::string(max_state_text + 1, ' '));
}

TEST(StateJson, EveryBoundaryStateSurvivesTheRoundTrip) {
    for (const vmx::Boundary& b : vmx::all_boundaries()) {
        SCOPED_TRACE(b.id);
        for (const vmx::State& state : {broken_state(b), twin_state(b)})
            EXPECT_TRUE(same(read(write_state(state, "all")).state, state)) << write_state(state, "all");
    }
}

TEST(StateJson, TwoWordsAtOneAddressSurviveToo) {
    vmx::State state = base_state(vmx::BaseState::long_mode);
    state.set(Slot::vmcs_link_pointer, 0x10'0000);  // the current VMCS
    state.set(Slot::link_word0, 0x8000'0015);
    EXPECT_TRUE(same(read(write_state(state, "all")).state, state));
}

TEST(StateJson, APartialStateKeepsWhatItKnows) {
    vmx::State state;
    state.set(Slot::guest_rflags, 2);
    state.set(Slot::guest_cr3, 0x2000);
    state.set(Slot::memory_pdpte1, 0x3001);
    state.set(Slot::cur_cpl, 0);
    const NamedState again = read(write_state(state, ""));
    EXPECT_TRUE(same(again.state, state));
    EXPECT_FALSE(again.cpu_given);
}

// A dump shows entries without the address of the area: "memory" cannot hold them.
TEST(StateJson, EntriesWithoutAnAddressAreLeftOut) {
    vmx::State state;
    state.msr_load = {{0xc000'0103, 0, 1}};
    const std::string written = write_state(state, "");
    EXPECT_EQ(written.find("msr_load_entries"), std::string::npos);
    const NamedState again = read(written);
    EXPECT_TRUE(again.state.msr_load.empty());
    EXPECT_FALSE(again.state.msr_load_complete);
}

TEST(StateJson, OtherCapabilitiesThanThePresetsAreWrittenOut) {
    vmx::State state = base_state(vmx::BaseState::long_mode);
    state.set(Slot::maxphyaddr, 52);
    const NamedState again = read(write_state(state, "all"));
    EXPECT_TRUE(same(again.state, state));
    EXPECT_EQ(again.cpu, "");
    EXPECT_TRUE(again.cpu_given);
}

}  // namespace
}  // namespace hyperstep::explain
