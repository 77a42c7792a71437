#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

namespace hyperstep::cpu {
namespace {

TEST(Execute, AddInEveryMode) {
    for (int mode = 0; mode < 4; ++mode) {
        BareMachine machine;
        if (mode == 0) machine.enter_real_mode();
        if (mode == 1) machine.enter_protected_16();
        if (mode == 2) machine.enter_protected_32();
        if (mode == 3) machine.enter_long_mode(3);
        machine.cpu.state.gpr[rax] = 0x1'ffff'ffff;
        machine.cpu.state.gpr[rcx] = 1;
        const std::uint64_t rip = machine.cpu.state.rip;
        ASSERT_TRUE(machine.run_code({0x01, 0xc8}));  // add eax, ecx
        EXPECT_EQ(machine.cpu.state.gpr[rax], mode < 2 ? 0x1'ffff'0000 : 0) << mode;
        EXPECT_EQ(machine.cpu.state.rip, rip + 2);
        EXPECT_EQ(machine.cpu.state.rflags, 2U | 0x55);
    }
}

TEST(Execute, AnUndefinedOpcodeLeavesRip) {
    BareMachine machine;
    machine.enter_long_mode();
    const Outcome outcome = machine.run_code({0x0f, 0x0b});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::ud}));
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code);
}

TEST(Execute, AnInstructionOfMoreThan15BytesIsAGeneralProtectionFault) {
    BareMachine machine;
    machine.enter_long_mode();
    const Outcome outcome = machine.run_code(
        {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x01, 0xc8});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::gp, .has_error_code = true, .error_code = 0}));
}

TEST(Execute, ASibWithoutBaseHasNoneWhateverRexSays) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[r13] = 0x1000;
    machine.cpu.state.gpr[rsi] = 0xab;
    // addr32 mov [0x200000], sil with REX.B and a SIB byte that names neither base nor index
    ASSERT_TRUE(machine.run_code({0x67, 0x49, 0x88, 0x34, 0xa5, 0x00, 0x00, 0x20, 0x00}));
    EXPECT_EQ(machine.get(BareMachine::data, 1), 0xabU);
}

TEST(Execute, PauseWithRexBIsAnExchange) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = 1;
    machine.cpu.state.gpr[r8] = 2;
    ASSERT_TRUE(machine.run_code({0xf3, 0x49, 0x90}));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 2U);
    EXPECT_EQ(machine.cpu.state.gpr[r8], 1U);
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 3);
}

TEST(Execute, TheLastOffsetOfASegmentIsALimitWhateverItsBase) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.segment[ds].base = BareMachine::data + 0x123;
    refresh(machine.cpu);
    machine.cpu.state.gpr[rdi] = 1;
    ASSERT_TRUE(machine.run_code({0x89, 0x07}));  // mov [edi], eax: the page is known from now on
    machine.cpu.state.gpr[rdi] = 0xffff'ffff;
    const Outcome outcome = machine.run_code({0x89, 0x07});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::gp, .has_error_code = true, .error_code = 0}));
}

TEST(Execute, CodeThatWritesItselfRunsAsWritten) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.put(BareMachine::code,
                {0xc6,
                 0x05,
                 0x01,
                 0x00,
                 0x00,
                 0x00,
                 0xc8,  // mov byte [rip+1], 0xc8
                 0x01,
                 0xc0});  // add eax, eax, to be eax, ecx
    machine.cpu.state.gpr[rax] = 5;
    machine.cpu.state.gpr[rcx] = 100;
    ASSERT_TRUE(execute_one(machine.cpu));
    ASSERT_TRUE(execute_one(machine.cpu));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 105U);
}

}  // namespace
}  // namespace hyperstep::cpu
