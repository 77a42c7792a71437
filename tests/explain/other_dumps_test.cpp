// Field lists, our own objects, trace events, the emulated VMCS, and hypervisors beside KVM and Xen.
#include <gtest/gtest.h>

#include "tests/explain/dump_samples.hpp"

namespace hyperstep::explain::test {
namespace {

using vmx::Slot;

struct Spelling {
    std::string_view line;
    Slot slot;
    std::string_view value;
};

TEST(FieldLists, EverySpelling) {
    const std::vector<Spelling> spellings{
        {"guest_cr0 = 0x80000031", Slot::guest_cr0, "0x80000031"},
        {"guest_cr0: 0x80000031", Slot::guest_cr0, "0x80000031"},
        {"guest_cr0 0x80000031", Slot::guest_cr0, "0x80000031"},
        {"  GUEST_CS_AR_BYTES = 0xa09b", Slot::guest_cs_ar, "0xa09b"},
        {"VM_ENTRY_CONTROLS=0xd1ff", Slot::entry_controls, "0xd1ff"},
        {"CPU_BASED_VM_EXEC_CONTROL: 0xb5a06dfa", Slot::primary_controls, "0xb5a06dfa"},
        {"vmcs12->guest_rflags = 0x2", Slot::guest_rflags, "0x2"},
        {"Guest CS access rights: 0x9b", Slot::guest_cs_ar, "0x9b"},
        {"VM-entry interruption-information field = 0x800000d1", Slot::entry_intr_info, "0x800000d1"},
        {"VMCS_32BIT_GUEST_CS_ACCESS_RIGHTS = 0x9b", Slot::guest_cs_ar, "0x9b"},
        {"VMX_VMCS32_GUEST_CS_ACCESS_RIGHTS = 0x9b", Slot::guest_cs_ar, "0x9b"},
        {"GUEST_IA32_EFER = 0xd01", Slot::guest_efer, "0xd01"},
        {"0x681e = 0x1234", Slot::guest_rip, "0x1234"},
        {"681e: 0x1234", Slot::guest_rip, "0x1234"},
        {"VMCS[0x681e] = 0x1234", Slot::guest_rip, "0x1234"},
        {"vmread(0x681e) = 0x1234", Slot::guest_rip, "0x1234"},
        {"0x681e GUEST_RIP = 0x1234", Slot::guest_rip, "0x1234"},
        {"GUEST_RIP (0x681e): 0x1234", Slot::guest_rip, "0x1234"},
        {"\"guest_rip\": \"0x1234\",", Slot::guest_rip, "0x1234"},
        {"guest_rip = 1234h", Slot::guest_rip, "0x1234"},
        {"guest_cr3 = 0x0000_0001_2345_6000", Slot::guest_cr3, "0x123456000"},
        {"guest_rflags = 2", Slot::guest_rflags, "0x2"},
    };
    for (const Spelling& s : spellings) {
        const std::vector<Dump> dumps = find_dumps(std::string{s.line} + "\n0x4012 = 0xd1ff\n");
        ASSERT_EQ(dumps.size(), 1U) << s.line;
        EXPECT_EQ(to_string(dumps[0].format), "fields");
        EXPECT_EQ(shown(dumps[0], s.slot), s.value) << s.line;
    }
}

TEST(FieldLists, SeveralOnALineAndHalves) {
    const std::vector<Dump> dumps = find_dumps(
        "GUEST_CS_SELECTOR=0x10, GUEST_CS_LIMIT=0xffffffff, GUEST_CS_BASE=0x0\nEPT_POINTER = 0x11aa2d01e\n"
        "TSC_OFFSET = 0x1\nMSR_BITMAP_HIGH = 0x5\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_sel), "0x10");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_limit), "0xffffffff");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_base), "0x0");
    EXPECT_EQ(shown(dumps[0], Slot::eptp), "0x11aa2d01e");
    EXPECT_EQ(shown(dumps[0], Slot::msr_bitmap), "0x500000000/0xffffffff00000000");
}

TEST(FieldLists, WhatMayBeDecimalIsUnknown) {
    const std::vector<Dump> dumps = find_dumps("guest_rip = 32768\nguest_rflags = 2\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_rip), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_rflags), "0x2");
    EXPECT_EQ(dumps[0].remarks.size(), 1U);
    const std::vector<Dump> hex = find_dumps("guest_rip = 8000\nguest_cr0 = 8005003b\n");
    ASSERT_EQ(hex.size(), 1U);
    EXPECT_EQ(shown(hex[0], Slot::guest_rip), "0x8000");
}

TEST(FieldLists, ReasonsAreReported) {
    const std::vector<Dump> dumps =
        find_dumps("exit_reason = 0x80000021\nexit_qualification = 0x4\nguest_cr0 = 0x21\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
    EXPECT_EQ(dumps[0].reported.qualification, 4U);
    EXPECT_TRUE(dumps[0].reported.entry_failed);
}

TEST(FieldLists, ALastNumberWithoutALineEndMayBeCut) {
    const std::vector<Dump> dumps = find_dumps("guest_rflags = 0x2\nguest_rip = 0x80");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_rip), "?");
}

TEST(StateObjects, AloneSpreadOverLinesAndInsideAnother) {
    const std::string state =
        R"({"schema":"hyperstep/state/1","complete":false,"fields":{"guest_rflags":"0x2","guest_cr0":"0x80000031"}})";
    std::string spread;
    for (const char c : state) {
        spread += c;
        if (c == ',' || c == '{') spread += '\n';
    }
    const std::string inside =
        R"({"rule":"guest.rflags.reserved","side":"broken","also_broken":[],"state":)" + state + "}";
    for (const std::string& text : {state, spread, inside}) {
        const std::vector<Dump> dumps = find_dumps(text + "\n");
        ASSERT_EQ(dumps.size(), 1U) << text;
        EXPECT_EQ(to_string(dumps[0].format), "hyperstep");
        EXPECT_EQ(shown(dumps[0], Slot::guest_rflags), "0x2");
        EXPECT_EQ(shown(dumps[0], Slot::guest_cr0), "0x80000031");
        EXPECT_EQ(shown(dumps[0], Slot::guest_cr3), "?");
        EXPECT_TRUE(dumps[0].remarks.empty());
    }
    EXPECT_EQ(find_dumps(state + "\n" + state + "\n").size(), 2U);
}

TEST(StateObjects, DeepOrForeignObjectsAreNone) {
    EXPECT_TRUE(find_dumps(R"({"schema":"other/1","x":{"guest_cr0":1}})").empty());
    EXPECT_TRUE(find_dumps("{\"a\":" + std::string(100'000, '[') + "\n").empty());
    EXPECT_TRUE(find_dumps("{\n\"schema\":\"hyperstep/state/1\",\n").empty());
}

TEST(Ftrace, LastExitAndNestedFailures) {
    const std::vector<Dump> dumps = find_dumps(
        " CPU 0/KVM-123 [003] d..1. 100.000001: kvm_entry: vcpu 0, rip 0xfff0\n"
        " CPU 0/KVM-123 [003] d..1. 100.000002: kvm_exit: vcpu 0 reason EPT_MISCONFIG rip 0x1234 info1 0x5 "
        "info2 0x0 intr_info 0x0 error_code 0x0\n"
        " CPU 0/KVM-123 [003] d..1. 100.000003: kvm_nested_vmenter_failed: CC(!nested_guest_cr0_valid(vcpu, "
        "vmcs12->guest_cr0))\n"
        " CPU 0/KVM-123 [003] d..1. 100.000004: kvm_exit: reason EPT_VIOLATION rip 0x2222 info 181 0\n");
    ASSERT_EQ(dumps.size(), 2U);
    EXPECT_EQ(to_string(dumps[0].format), "ftrace");
    EXPECT_TRUE(dumps[0].reported.entry_failed);
    EXPECT_NE(dumps[0].reported.message.find("guest_cr0"), std::string::npos);
    EXPECT_FALSE(dumps[0].reported.reason);
    EXPECT_FALSE(dumps[1].reported.entry_failed);
    EXPECT_EQ(dumps[1].reported.reason, 48U);
    EXPECT_EQ(dumps[1].reported.qualification, 0x181U);
    EXPECT_EQ(shown(dumps[1], Slot::guest_rip), "0x2222");
}

void put(std::string& bytes, std::size_t offset, std::uint64_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) bytes.at(offset + i) = static_cast<char>(value >> (8 * i));
}

/// An emulated VMCS with a few fields; offsets of struct vmcs12 in Linux 6.1.
std::string emulated_vmcs() {
    std::string bytes(4096, '\0');
    put(bytes, 0, 0x11e57ed0, 4);
    put(bytes, 424, 0x80000031, 8);  // guest_cr0
    put(bytes, 780, 0xd1ff, 4);      // vm_entry_controls
    put(bytes, 812, 0x80000021, 4);  // vm_exit_reason
    put(bytes, 966, 0x10, 2);        // guest_cs_selector
    put(bytes, 996, 0x1ff, 2);       // guest_pml_index
    return bytes;
}

TEST(Vmcs12, BareAndInTheStateOfKvm) {
    std::string header(128, '\0');
    put(header, 8, 0x1000, 8);
    put(header, 16, 0x2000, 8);
    for (const std::string& bytes :
         {emulated_vmcs(), header + emulated_vmcs(), header + emulated_vmcs() + std::string(4096, '\0')}) {
        const std::vector<Dump> dumps = find_dumps(bytes);
        ASSERT_EQ(dumps.size(), 1U);
        EXPECT_EQ(to_string(dumps[0].format), "vmcs12");
        EXPECT_EQ(shown(dumps[0], Slot::guest_cr0), "0x80000031");
        EXPECT_EQ(shown(dumps[0], Slot::entry_controls), "0xd1ff");
        EXPECT_EQ(shown(dumps[0], Slot::guest_cs_sel), "0x10");
        EXPECT_EQ(shown(dumps[0], Slot::pml_index), "0x1ff");
        EXPECT_EQ(shown(dumps[0], Slot::guest_rflags), "0x0");
        EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
        EXPECT_TRUE(dumps[0].reported.entry_failed);
    }
    const Dump whole = find_dumps(header + emulated_vmcs()).at(0);
    EXPECT_EQ(whole.state[Slot::current_vmcs].value, 0x2000U);
}

TEST(Vmcs12, CutAnywhere) {
    const std::string bytes = emulated_vmcs();
    for (std::size_t end = 4; end < 1000; ++end) {
        const std::vector<Dump> dumps = find_dumps(std::string_view{bytes}.substr(0, end));
        ASSERT_EQ(dumps.size(), 1U);
        EXPECT_EQ(shown(dumps[0], Slot::guest_cr0), end >= 432 ? "0x80000031" : "?") << end;
    }
}

TEST(Svm, AVmcbIsRecognisedAndNotRead) {
    constexpr std::string_view lines =
        "VMCB Control Area:\n"
        "cr_read:            0010\n"
        "pause filter count: 0\n"
        "tsc_offset:         ffff92710e0ed2c0\n"
        "exit_code:          00000400\n"
        "VMCB State Save Area:\n"
        "es:   s: 0010 a: 0c93 l: ffffffff b: 0000000000000000\n"
        "cs:   s: 0008 a: 049b l: ffffffff b: 0000000000000000\n"
        "tr:   s: 0000 a: 0083 l: 0000ffff b: 0000000000000000\n"
        "cpl:            0                efer:         0000000000001000\n"
        "cr0:            0000000000000011 cr2:          0000000000000000\n"
        "rip:            00000000000fd0a2 rflags:       0000000000000046\n";
    for (const std::string prefix : {"", "[47175.214140] SVM: ", "kvm_amd: "}) {
        std::string text;
        for (const std::string& line : lines_of(lines)) text += prefix + line + '\n';
        const std::vector<Dump> dumps = find_dumps(text);
        ASSERT_EQ(dumps.size(), 1U) << prefix;
        EXPECT_EQ(dumps[0].format, Format::svm);
        EXPECT_EQ(dumps[0].line_last, 12U);
        EXPECT_TRUE(dumps[0].reported.svm);
        EXPECT_FALSE(dumps[0].reported.entry_failed);
        EXPECT_EQ(shown(dumps[0], Slot::guest_cr0), "?");
        EXPECT_EQ(dumps[0].remarks.size(), 1U);
    }
    const std::vector<Dump> failed =
        find_dumps("kvm_amd: VMCB Control Area:\nkvm_amd: exit_code:          ffffffff\n");
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_TRUE(failed[0].reported.entry_failed);
}

TEST(Haxm, TwoPrintsAndUnknownEncodings) {
    const std::vector<Dump> dumps = find_dumps(
        "haxm_error: exit_invalid_guest_state(): the vmexit counter is 5.\nhaxm_error: 4000 "
        "VMX_PIN_CONTROLS: 1f\n"
        "haxm_error: 7ffe VMX_NEWER_FIELD: 1\nhaxm_error: 4402 VM_EXIT_INFO_REASON: 80000021\n"
        "haxm_error: exit_invalid_guest_state(): the vmexit counter is 6.\nhaxm_error: 4000 "
        "VMX_PIN_CONTROLS: 3f\n");
    ASSERT_EQ(dumps.size(), 2U);
    EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
    EXPECT_EQ(shown(dumps[1], Slot::pin_controls), "0x3f");
}

TEST(VirtualBox, ProtectedModeShowsItsSegments) {
    const std::vector<Dump> dumps = find_dumps(
        "00:00:05.485406 CPU[0]: VT-x info:\n00:00:05.485407   rcLastExitToR3     = "
        "VERR_VMX_INVALID_GUEST_STATE\n"
        "00:00:05.485410     Real-on-v86 active = false\n"
        "00:00:05.481475 cs={0008 base=0000000000000000 limit=ffffffff flags=0000cf9b} cr0=80000011 "
        "cr2=00000000\n"
        "00:00:05.481476 HM: CPU[0] Exit reason          0x80000021\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_ar), "0xc09b/0x1f0ff");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_limit), "0xffffffff");
}

}  // namespace
}  // namespace hyperstep::explain::test
