#include <gtest/gtest.h>

#include "cpu/control_registers.hpp"
#include "tests/cpu/bare_machine.hpp"

// Control and debug registers, waiting, caches and translations.
namespace hyperstep::cpu {
namespace {

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault ud{.vector = Vector::ud};

/// The fault of an outcome; a test fails if there is none.
Fault fault_of(const Outcome& outcome) {
    EXPECT_FALSE(outcome);
    return outcome ? Fault{.kind = Fault::Kind::shutdown} : outcome.error();
}

/// What a value written to a control register leads to.
enum class Takes : std::uint8_t { yes, gp };

struct Cr0Case {
    const char* what;
    std::uint64_t value;
    Takes takes;
    std::uint64_t then = 0;  ///< what CR0 holds
};

TEST(MovToCr0, ProtectedModeWithoutPaging) {
    const Cr0Case cases[] = {
        {"ET stays 1", 0x1, Takes::yes, 0x11},
        {"undefined bits of the low half are ignored", 0x1ff9'ffc1, Takes::yes, 0x1'0011},
        {"bits 63:32", 0x1'0000'0011, Takes::gp},
        {"PG without PE", 0x8000'0010, Takes::gp},
        {"NW without CD", 0x2000'0011, Takes::gp},
        {"NW with CD", 0x6000'0011, Takes::yes, 0x6000'0011},
        {"CD without NW", 0x4000'0011, Takes::yes, 0x4000'0011},
        {"out of protected mode", 0x10, Takes::yes, 0x10},
    };
    for (const Cr0Case& each : cases) {
        BareMachine machine;
        machine.enter_protected_32();
        const Outcome outcome = write_cr0(machine.cpu, each.value);
        EXPECT_EQ(outcome.has_value(), each.takes == Takes::yes) << each.what;
        EXPECT_EQ(machine.cpu.state.cr0, each.takes == Takes::yes ? each.then : 0x33) << each.what;
        if (!outcome) {
            EXPECT_EQ(outcome.error(), gp0) << each.what;
        }
    }
}

TEST(MovToCr0, PagingTurnsIa32eModeOn) {
    BareMachine machine;
    machine.enter_protected_32();
    Cpu& cpu = machine.cpu;
    cpu.state.msr.efer = Efer::lme.mask;
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "without CR4.PAE";
    cpu.state.cr4 |= Cr4::pae.mask;
    cpu.state.segment[cs].rights = cpu.state.segment[cs].rights.with(AccessRights::l, true);
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "with CS.L";
    cpu.state.segment[cs].rights = cpu.state.segment[cs].rights.with(AccessRights::l, false);
    cpu.state.tr.rights = {{0x83}};
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "with a 16-bit TSS";
    cpu.state.tr.rights = {{0x8b}};
    ASSERT_TRUE(write_cr0(cpu, 0x8000'0011));
    EXPECT_TRUE(cpu.efer()[Efer::lma]);
    EXPECT_EQ(cpu.mode, Mode::compatibility);
    ASSERT_TRUE(write_cr0(cpu, 0x11));
    EXPECT_FALSE(cpu.efer()[Efer::lma]);
    EXPECT_EQ(cpu.mode, Mode::protected_);
}

TEST(MovToCr0, In64BitModePagingStaysOn) {
    BareMachine machine;
    machine.enter_long_mode();
    EXPECT_EQ(fault_of(write_cr0(machine.cpu, 0x33)), gp0);
    ASSERT_TRUE(write_cr0(machine.cpu, 0x8001'0033));
}

TEST(MovToCr4, ReservedBitsAndIa32eMode) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    const std::uint64_t now = cpu.state.cr4 = Cr4::pae.mask;
    const std::uint64_t refused[] = {now | 1ULL << 15,
                                     now | 1ULL << 26,
                                     now | 1ULL << 32,
                                     now | Cr4::vmxe.mask,
                                     now & ~Cr4::pae.mask,
                                     now ^ Cr4::la57.mask};
    for (const std::uint64_t value : refused) EXPECT_EQ(fault_of(write_cr4(cpu, value)), gp0) << value;
    EXPECT_EQ(cpu.state.cr4, now);
    cpu.state.cr3 |= 8;
    EXPECT_EQ(fault_of(write_cr4(cpu, now | Cr4::pcide.mask)), gp0) << "CR3[11:0] is not 0";
    cpu.state.cr3 &= ~8ULL;
    EXPECT_TRUE(write_cr4(cpu, now | Cr4::pcide.mask));
}

TEST(MovToCr3, ReservedBitsAndTheBitThatKeepsTranslations) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    constexpr std::uint64_t keep = 1ULL << 63;
    cpu.state.cr4 = Cr4::pae.mask;
    const std::uint64_t beyond = 1ULL << cpu.model.physical_width;
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | beyond)), gp0);
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | keep)), gp0);
    ASSERT_TRUE(write_cr4(cpu, cpu.state.cr4 | Cr4::pcide.mask));
    ASSERT_TRUE(write_cr3(cpu, BareMachine::tables | keep | 5));
    EXPECT_EQ(cpu.state.cr3, BareMachine::tables | 5);
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | 1ULL << 62)), gp0);
}

