// KVM's and Xen's lines that the real dumps lack, and damage.
#include <gtest/gtest.h>

#include "tests/explain/dump_samples.hpp"

namespace hyperstep::explain::test {
namespace {

using vmx::Slot;

/// Sample 02 with a line put in front of the one that contains `mark`.
std::string with_lines_before(std::string_view mark, const std::vector<std::string>& added) {
    std::vector<std::string> lines;
    for (const std::string& line : lines_of(sample("02-ept-violation-healthy"))) {
        if (line.find(mark) != std::string::npos) lines.insert(lines.end(), added.begin(), added.end());
        lines.push_back(line);
    }
    return joined(lines);
}

TEST(KvmLines, ListsOfMsrs) {
    const std::vector<Dump> dumps =
        find_dumps(with_lines_before("*** Host State",
                                     {"MSR guest autoload:",
                                      "   0: msr=0x00000600 value=0x0000000000000001",
                                      "   1: msr=0x00000199 value=0x00000000ffff0000"}));
    ASSERT_EQ(dumps.size(), 1U);
    const vmx::State& state = dumps[0].state;
    EXPECT_EQ(shown(dumps[0], Slot::entry_msr_load_count), "0x2");
    ASSERT_EQ(state.msr_load.size(), 2U);
    EXPECT_EQ(state.msr_load[1], (vmx::MsrEntry{0x199, 0, 0xffff0000}));
    EXPECT_TRUE(state.msr_load_complete);
}

TEST(KvmLines, AListWithAGapIsNotTrusted) {
    const std::vector<Dump> dumps = find_dumps(with_lines_before(
        "*** Host State", {"MSR guest autoload:", "   1: msr=0x00000199 value=0x00000000ffff0000"}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::entry_msr_load_count), "?");
    EXPECT_FALSE(dumps[0].state.msr_load_complete);
    EXPECT_TRUE(dumps[0].state.msr_load.empty());
}

TEST(KvmLines, TheHostsListAndTheStoreListAreNotLoadedOnEntry) {
    const std::vector<Dump> dumps = find_dumps(with_lines_before(
        "*** Control State", {"MSR host autoload:", "   0: msr=0x00000600 value=0x0000000000000001"}));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_TRUE(dumps[0].state.msr_load.empty());
    EXPECT_EQ(shown(dumps[0], Slot::entry_msr_load_count), "?");
}

TEST(KvmLines, AbsentListIsEmptyOnlyIfTheGuestsPartIsWhole) {
    EXPECT_EQ(shown(find_dumps(sample("02-ept-violation-healthy")).at(0), Slot::entry_msr_load_count), "0x0");
    std::vector<std::string> lines = lines_of(sample("02-ept-violation-healthy"));
    std::erase_if(lines,
                  [](const std::string& line) { return line.find("Interruptibility") != std::string::npos; });
    EXPECT_EQ(shown(find_dumps(joined(lines)).at(0), Slot::entry_msr_load_count), "?");
}

TEST(KvmLines, TwoDumpsInOneText) {
    const std::vector<Dump> dumps = find_dumps(sample("01-smm-sti") + sample("02-ept-violation-healthy"));
    ASSERT_EQ(dumps.size(), 2U);
    EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
    EXPECT_EQ(dumps[1].reported.reason, 0x30U);
    EXPECT_LT(dumps[0].line_last, dumps[1].line_first);
}

TEST(KvmLines, OlderKernels) {
    const std::vector<Dump> dumps = find_dumps(
        "*** Guest State ***\n"
        "EFER =     0x0000000000000501  PAT = 0x0007040600070406\n"
        "PerfGlobCtl = 0x000000000000000f\n"
        "*** Host State ***\n"
        "EFER = 0x0000000000000d01  PAT = 0x0407050600070106\n"
        "*** Control State ***\n"
        "PinBased=0000003f CPUBased=b6a1edfa SecondaryExec=000000ea\n"
        "EntryControls=0000d3ff ExitControls=002fefff\n"
        "TPR Threshold = 0x02\n"
        "CR3 target0=0000000000001000 target1=0000000000002000\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_efer), "0x501");
    EXPECT_EQ(shown(dumps[0], Slot::host_efer), "0xd01");
    EXPECT_EQ(shown(dumps[0], Slot::host_pat), "0x407050600070106");
    EXPECT_EQ(shown(dumps[0], Slot::guest_perf_global_ctrl), "0xf");
    EXPECT_EQ(shown(dumps[0], Slot::tpr_threshold), "0x2");
    EXPECT_EQ(shown(dumps[0], Slot::cr3_target1), "0x2000");
}

TEST(KvmLines, AutoloadedEferIsNotTheField) {
    const std::vector<Dump> dumps = find_dumps(
        "*** Guest State ***\nRFLAGS=0x00000002         DR7 = 0x0000000000000400\n"
        "EFER= 0x0000000000000d01 (autoload)\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_efer), "?");
}

TEST(KvmLines, WrappedInsideKeys) {
    const std::vector<Dump> dumps = find_dumps(
        "> *** Guest State ***\n> RSP = 0xfffffe0000001000  RIP\n> = 0x0000000000001234\n"
        "> Sysenter\n> RSP=0000000000000011 CS:RIP=0010:0000000000000022\n"
        "> CS:   sel=0x0010, attr=0x0a09b, limit=0xffffffff,\n> base=0x0000000000000000\n"
        "> *** Control State ***\n> TSC\n> Offset = 0x0000000000000005\n> TPR\n> Threshold = 0x01\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_rip), "0x1234");
    EXPECT_EQ(shown(dumps[0], Slot::guest_sysenter_eip), "0x22");
    EXPECT_EQ(shown(dumps[0], Slot::guest_sysenter_esp), "0x11");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_base), "0x0");
    EXPECT_EQ(shown(dumps[0], Slot::tsc_offset), "0x5");
    EXPECT_EQ(shown(dumps[0], Slot::tpr_threshold), "0x1");
}

TEST(KvmLines, AbsurdValuesAreRemarksAndUnknown) {
    const std::vector<Dump> dumps = find_dumps(
        "*** Guest State ***\n"
        "CS:   sel=0x12345, attr=0x0a09b, limit=0x1ffffffff, base=0x123456789abcdef01\n"
        "RFLAGS=0xzz         DR7 = 0x0000000000000400\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_sel), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_limit), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_base), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_rflags), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_ar), "0xa09b");
    EXPECT_EQ(dumps[0].remarks.size(), 4U);
}

TEST(KvmLines, AValueShownTwiceWithADifferenceIsUnknown) {
    const std::vector<Dump> dumps = find_dumps(
        "*** Control State ***\nTSC Offset = 0x0000000000000005\nTSC Offset = 0x0000000000000006\nTSC Offset "
        "= 0x0000000000000005\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::tsc_offset), "?");
    EXPECT_EQ(dumps[0].remarks.size(), 1U);
}

TEST(KvmLines, HostLinesDoNotBecomeTheGuestsWithoutTheirHeader) {
    std::vector<std::string> lines = lines_of(sample("01-smm-sti"));
    std::erase_if(lines,
                  [](const std::string& line) { return line.find("*** Host State") != std::string::npos; });
    const std::vector<Dump> dumps = find_dumps(joined(lines));
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_efer), "0x0");
    EXPECT_EQ(shown(dumps[0], Slot::guest_rip), "0x8000");
    EXPECT_EQ(shown(dumps[0], Slot::host_efer), "0xd01");
}

TEST(XenLines, MsrLoadingGivesTheEntry) {
    const std::vector<Dump> dumps = find_dumps(
        "(XEN) d3v1 vmentry failure (reason 0x80000022): MSR loading (entry 3)\n"
        "(XEN) ************* VMCS Area **************\n(XEN) *** Guest State ***\n"
        "(XEN) CR3 = 0x0000000000001000\n(XEN) **************************************\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(to_string(dumps[0].format), "xen");
    EXPECT_EQ(dumps[0].reported.reason, 0x80000022U);
    EXPECT_EQ(dumps[0].reported.qualification, 3U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cr3), "0x1000");
}

TEST(XenLines, OneDumpForEachVirtualProcessor) {
    const std::string head = "(XEN) *********** VMCS Areas **************\n(XEN) >>> Domain 3 <<<\n";
    const auto vcpu = [](int n) {
        return "(XEN)   VCPU " + std::to_string(n) +
               "\n(XEN) *** Guest State ***\n(XEN) CR3 = 0x000000000000" + std::to_string(n) + "000\n" +
               "(XEN) EFER(VMCS) = 0x0000000000000500  PAT = 0x0007040600070406\n";
    };
    const std::vector<Dump> dumps = find_dumps(head + vcpu(0) + vcpu(1) + vcpu(2));
    ASSERT_EQ(dumps.size(), 3U);
    EXPECT_EQ(shown(dumps[2], Slot::guest_cr3), "0x2000");
    EXPECT_EQ(shown(dumps[2], Slot::guest_efer), "0x500");
}

TEST(XenLines, AnInstructionErrorAheadOfTheDump) {
    const std::string exit_lines =
        "(XEN) RFLAGS=0x00010002 (0x00010002)  DR7 = 0x0000000000000400\n"
        "(XEN) *** Control State ***\n"
        "(XEN) VMExit: intr_info=00000000 errcode=00000000 ilen=00000005\n"
        "(XEN)         reason=00000030 qualification=0000000000000181\n";
    const std::string guest = "(XEN) *** Guest State ***\n" + exit_lines;
    for (const std::string banner : {"(XEN) d2v0 VMLAUNCH error: 0x7\n", "> (XEN) VMRESUME error: 0x7\n"}) {
        const std::vector<Dump> dumps = find_dumps(banner + guest);
        ASSERT_EQ(dumps.size(), 1U) << banner;
        EXPECT_EQ(dumps[0].format, Format::xen);
        EXPECT_EQ(dumps[0].line_first, 1U);
        EXPECT_TRUE(dumps[0].reported.entry_failed);
        EXPECT_EQ(dumps[0].reported.instruction_error, 7U);
        EXPECT_EQ(dumps[0].reported.reason, std::nullopt);  // the exit shown came before
        EXPECT_EQ(dumps[0].remarks.size(), 1U);
    }
    const std::vector<Dump> without = find_dumps(guest);
    ASSERT_EQ(without.size(), 1U);
    EXPECT_FALSE(without[0].reported.entry_failed);
    EXPECT_EQ(without[0].reported.reason, 0x30U);
}

TEST(Hostile, NothingIsFoundInNothing) {
    EXPECT_TRUE(find_dumps("").empty());
    EXPECT_TRUE(find_dumps("\n\n\n").empty());
    EXPECT_TRUE(find_dumps("Dear all, my guest does not start. CR0 = bad? reason=unknown\n").empty());
    std::string binary;
    std::uint32_t x = 12345;
    for (int i = 0; i < 200'000; ++i) {
        x = x * 1664525U + 1013904223U;
        binary += static_cast<char>(x >> 24U);
    }
    EXPECT_TRUE(find_dumps(binary).empty());
}

TEST(Hostile, EndlessLinesAndManyDumpsAreBounded) {
    DumpScanner scanner;
    const std::string endless(1U << 20U, 'A');
    for (int i = 0; i < 8; ++i) scanner.feed(endless);
    scanner.feed("\n");
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += "*** Guest State ***\nRFLAGS=0x00000002         DR7 = 0x0000000000000400\n";
    for (int i = 0; i < 120; ++i) scanner.feed(many);
    EXPECT_EQ(scanner.finish().size(), 10'000U);
    EXPECT_TRUE(scanner.finish().empty());
}

// A terminal obeys them, wherever the message is printed.
TEST(Hostile, NoControlCharacterReachesTheMessage) {
    const std::vector<Dump> dumps = find_dumps(
        "(XEN) d3v1 vmentry failure (reason 0x80000021): \x1b]2;title\x07\x08\x7f\xc2\x9b"
        "1m (0)\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps[0].reported.message, "]2;title    1m (0)");
}

TEST(Hostile, BytesChangedAtRandom) {
    std::uint32_t x = 1;
    const auto next = [&x] { return x = x * 1664525U + 1013904223U; };
    for (const std::string& name : sample_names())
        for (int round = 0; round < 60; ++round) {
            std::string text = sample(name);
            for (int i = 0; i < 20; ++i)
                text[(next() >> 8U) % text.size()] = static_cast<char>(next() >> 24U);
            EXPECT_LE(find_dumps(text).size(), 8U);
        }
}

}  // namespace
}  // namespace hyperstep::explain::test
