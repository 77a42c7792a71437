#include "cpu/smm.hpp"

#include <gtest/gtest.h>

#include "cpu/boundary.hpp"
#include "tests/cpu/bare_machine.hpp"

// System-management mode: what an SMI saves, how the handler begins, what RSM takes.
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t smbase = 0x3'0000;  ///< after RESET
constexpr std::uint64_t map = smbase + 0x8000;

/// Lets an SMI be taken, and puts RSM where the handler begins.
void take_smi(BareMachine& machine) {
    machine.cpu.state.signals.smi = true;
    machine.put(machine.cpu.state.msr.smbase + 0x8000, {0x0f, 0xaa});
    ASSERT_EQ(at_boundary(machine.cpu), Boundary::event_taken);
}

TEST(Smi, SavesTheStateWhereTheManualHasIt) {
    BareMachine machine;
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    for (unsigned i = 0; i < 16; ++i) state.gpr[i] = 0x1111'0000'0000'0000 + i;
    state.rip = 0xffff'8000'0012'3456;
    state.rflags = 0x246;
    state.gdtr = {.base = 0xffff'8000'1000'2000, .limit = 0x7f};
    state.segment[fs].selector = 0x33;
    take_smi(machine);
    struct Slot {
        std::uint64_t offset;
        unsigned bytes;
        std::uint64_t value;
    };
    const Slot slots[] = {
        {0x7ff8, 8, 0x8000'0033},
        {0x7ff0, 8, BareMachine::tables},
        {0x7fe8, 8, 0x246},
        {0x7fe0, 8, 0xd01},
        {0x7fd8, 8, 0xffff'8000'0012'3456},
        {0x7fb8, 4, 0x33},
        {0x7fac, 4, 0x08},
        {0x7f94, 8, 0x1111'0000'0000'0007},
        {0x7f5c, 8, 0x1111'0000'0000'0000},
        {0x7f54, 8, 0x1111'0000'0000'0008},
        {0x7f1c, 8, 0x1111'0000'0000'000f},
        {0x7f02, 2, 0},
        {0x7ef8, 4, smbase},
        {0x7e8c, 4, 0x1000'2000},
        {0x7dd0, 4, 0xffff'8000},
        {0x7e40, 8, 0x620},
    };
    for (const Slot& each : slots)
        EXPECT_EQ(machine.get(map + each.offset, each.bytes), each.value) << std::hex << each.offset;
    EXPECT_EQ(machine.get(map + 0x7efc, 4) >> 16 & 3, 2U) << "SMBASE can be relocated, I/O not restarted";
}

TEST(Smi, TheHandlerBeginsInRealModeWithSegmentsOf4GiB) {
    BareMachine machine;
    machine.enter_long_mode();
    take_smi(machine);
    const Cpu& cpu = machine.cpu;
    EXPECT_EQ(cpu.mode, Mode::real);
    EXPECT_EQ(cpu.state.rip, 0x8000U);
    EXPECT_EQ(cpu.state.segment[cs].base, smbase);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x3000);
    EXPECT_EQ(cpu.state.segment[ds].limit, 0xffff'ffffU);
    EXPECT_EQ(cpu.state.rflags, 2U);
    EXPECT_EQ(cpu.state.cr4, 0U);
    EXPECT_EQ(cpu.state.msr.efer, 0U);
    EXPECT_EQ(cpu.state.dr7, 0x400U);
    EXPECT_EQ(cpu.state.cr0 & 0x8000'000d, 0U);
    machine.cpu.state.signals.smi = true;
    machine.cpu.state.signals.nmi = true;
    EXPECT_NE(at_boundary(machine.cpu), Boundary::event_taken) << "SMIs and NMIs are blocked";
}

TEST(Rsm, GivesBackTheWholeState) {
    for (int mode = 0; mode < 4; ++mode) {
        BareMachine machine;
        if (mode == 0) machine.enter_real_mode();
        if (mode == 1) machine.enter_protected_16();
        if (mode == 2) machine.enter_protected_32(3);
        if (mode == 3) machine.enter_long_mode(3);
        State& state = machine.cpu.state;
        state.cr4 = mode == 3 ? Cr4::pae.mask : 0;
        refresh(machine.cpu);
        state.segment[gs].base = 0x1234'0000;
        state.blocking.sti = true;
        state.ldtr = {.selector = 0x40, .base = 0x5000, .limit = 0x27, .rights = {{0x82}}};
        State before = state;
        take_smi(machine);
        ASSERT_TRUE(execute_one(machine.cpu)) << mode;
        before.retired = machine.cpu.state.retired;
        EXPECT_EQ(machine.cpu.state, before) << mode;
    }
}

TEST(Rsm, OutsideTheModeIsUndefined) {
    BareMachine machine;
    machine.enter_real_mode();
    const Outcome outcome = machine.run_code({0x0f, 0xaa});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::ud}));
}

TEST(Rsm, RelocatesSmbase) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.cr4 = 0;
    take_smi(machine);
    machine.memory.write(Hpa{map + 0x7ef8}, 4, 0x5'0000);
    ASSERT_TRUE(execute_one(machine.cpu));
    take_smi(machine);
    EXPECT_EQ(machine.cpu.state.segment[cs].base, 0x5'0000U);
    EXPECT_EQ(machine.get(0x5'0000 + 0xfef8, 4), 0x5'0000U);
}

TEST(Rsm, ReturnsToHltUnlessTheHandlerSaysOtherwise) {
    for (const bool restart : {true, false}) {
        BareMachine machine;
        machine.enter_protected_32();
        machine.cpu.state.cr4 = 0;
        machine.cpu.state.activity = Activity::halted;
        take_smi(machine);
        EXPECT_EQ(machine.cpu.state.activity, Activity::active);
        EXPECT_EQ(machine.get(map + 0x7f02, 2), 1U);
        if (!restart) machine.memory.write(Hpa{map + 0x7f02}, 2, 0);
        ASSERT_TRUE(execute_one(machine.cpu));
        EXPECT_EQ(machine.cpu.state.activity, restart ? Activity::halted : Activity::active);
    }
}

TEST(Rsm, AStateThatCannotBeIsAShutdown) {
    struct Case {
        const char* what;
        std::uint64_t offset;
        std::uint64_t value;
    };
    const Case cases[] = {
        {"CR4: a reserved bit", 0x7e40, 1ULL << 15 | 0x20},
        {"CR0: PG without PE", 0x7ff8, 0x8000'0010},
        {"CR0: NW without CD", 0x7ff8, 0xa000'0011},
        {"CR4: long mode without PAE", 0x7e40, 0},
        {"EFER: a reserved bit", 0x7fe0, 0xf01},
        {"EFER: LMA without LME", 0x7fe0, 0x400},
        {"CR3: beyond MAXPHYADDR", 0x7ff0, 1ULL << 60},
        {"RFLAGS: VM in IA-32e mode", 0x7fe8, 0x2'0002},
        {"GDTR: a base that is not canonical", 0x7dd0, 0x0800'0000},
    };
    for (const Case& each : cases) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.cr4 = Cr4::pae.mask;
        refresh(machine.cpu);
        take_smi(machine);
        machine.memory.write(Hpa{map + each.offset}, 8, each.value);
        const Outcome outcome = execute_one(machine.cpu);
        ASSERT_FALSE(outcome) << each.what;
        EXPECT_EQ(outcome.error().kind, Fault::Kind::shutdown) << each.what;
        EXPECT_TRUE(machine.board.shutdown) << each.what;
    }
}

}  // namespace
}  // namespace hyperstep::cpu
