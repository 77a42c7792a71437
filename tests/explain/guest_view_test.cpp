// Register dumps that show what the guest believes: QEMU's and prints of KVM_GET_SREGS.
#include <gtest/gtest.h>

#include "explain/verdict.hpp"
#include "tests/explain/dump_samples.hpp"

namespace hyperstep::explain::test {
namespace {

using vmx::Slot;

constexpr std::string_view long_mode =
    "KVM: entry failed, hardware error 0x80000021\n"
    "RAX=0000000000000000 RBX=0000000000000001 RCX=0000000000000002 RDX=0000000000000003\n"
    "RSI=0000000000000000 RDI=0000000000000000 RBP=0000000000000000 RSP=ffffc90000017418\n"
    "R8 =0000000000000000 R9 =0000000000000000 R10=0000000000000000 R11=0000000000000000\n"
    "R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=0000000000000000\n"
    "RIP=ffffffff81000000 RFL=00010246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
    "ES =0000 0000000000000000 ffffffff 00c00000\n"
    "CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]\n"
    "SS =0018 0000000000000000 ffffffff 00c09200 DPL=0 DS   [-W-]\n"
    "DS =0000 0000000000000000 ffffffff 00c00000\n"
    "FS =0000 0000000000000000 ffffffff 00c00000\n"
    "GS =0000 ffff888236e00000 ffffffff 00c00000\n"
    "LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT\n"
    "TR =0040 fffffe0000003000 00004087 00008b00 DPL=0 TSS64-busy\n"
    "GDT=     fffffe0000001000 0000007f\n"
    "IDT=     fffffe0000000000 00000fff\n"
    "CR0=80050033 CR2=0000000000000000 CR3=0000000004442000 CR4=00020ef0\n"
    "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000\n"
    "DR6=00000000ffff0ff0 DR7=0000000000000400\n"
    "EFER=0000000000000d01\n"
    "Code=00 00 00 <90> 00\n";

TEST(Qemu, LongMode) {
    const std::vector<Dump> dumps = find_dumps(long_mode);
    ASSERT_EQ(dumps.size(), 1U);
    const Dump& dump = dumps[0];
    EXPECT_EQ(to_string(dump.format), "qemu");
    EXPECT_EQ(dump.reported.reason, 0x80000021U);
    EXPECT_TRUE(dump.reported.entry_failed);
    EXPECT_EQ(shown(dump, Slot::guest_cr0), "0x80000001/0x80000001");
    EXPECT_EQ(shown(dump, Slot::guest_cr4), "0x20020/0x20020");
    EXPECT_EQ(shown(dump, Slot::guest_efer), "0x500/0x500");
    EXPECT_EQ(shown(dump, Slot::entry_controls), "0x200/0x200");
    EXPECT_EQ(shown(dump, Slot::guest_cs_ar), "0xa09b");
    EXPECT_EQ(shown(dump, Slot::guest_ss_ar), "0xc092/0xfffffffe");  // KVM may set the accessed bit
    EXPECT_EQ(shown(dump, Slot::guest_ds_ar), "0x10000/0x10000");
    EXPECT_EQ(shown(dump, Slot::guest_tr_ar), "0x8b");
    EXPECT_EQ(shown(dump, Slot::guest_ldtr_ar), "0x82");
    EXPECT_EQ(shown(dump, Slot::guest_tr_base), "0xfffffe0000003000");
    EXPECT_EQ(shown(dump, Slot::guest_gdtr_limit), "0x7f");
    EXPECT_EQ(shown(dump, Slot::guest_rip), "0xffffffff81000000");
    EXPECT_EQ(shown(dump, Slot::guest_rflags), "0x10246");
    EXPECT_EQ(shown(dump, Slot::guest_cr3), "?");
    EXPECT_EQ(shown(dump, Slot::guest_dr7), "?");
}

TEST(Qemu, RealModeTellsNothingOfSegments) {
    const std::vector<Dump> dumps = find_dumps(
        "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000000\nESI=00000000 EDI=00000000 EBP=00000000 "
        "ESP=00000000\n"
        "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
        "CS =f000 ffff0000 0000ffff 00009b00\nTR =0000 00000000 0000ffff 00008b00\nGDT=     00000000 "
        "0000ffff\n"
        "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\nEFER=0000000000000000\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_base), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_ar), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cr0), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_cr4), "?");
    EXPECT_EQ(shown(dumps[0], Slot::guest_rflags), "0x2/0xfffffffffffdcfff");
    EXPECT_EQ(shown(dumps[0], Slot::guest_rip), "0xfff0/0xffffffff");
}

TEST(Qemu, NumbersOfTheMessage) {
    const auto reported = [](std::string_view number) {
        const std::vector<Dump> dumps =
            find_dumps("qemu-system-x86_64: KVM: entry failed, hardware error " + std::string{number} + "\n");
        EXPECT_EQ(dumps.size(), 1U);
        return dumps.empty() ? Reported{} : dumps[0].reported;
    };
    EXPECT_EQ(reported("0x80000021").reason, 0x80000021U);
    EXPECT_EQ(reported("0x80000022").reason, 0x80000022U);
    EXPECT_EQ(reported("0x7").instruction_error, 7U);
    EXPECT_TRUE(reported("0x7").entry_failed);
    for (const std::string_view none : {"0x0", "0xffffffff", "0xffffffffffffffff"}) {
        EXPECT_TRUE(reported(none).entry_failed);
        EXPECT_EQ(reported(none).svm, none != "0x0");
        EXPECT_FALSE(reported(none).reason);
        EXPECT_FALSE(reported(none).instruction_error);
    }
}

TEST(Qemu, NothingIsAccusedOnAnAmdProcessor) {
    // In VMX a stack segment above 4 GiB would be accused.
    const std::string registers{long_mode.substr(long_mode.find('\n'))};
    std::string text = "KVM: entry failed, hardware error 0xffffffff" + registers;
    text.replace(text.find("SS =0018 0000000000000000"), 25, "SS =0018 ffff000000000000");
    const std::vector<Dump> amd = find_dumps(text);
    ASSERT_EQ(amd.size(), 1U);
    const Verdict verdict = judge(amd[0], vmx::Capabilities{});
    EXPECT_TRUE(verdict.broken.empty());
    EXPECT_TRUE(verdict.unknown.empty());
    EXPECT_EQ(verdict.conclusion, Conclusion::unknown);
    ASSERT_EQ(amd[0].remarks.size(), 1U);
    EXPECT_NE(amd[0].remarks[0].find("AMD"), std::string::npos);

    text.replace(text.find("0xffffffff"), 10, "0x80000021");
    const std::vector<Dump> intel = find_dumps(text);
    ASSERT_EQ(intel.size(), 1U);
    EXPECT_FALSE(judge(intel[0], vmx::Capabilities{}).broken.empty());
}

TEST(Qemu, FillsWhatTheDumpLacksAndTheVmcsWins) {
    const std::string vmcs =
        "*** Guest State ***\nRFLAGS=0x00010246         DR7 = 0x0000000000000400\n"
        "TR:   sel=0x0048, attr=0x0008b, limit=0x00004087, base=0xfffffe0000003000\n";
    for (const std::string& text : {vmcs + std::string{long_mode}, std::string{long_mode} + vmcs}) {
        const std::vector<Dump> dumps = find_dumps(text);
        ASSERT_EQ(dumps.size(), 1U);
        EXPECT_EQ(to_string(dumps[0].format), "kvm");
        EXPECT_EQ(shown(dumps[0], Slot::guest_tr_sel), "0x48");
        EXPECT_EQ(shown(dumps[0], Slot::guest_cs_ar), "0xa09b");
        EXPECT_EQ(dumps[0].reported.reason, 0x80000021U);
        ASSERT_EQ(dumps[0].remarks.size(), 1U);
        EXPECT_NE(dumps[0].remarks[0].find("guest_tr_sel"), std::string::npos);
    }
}

TEST(Qemu, AnInstructionErrorMakesTheShownExitReasonAnOldOne) {
    const std::vector<Dump> dumps = find_dumps(
        "*** Control State ***\nVMExit: intr_info=00000000 errcode=00000000 ilen=00000000\n"
        "        reason=0000001e qualification=0000000000000000\nKVM: entry failed, hardware error 0x7\n");
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(dumps[0].reported.instruction_error, 7U);
    EXPECT_FALSE(dumps[0].reported.reason);
    EXPECT_TRUE(dumps[0].reported.entry_failed);
}

TEST(Qemu, InterleavedWithTheKernelsDump) {
    const std::vector<std::string> kernel = lines_of(sample("02-ept-violation-healthy"));
    const std::vector<std::string> qemu = lines_of(long_mode);
    std::vector<std::string> mixed;
    for (std::size_t i = 0; i < kernel.size(); ++i) {
        mixed.push_back("Jun 24 17:25:51 host1 kernel: " + kernel[i]);
        if (i >= 3 && i - 3 < qemu.size())
            mixed.push_back("Jun 24 17:25:51 host1 QEMU[2997]: " + qemu[i - 3]);
    }
    const std::vector<Dump> dumps = find_dumps(joined(mixed));
    const std::vector<Dump> alone = find_dumps(sample("02-ept-violation-healthy"));
    ASSERT_EQ(dumps.size(), 1U);
    for (const Slot slot : vmx::slots_of(vmx::SlotKind::field)) {
        if (!alone[0].state.knows(slot)) continue;
        EXPECT_EQ(shown(dumps[0], slot), shown(alone[0], slot)) << vmx::info(slot).name;
    }
}

TEST(Sregs, RustAndGoPrintDecimalNumbers) {
    const std::vector<Dump> rust = find_dumps(
        "kvm_sregs { cs: kvm_segment { base: 4294901760, limit: 65535, selector: 61440, type_: 11, present: "
        "1, dpl: 0, db: 0, s: 1, l: 0, "
        "g: 0, avl: 0, unusable: 0, padding: 0 }, ds: kvm_segment { base: 0, limit: 65535, selector: 16, "
        "type_: 3, present: 1, dpl: 0, "
        "db: 0, s: 1, l: 0, g: 0, avl: 0, unusable: 0, padding: 0 }, gdt: kvm_dtable { base: 1280, limit: "
        "31, padding: [0, 0, 0] }, "
        "cr0: 2147483665, cr2: 0, cr3: 0, cr4: 32, cr8: 0, efer: 1281, apic_base: 0 }\n");
    ASSERT_EQ(rust.size(), 1U);
    EXPECT_EQ(to_string(rust[0].format), "sregs");
    EXPECT_EQ(shown(rust[0], Slot::guest_cs_base), "0xffff0000");
    EXPECT_EQ(shown(rust[0], Slot::guest_cs_ar), "0x9b");
    EXPECT_EQ(shown(rust[0], Slot::guest_ds_sel), "0x10");
    EXPECT_EQ(shown(rust[0], Slot::guest_gdtr_base), "0x500");
    EXPECT_EQ(shown(rust[0], Slot::guest_efer), "0x500/0x500");
    EXPECT_EQ(shown(rust[0], Slot::guest_cr0), "0x80000001/0x80000001");

    const std::vector<Dump> go = find_dumps(
        "{CS:{Base:4096 Limit:65535 Selector:8 Typ:11 Type:11 Present:1 DPL:0 DB:1 S:1 L:0 G:1 AVL:0 "
        "Unusable:0}}\n");
    ASSERT_EQ(go.size(), 1U);
    EXPECT_EQ(shown(go[0], Slot::guest_cs_base), "0x1000");
}

TEST(Sregs, ShortPrintsAndRealMode) {
    const std::string print =
        "cs: base=0xffff0000 limit=0xffff sel=0xf000 type=0xb present=1 dpl=0 db=0 s=1 l=0 g=0 avl=0 "
        "unusable=0\n"
        "ss: base=0x0 limit=0xffff sel=0x0 type=0x3 present=1 dpl=0 db=0 s=1 l=0 g=0 avl=0 unusable=0\n";
    const std::vector<Dump> dumps = find_dumps(print);
    ASSERT_EQ(dumps.size(), 1U);
    EXPECT_EQ(shown(dumps[0], Slot::guest_cs_sel), "0xf000");
    EXPECT_EQ(shown(dumps[0], Slot::guest_ss_ar), "0x93");
    const std::vector<Dump> real = find_dumps(print + "cr0: 0x60000010 cr4: 0x0 efer: 0x0\n");
    ASSERT_EQ(real.size(), 1U);
    EXPECT_EQ(shown(real[0], Slot::guest_cs_sel), "?");
}

TEST(Sregs, FailureNumbers) {
    const std::vector<Dump> hex =
        find_dumps("KVM_EXIT_FAIL_ENTRY: hardware_entry_failure_reason = 0x80000021\n");
    ASSERT_EQ(hex.size(), 1U);
    EXPECT_EQ(hex[0].reported.reason, 0x80000021U);
    const std::vector<Dump> decimal =
        find_dumps("exit: FailEntry { hardware_entry_failure_reason: 2147483681, cpu: 0 }\n");
    ASSERT_EQ(decimal.size(), 1U);
    EXPECT_EQ(decimal[0].reported.reason, 0x80000021U);
}

}  // namespace
}  // namespace hyperstep::explain::test
