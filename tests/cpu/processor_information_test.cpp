#include <string>

#include <gtest/gtest.h>

#include "cpu/cpuid.hpp"
#include "cpu/msrs.hpp"
#include "tests/cpu/bare_machine.hpp"

// CPUID, model-specific registers, counters, random numbers.
namespace hyperstep::cpu {
namespace {

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault ud{.vector = Vector::ud};

/// `max` with every feature that a table of this file speaks of.
const Model& everything() {
    static const Model model = [] {
        Model each = model_max();
        each.features.set();
        return each;
    }();
    return model;
}

struct WriteCase {
    const char* what;
    std::uint32_t index;
    std::uint64_t value;
    bool allowed;
};

TEST(Wrmsr, EachRegisterTakesItsValues) {
    constexpr std::uint64_t not_canonical = 1ULL << 50;
    const WriteCase cases[] = {
        {"no such register", 0x1234'5678, 0, false},
        {"read-only: MTRRCAP", 0xfe, 0x508, false},
        {"read-only: PLATFORM_INFO", 0xce, 0, false},
        {"read-only: MCG_CAP", 0x179, 0, false},
        {"SYSENTER_CS: bits above 15 are not used", 0x174, 0x1'0000'0008, true},
        {"SYSENTER_ESP canonical", 0x175, 0xffff'8000'0000'0000, true},
        {"SYSENTER_ESP not canonical", 0x175, not_canonical, false},
        {"SYSENTER_EIP not canonical", 0x176, not_canonical, false},
        {"LSTAR not canonical", 0xc000'0082, not_canonical, false},
        {"CSTAR not canonical", 0xc000'0083, not_canonical, false},
        {"STAR is any value", 0xc000'0081, ~0ULL, true},
        {"FS_BASE not canonical", 0xc000'0100, not_canonical, false},
        {"KERNEL_GS_BASE not canonical", 0xc000'0102, not_canonical, false},
        {"TSC_AUX of 32 bits", 0xc000'0103, 0xffff'ffff, true},
        {"TSC_AUX of 33 bits", 0xc000'0103, 0x1'0000'0000, false},
        {"PAT: UC, WC, WT, WP, WB, UC-", 0x277, 0x0000'0706'0504'0100, true},
        {"PAT: type 2", 0x277, 0x2, false},
        {"PAT: type 3 in the last entry", 0x277, 3ULL << 56, false},
        {"PAT: type 8", 0x277, 8, false},
        {"MTRR_DEF_TYPE: E, FE, WB", 0x2ff, 0xc06, true},
        {"MTRR_DEF_TYPE: type 7", 0x2ff, 7, false},
        {"MTRR_DEF_TYPE: bit 8", 0x2ff, 0x100, false},
        {"MTRR base: WB", 0x200, 0x8000'0006, true},
        {"MTRR base: UC- is none of them", 0x200, 7, false},
        {"MTRR base: bit 11", 0x20e, 0x806, false},
        {"MTRR base: beyond MAXPHYADDR", 0x200, 1ULL << 46, false},
        {"MTRR mask: valid", 0x201, 0x3fff'8000'0800, true},
        {"MTRR mask: bit 0", 0x201, 0x801, false},
        {"MTRR mask: beyond MAXPHYADDR", 0x20f, 1ULL << 46, false},
        {"MTRR of 64 KiB: eight types", 0x250, 0x0606'0505'0404'0100, true},
        {"MTRR of 4 KiB: a type that is none", 0x26f, 0x0606'0706'0606'0606, false},
        {"MCG_STATUS: three bits", 0x17a, 7, true},
        {"MCG_STATUS: bit 3", 0x17a, 8, false},
        {"MISC_ENABLE: SpeedStep, which is not there", 0x1a0, 0x5'1801, false},
        {"MISC_ENABLE: read-only bits are ignored", 0x1a0, 0x4'1801, true},
        {"DEBUGCTL: BTF, which is not there", 0x1d9, 2, false},
        {"DEBUGCTL: nothing", 0x1d9, 0, true},
        {"XSS: no supervisor component", 0xda0, 1 << 8, false},
        {"PKRS of 32 bits", 0x6e1, 0xffff'ffff, true},
        {"PKRS of 33 bits", 0x6e1, 0x1'0000'0000, false},
        {"EFER: a reserved bit", 0xc000'0080, 0x200, false},
        {"FMASK of 33 bits", 0xc000'0084, 0x1'0000'0000, false},
        {"FEATURE_CONTROL: VMX outside SMX", 0x3a, 4, true},
        {"FEATURE_CONTROL: bit 3", 0x3a, 8, false},
        {"TSC_ADJUST", 0x3b, ~0ULL, true},
        {"an APIC register of a board without APIC", 0x802, 0, false},
    };
    for (const WriteCase& each : cases) {
        BareMachine machine{everything()};
        machine.cpu.state.cr4 = 0;
        const Outcome outcome = write_msr(machine.cpu, each.index, each.value);
        EXPECT_EQ(outcome.has_value(), each.allowed) << each.what;
        if (!outcome) {
            EXPECT_EQ(outcome.error(), gp0) << each.what;
        }
    }
}

TEST(Rdmsr, WhatWasWrittenIsRead) {
    for (const MsrName& each : msr_names()) {
        BareMachine machine{everything()};
        const auto before = read_msr(machine.cpu, each.index);
        if (!before) continue;  // write-only
        if (!write_msr(machine.cpu, each.index, *before)) continue;
        EXPECT_EQ(read_msr(machine.cpu, each.index), before) << each.name;
    }
}

TEST(Rdmsr, WithoutItsFeatureARegisterDoesNotExist) {
    Model model = model_max();
    model.features.reset();
    BareMachine machine{model};
    for (const MsrName& each : msr_names())
        if (each.feature != Feature::always) {
            EXPECT_FALSE(read_msr(machine.cpu, each.index)) << each.name;
            EXPECT_FALSE(write_msr(machine.cpu, each.index, 0)) << each.name;
        }
}

TEST(TimeStampCounter, AWriteMovesTheAdjustmentAndTheOtherWayRound) {
    BareMachine machine{everything()};
    Cpu& cpu = machine.cpu;
    machine.time.now = 1000;
    ASSERT_TRUE(write_msr(cpu, 0x10, 5000));
    EXPECT_EQ(read_msr(cpu, 0x3b), 4000U);
    machine.time.now = 1500;
    EXPECT_EQ(read_msr(cpu, 0x10), 5500U);
    ASSERT_TRUE(write_msr(cpu, 0x3b, 0));
    EXPECT_EQ(read_msr(cpu, 0x10), 1500U);
}

TEST(FeatureControl, IsLockedByItsFirstBit) {
    BareMachine machine{everything()};
    ASSERT_TRUE(write_msr(machine.cpu, 0x3a, 5));
    EXPECT_FALSE(write_msr(machine.cpu, 0x3a, 5));
    EXPECT_EQ(read_msr(machine.cpu, 0x3a), 5U);
}

TEST(MiscEnable, TakesAwayWhatCpuidShows) {
    BareMachine machine{everything()};
    Cpu& cpu = machine.cpu;
    EXPECT_NE(cpuid(cpu, 1, 0).ecx & 1 << 3, 0U);
    EXPECT_NE(cpuid(cpu, 0x8000'0001, 0).edx & 1 << 20, 0U);
    ASSERT_TRUE(write_msr(cpu, 0x1a0, 1ULL << 34 | 1 << 22));
    EXPECT_EQ(cpuid(cpu, 1, 0).ecx & 1 << 3, 0U) << "MONITOR";
    EXPECT_EQ(cpuid(cpu, 0x8000'0001, 0).edx & 1 << 20, 0U) << "execute disable";
    EXPECT_FALSE(write_msr(cpu, 0xc000'0080, 1 << 11)) << "and EFER.NXE with it";
    EXPECT_EQ(cpuid(cpu, 0, 0).eax, 2U) << "limited";
}

TEST(Cpuid, BitsThatFollowRegisters) {
    BareMachine machine{everything()};
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    EXPECT_EQ(cpuid(cpu, 1, 0).ecx & 1 << 27, 0U);
    EXPECT_EQ(cpuid(cpu, 7, 0).ecx & 1 << 4, 0U);
    cpu.state.cr4 |= Cr4::osxsave.mask | Cr4::pke.mask;
    EXPECT_NE(cpuid(cpu, 1, 0).ecx & 1 << 27, 0U) << "OSXSAVE";
    EXPECT_NE(cpuid(cpu, 7, 0).ecx & 1 << 4, 0U) << "OSPKE";
    EXPECT_NE(cpuid(cpu, 0x8000'0001, 0).edx & 1 << 11, 0U) << "SYSCALL in 64-bit mode";
    machine.enter_protected_32();
    cpu.state.msr.efer = 0;
    refresh(cpu);
    EXPECT_EQ(cpuid(cpu, 0x8000'0001, 0).edx & 1 << 11, 0U) << "and only there";
}

TEST(Cpuid, XsaveAreaSizes) {
    BareMachine machine{everything()};
    Cpu& cpu = machine.cpu;
    EXPECT_EQ(cpuid(cpu, 0xd, 0), (CpuidLeaf{.eax = 0x207, .ebx = 576, .ecx = 2696}));
    cpu.state.xcr0 = 7;
    EXPECT_EQ(cpuid(cpu, 0xd, 0).ebx, 832U);
    cpu.state.xcr0 = 0x203;
    EXPECT_EQ(cpuid(cpu, 0xd, 0).ebx, 2696U);
    EXPECT_EQ(cpuid(cpu, 0xd, 1).ebx, 584U) << "compacted";
    EXPECT_EQ(cpuid(cpu, 0xd, 2), (CpuidLeaf{.eax = 256, .ebx = 576}));
    EXPECT_EQ(cpuid(cpu, 0xd, 9), (CpuidLeaf{.eax = 8, .ebx = 2688}));
    EXPECT_EQ(cpuid(cpu, 0xd, 3), CpuidLeaf{});
    EXPECT_EQ(cpuid(cpu, 0xd, 0xffff'ffff), CpuidLeaf{});
}

TEST(Cpuid, VendorBrandAndLeavesBeyondTheGreatest) {
    BareMachine machine;
    Cpu& cpu = machine.cpu;
    const CpuidLeaf vendor = cpuid(cpu, 0, 0);
    EXPECT_EQ(vendor.ebx, 0x756e'6547U) << "Genu";
    EXPECT_EQ(vendor.edx, 0x4965'6e69U) << "ineI";
    EXPECT_EQ(vendor.ecx, 0x6c65'746eU) << "ntel";
    const CpuidLeaf greatest = cpuid(cpu, vendor.eax, 0);
    for (const std::uint32_t leaf : {vendor.eax + 1, 0x4000'0000U, 0x8000'0009U, 0xffff'ffffU})
        EXPECT_EQ(cpuid(cpu, leaf, 0), greatest) << leaf;
    EXPECT_EQ(cpuid(cpu, 0x8000'0000, 0).eax, 0x8000'0008U);
    EXPECT_EQ(cpuid(cpu, 0x8000'0002, 0).eax, 0x6570'7948U) << "Hype";
    EXPECT_EQ(cpuid(cpu, 0x8000'0008, 0).eax, 0x302eU) << "48 linear and 46 physical bits";
    EXPECT_EQ(cpuid(cpu, 0x15, 0), (CpuidLeaf{.eax = 1, .ebx = 1, .ecx = 1'000'000'000}));
    EXPECT_EQ(cpuid(cpu, 0xa, 0), CpuidLeaf{}) << "no performance monitoring";
}

TEST(Cpuid, Topology) {
    BareMachine board;
    Cpu cpu{{.memory = board.memory,
             .time = board.time,
             .board = board.board,
             .blocks = board.blocks,
             .model = model_max(),
             .topology = {.processors = 6}},
            5};
    const CpuidLeaf version = cpuid(cpu, 1, 0);
    EXPECT_EQ(version.ebx >> 24, 5U) << "initial APIC ID";
    EXPECT_EQ(version.ebx >> 16 & 0xff, 8U) << "addressable IDs";
    EXPECT_NE(version.edx & 1 << 28, 0U);
    EXPECT_EQ(cpuid(cpu, 0xb, 0), (CpuidLeaf{.eax = 0, .ebx = 1, .ecx = 0x100, .edx = 5}));
    EXPECT_EQ(cpuid(cpu, 0xb, 1), (CpuidLeaf{.eax = 3, .ebx = 6, .ecx = 0x201, .edx = 5}));
    EXPECT_EQ(cpuid(cpu, 0xb, 2), (CpuidLeaf{.eax = 0, .ebx = 0, .ecx = 2, .edx = 5}));
    EXPECT_EQ(cpuid(cpu, 4, 3).eax >> 14 & 0xfff, 7U) << "IDs that share the last cache";
    EXPECT_EQ(cpuid(cpu, 4, 0).eax >> 26, 7U) << "cores";
}

TEST(Models, NamesOfRealProcessorsAnnounceWhatIsImplemented) {
    const Model* coffee_lake = find_model("coffee-lake");
    ASSERT_NE(coffee_lake, nullptr);
    EXPECT_EQ(coffee_lake->physical_width, 39);
    EXPECT_TRUE((coffee_lake->features & ~model_max().features).none());
    EXPECT_TRUE((coffee_lake->lacking & model_max().features).none());
    EXPECT_TRUE(coffee_lake->lacking[static_cast<std::size_t>(Feature::sgx)]);
    EXPECT_FALSE(coffee_lake->has(Feature::pku)) << "that processor has none, though the interpreter does";
    EXPECT_EQ(find_model("no-such"), nullptr);
}

TEST(Rdrand, NumbersAreReadyAndFollowFromTheSeed) {
    BareMachine a, b;
    for (BareMachine* machine : {&a, &b}) {
        machine->enter_long_mode();
        machine->cpu.state.random = 42;
        machine->cpu.state.rflags = 2 | 0x8d4;
        ASSERT_TRUE(machine->run_code({0x48, 0x0f, 0xc7, 0xf0}));
        EXPECT_EQ(machine->cpu.state.rflags, 3U) << "CF alone";
    }
    EXPECT_EQ(a.cpu.state.gpr[rax], b.cpu.state.gpr[rax]);
    const std::uint64_t first = a.cpu.state.gpr[rax];
    ASSERT_TRUE(a.run_code({0x48, 0x0f, 0xc7, 0xf0}));
    EXPECT_NE(a.cpu.state.gpr[rax], first);
    a.cpu.state.gpr[rax] = ~0ULL;
    ASSERT_TRUE(a.run_code({0x66, 0x0f, 0xc7, 0xf8}));
    EXPECT_EQ(a.cpu.state.gpr[rax] >> 16, 0xffff'ffff'ffffU) << "RDSEED of 16 bits";
}

TEST(UserKeys, PkruIsReadAndWrittenAtAnyLevel) {
    BareMachine machine{everything()};
    machine.enter_long_mode(3);
    State& state = machine.cpu.state;
    state.gpr[rcx] = state.gpr[rdx] = 0;
    EXPECT_EQ(machine.run_code({0x0f, 0x01, 0xef}).error(), ud) << "without CR4.PKE";
    state.cr4 |= Cr4::pke.mask;
    refresh(machine.cpu);
    state.gpr[rax] = 0x5555'5550;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xef}));
    EXPECT_EQ(state.pkru, 0x5555'5550U);
    state.gpr[rdx] = 7;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xee}));
    EXPECT_EQ(state.gpr[rax], 0x5555'5550U);
    EXPECT_EQ(state.gpr[rdx], 0U);
    state.gpr[rcx] = 1;
    EXPECT_EQ(machine.run_code({0x0f, 0x01, 0xee}).error(), gp0);
    state.gpr[rcx] = 0;
    state.gpr[rdx] = 1;
    EXPECT_EQ(machine.run_code({0x0f, 0x01, 0xef}).error(), gp0);
}

TEST(Xgetbv, XinuseHasTheComponentsThatAreNotInitial) {
    BareMachine machine{everything()};
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    state.gpr[rcx] = 1;
    EXPECT_EQ(machine.run_code({0x0f, 0x01, 0xd0}).error(), ud) << "without CR4.OSXSAVE";
    state.cr4 |= Cr4::osxsave.mask;
    state.xcr0 = 7;
    state.vector[15][3] = 1;
    state.pkru = 1;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xd0}));
    EXPECT_EQ(state.gpr[rax], 5U) << "x87 as RESET leaves it is not its initial configuration";
    state.gpr[rcx] = 2;
    EXPECT_EQ(machine.run_code({0x0f, 0x01, 0xd0}).error(), gp0);
}

}  // namespace
}  // namespace hyperstep::cpu
