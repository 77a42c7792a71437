#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// SDM volume 2 "Jcc", "JMP", "CALL", "RET", "LOOP/LOOPcc".
namespace hyperstep::cpu {
namespace {

constexpr Fault general_protection_0{.vector = Vector::gp, .has_error_code = true};

TEST(Branches, AJumpOf16BitsTruncatesTheTarget) {
    BareMachine machine;
    machine.enter_protected_32();
    ASSERT_TRUE(machine.run_code({0x66, 0xeb, 0x10}));  // jmp short, operand size 16
    EXPECT_EQ(machine.cpu.state.rip, (BareMachine::code + 3 + 0x10) & 0xffff);
}

TEST(Branches, In64BitModeTheOperandSizePrefixIsIgnored) {
    BareMachine machine;
    machine.enter_long_mode();
    ASSERT_TRUE(machine.run_code({0x66, 0xeb, 0x10}));
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 3 + 0x10);
    const std::uint64_t rip = machine.cpu.state.rip;
    ASSERT_TRUE(machine.run_code({0x66, 0xe8, 0x00, 0x01, 0x00, 0x00}));  // call
    EXPECT_EQ(machine.cpu.state.rip, rip + 6 + 0x100);
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 8), rip + 6);
    ASSERT_TRUE(machine.run_code({0x66, 0xc3}));
    EXPECT_EQ(machine.cpu.state.rip, rip + 6);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack);
}

TEST(Branches, ATargetBeyondTheLimitFaultsBeforeAnythingIsDone) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.segment[cs].limit = BareMachine::code + 0xfff;
    refresh(machine.cpu);
    for (const std::initializer_list<std::uint8_t> code : {
             std::initializer_list<std::uint8_t>{0xe9, 0x00, 0x10, 0x00, 0x00},
             {0xe8, 0x00, 0x10, 0x00, 0x00},
             {0x0f, 0x83, 0x00, 0x10, 0x00, 0x00},
             {0xff, 0xd0},
             {0xff, 0xe0},
             {0xc3},
         }) {
        machine.cpu.state.gpr[rax] = BareMachine::code + 0x1000;
        machine.memory.write(Hpa{BareMachine::stack}, 4, BareMachine::code + 0x1000);
        const Outcome outcome = machine.run_code(code);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error(), general_protection_0);
        EXPECT_EQ(machine.cpu.state.rip, BareMachine::code);
        EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack);
    }
}

TEST(Branches, ATargetThatIsNotCanonicalFaults) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = 0x0000'8000'0000'0000;
    machine.memory.write(Hpa{BareMachine::stack}, 8, 0x0000'8000'0000'0000);
    for (const std::initializer_list<std::uint8_t> code :
         {std::initializer_list<std::uint8_t>{0xff, 0xe0}, {0xff, 0xd0}, {0xc3}, {0xc2, 0x10, 0x00}}) {
        const Outcome outcome = machine.run_code(code);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error(), general_protection_0);
        EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack);
    }
}

TEST(Branches, ReturnReleasesParameters) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.memory.write(Hpa{BareMachine::stack}, 8, BareMachine::code + 0x40);
    ASSERT_TRUE(machine.run_code({0xc2, 0x10, 0x80}));  // ret 0x8010: the immediate is unsigned
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 0x40);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack + 8 + 0x8010);
}

TEST(Branches, TheAddressSizeChoosesTheLoopCounter) {
    struct Case {
        std::initializer_list<std::uint8_t> code;
        std::uint64_t before, after;
        bool taken;
    };
    const Case cases[] = {
        {{0xe2, 0x10}, 1, 0, false},
        {{0xe2, 0x10}, 0, ~0ULL, true},
        {{0xe2, 0x10}, 0x1'0000'0001, 0x1'0000'0000, true},
        {{0x67, 0xe2, 0x10}, 0x1'0000'0001, 0, false},
        {{0x67, 0xe2, 0x10}, 0x1'0000'0000, 0xffff'ffff, true},
        {{0xe1, 0x10}, 2, 1, false},  // LOOPE, ZF = 0
        {{0xe0, 0x10}, 2, 1, true},   // LOOPNE
        {{0xe3, 0x10}, 0, 0, true},   // JRCXZ
        {{0xe3, 0x10}, 0x1'0000'0000, 0x1'0000'0000, false},
        {{0x67, 0xe3, 0x10}, 0x1'0000'0000, 0x1'0000'0000, true},  // JECXZ
    };
    for (const Case& each : cases) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rcx] = each.before;
        ASSERT_TRUE(machine.run_code(each.code));
        EXPECT_EQ(machine.cpu.state.gpr[rcx], each.after);
        EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + each.code.size() + (each.taken ? 0x10 : 0));
    }
}

}  // namespace
}  // namespace hyperstep::cpu