TEST(Hlt, WaitsBehindTheInstruction) {
    BareMachine machine;
    machine.enter_long_mode();
    ASSERT_TRUE(machine.run_code({0xf4}));
    EXPECT_EQ(machine.cpu.state.activity, Activity::halted);
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 1);
}

TEST(Privileged, InstructionsFaultAtLowerLevels) {
    const std::initializer_list<std::uint8_t> codes[] = {
        {0xf4},                          // hlt
        {0x0f, 0x20, 0xc0},              // mov rax, cr0
        {0x0f, 0x22, 0xc0},              // mov cr0, rax
        {0x0f, 0x21, 0xc0},              // mov rax, dr0
        {0x0f, 0x06},                    // clts
        {0x0f, 0x01, 0xf0},              // lmsw ax
        {0x0f, 0x01, 0x38},              // invlpg [rax]
        {0x0f, 0x08},                    // invd
        {0x0f, 0x09},                    // wbinvd
        {0xf3, 0x0f, 0x09},              // wbnoinvd
        {0x0f, 0x30},                    // wrmsr
        {0x0f, 0x32},                    // rdmsr
        {0x0f, 0x33},                    // rdpmc
        {0x66, 0x0f, 0x38, 0x82, 0x00},  // invpcid rax, [rax]
    };
    for (const auto& code : codes) {
        BareMachine machine;
        machine.enter_long_mode(3);
        EXPECT_EQ(fault_of(machine.run_code(code)), gp0)
            << unsigned{*code.begin()} << ' ' << unsigned{*(code.end() - 1)};
    }
}

TEST(Privileged, CachesAreWrittenBackEitherWay) {
    BareMachine machine;
    machine.enter_long_mode();
    EXPECT_TRUE(machine.run_code({0x0f, 0x09}));
    EXPECT_TRUE(machine.run_code({0xf3, 0x0f, 0x09}));
    EXPECT_TRUE(machine.run_code({0x0f, 0x08}));
}

TEST(MonitorMwait, ABytesPageIsWatchedUntilItIsWritten) {
    BareMachine machine;
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    machine.memory.about_to_write(Hpa{BareMachine::data});  // a page that may be written unannounced so far
    state.gpr[rax] = BareMachine::data + 0x40;
    state.gpr[rcx] = 0;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc8}));
    EXPECT_TRUE(state.monitor.armed);
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc9}));
    EXPECT_EQ(state.activity, Activity::mwait);
    machine.cpu.attention = false;
    machine.memory.write(Hpa{BareMachine::stack}, 8, 1);
    EXPECT_TRUE(state.monitor.armed);
    machine.memory.write(Hpa{BareMachine::data + 0x40}, 8, 1);
    EXPECT_FALSE(state.monitor.armed);
    EXPECT_TRUE(machine.cpu.attention);
}

TEST(MonitorMwait, NothingArmedDoesNotWait) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rcx] = 0;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc9}));
    EXPECT_EQ(machine.cpu.state.activity, Activity::active);
    machine.cpu.state.gpr[rcx] = 2;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x01, 0xc9})), gp0) << "an extension that is not announced";
    BareMachine user;
    user.enter_long_mode(3);
    EXPECT_EQ(fault_of(user.run_code({0x0f, 0x01, 0xc9})), ud);
}

}  // namespace
}  // namespace hyperstep::cpu
