#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// SDM volume 2, the instructions by name.
namespace hyperstep::cpu {
namespace {

constexpr Fault stack_fault{.vector = Vector::ss, .has_error_code = true};

TEST(Stack, PushAndPopOfEachOperandSize) {
    struct Case {
        int mode;
        std::initializer_list<std::uint8_t> push;
        std::initializer_list<std::uint8_t> pop;
        unsigned bytes;
    };
    const Case cases[] = {
        {16, {0x50}, {0x59}, 2},
        {16, {0x66, 0x50}, {0x66, 0x59}, 4},
        {32, {0x50}, {0x59}, 4},
        {32, {0x66, 0x50}, {0x66, 0x59}, 2},
        {64, {0x50}, {0x59}, 8},
        {64, {0x66, 0x50}, {0x66, 0x59}, 2},
    };
    for (const Case& each : cases) {
        BareMachine machine;
        if (each.mode == 16) machine.enter_real_mode();
        if (each.mode == 32) machine.enter_protected_32();
        if (each.mode == 64) machine.enter_long_mode();
        const std::uint64_t top = machine.cpu.state.gpr[rsp];
        machine.cpu.state.gpr[rax] = 0x8877'6655'4433'2211;
        ASSERT_TRUE(machine.run_code(each.push));
        EXPECT_EQ(machine.cpu.state.gpr[rsp], top - each.bytes);
        const std::uint64_t mask = each.bytes == 8 ? ~0ULL : (1ULL << each.bytes * 8) - 1;
        EXPECT_EQ(machine.get(top - each.bytes, each.bytes), 0x8877'6655'4433'2211 & mask);
        ASSERT_TRUE(machine.run_code(each.pop));
        EXPECT_EQ(machine.cpu.state.gpr[rsp], top);
        EXPECT_EQ(machine.cpu.state.gpr[rcx], 0x8877'6655'4433'2211 & mask);
    }
}

TEST(Stack, PushOfRspPushesTheOldValueAndPopOfRspKeepsTheValueRead) {
    BareMachine machine;
    machine.enter_long_mode();
    ASSERT_TRUE(machine.run_code({0x54}));  // push rsp
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 8), BareMachine::stack);
    machine.cpu.state.gpr[rsp] = BareMachine::stack - 8;
    ASSERT_TRUE(machine.run_code({0x5c}));  // pop rsp
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack);
}

TEST(Stack, PushOfAnImmediateExtendsItsSign) {
    BareMachine machine;
    machine.enter_long_mode();
    ASSERT_TRUE(machine.run_code({0x6a, 0x80}));  // push -128
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 8), 0xffff'ffff'ffff'ff80);
    ASSERT_TRUE(machine.run_code({0x68, 0x00, 0x00, 0x00, 0x80}));  // push 0x80000000
    EXPECT_EQ(machine.get(BareMachine::stack - 16, 8), 0xffff'ffff'8000'0000);
}

TEST(Stack, AnAddressOfPopThatUsesRspUsesItIncremented) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.memory.write(Hpa{BareMachine::stack}, 8, 0x1234);
    ASSERT_TRUE(machine.run_code({0x8f, 0x04, 0x24}));  // pop [rsp]
    EXPECT_EQ(machine.get(BareMachine::stack + 8, 8), 0x1234U);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack + 8);
}

TEST(Stack, APopWhoseStoreFaultsLeavesRsp) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = 0x8000'0000'0000'0000;
    const Outcome outcome = machine.run_code({0x8f, 0x00});  // pop [rax]
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::gp, .has_error_code = true}));
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack);
}

TEST(Stack, ASelectorPushedWith32BitsLeavesTheUpperHalfOfItsSlot) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.memory.write(Hpa{BareMachine::stack - 4}, 4, 0xaaaa'aaaa);
    ASSERT_TRUE(machine.run_code({0x1e}));  // push ds
    EXPECT_EQ(machine.get(BareMachine::stack - 4, 4), 0xaaaa'0010U);
    machine.enter_long_mode();
    machine.memory.write(Hpa{BareMachine::stack - 8}, 8, ~0ULL);
    ASSERT_TRUE(machine.run_code({0x0f, 0xa0}));  // push fs
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 8), 0x10U);
}

TEST(Stack, PushaStoresTheOldStackPointerAndPopaSkipsIt) {
    BareMachine machine;
    machine.enter_protected_32();
    for (std::uint64_t i = 0; i < 8; ++i)
        if (i != rsp) machine.cpu.state.gpr[i] = 0x1000 + i;
    ASSERT_TRUE(machine.run_code({0x60}));  // pushad
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack - 32);
    for (std::uint64_t i = 0; i < 8; ++i)
        EXPECT_EQ(machine.get(BareMachine::stack - 4 * (i + 1), 4),
                  i == rsp ? BareMachine::stack : 0x1000 + i);
    machine.memory.write(Hpa{BareMachine::stack - 20}, 4, 0xdead);
    for (std::uint64_t i = 0; i < 8; ++i)
        if (i != rsp) machine.cpu.state.gpr[i] = 0;
    ASSERT_TRUE(machine.run_code({0x61}));  // popad
    for (std::uint64_t i = 0; i < 8; ++i)
        EXPECT_EQ(machine.cpu.state.gpr[i], i == rsp ? BareMachine::stack : 0x1000 + i);
}

TEST(Stack, APushaThatDoesNotFitStoresNothing) {
    BareMachine machine;
    machine.enter_protected_16();
    machine.cpu.state.segment[ss].limit = 0x8000;
    machine.cpu.state.gpr[rsp] = 6;  // the fourth push is at FFFE, beyond the limit
    machine.cpu.state.gpr[rax] = 0x1111;
    machine.memory.write(Hpa{4}, 2, 0xbeef);
    const Outcome outcome = machine.run_code({0x60});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), stack_fault);
    EXPECT_EQ(machine.get(4, 2), 0xbeefU);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], 6U);
}

TEST(Stack, PushaInRealModeWithAnOddSmallStackPointerIsAGeneralProtectionFault) {
    for (const std::uint64_t top : {7U, 9U, 11U, 13U, 15U}) {
        BareMachine machine;
        machine.enter_real_mode();
        machine.cpu.state.gpr[rsp] = top;
        const Outcome outcome = machine.run_code({0x60});
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().vector, Vector::gp);
    }
}

TEST(Stack, EnterMakesAFrameOfEachLevel) {
    BareMachine machine;
    machine.enter_long_mode();
    constexpr std::uint64_t top = BareMachine::stack;
    const std::uint64_t old_frame = BareMachine::data + 0x100;
    machine.memory.write(Hpa{old_frame - 8}, 8, 0xf1);
    machine.memory.write(Hpa{old_frame - 16}, 8, 0xf2);

    machine.cpu.state.gpr[rbp] = old_frame;
    ASSERT_TRUE(machine.run_code({0xc8, 0x20, 0x00, 0x00}));  // enter 32, 0
    EXPECT_EQ(machine.get(top - 8, 8), old_frame);
    EXPECT_EQ(machine.cpu.state.gpr[rbp], top - 8);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], top - 8 - 32);

    machine.cpu.state.gpr[rbp] = old_frame;
    machine.cpu.state.gpr[rsp] = top;
    ASSERT_TRUE(machine.run_code({0xc8, 0x20, 0x00, 0x03}));  // enter 32, 3
    EXPECT_EQ(machine.get(top - 8, 8), old_frame);
    EXPECT_EQ(machine.get(top - 16, 8), 0xf1U);
    EXPECT_EQ(machine.get(top - 24, 8), 0xf2U);
    EXPECT_EQ(machine.get(top - 32, 8), top - 8);
    EXPECT_EQ(machine.cpu.state.gpr[rbp], top - 8);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], top - 32 - 32);

    ASSERT_TRUE(machine.run_code({0xc9}));  // leave
    EXPECT_EQ(machine.cpu.state.gpr[rbp], old_frame);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], top);
}

TEST(Stack, EnterTakesTheLevelModulo32) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rbp] = BareMachine::data + 0x100;
    ASSERT_TRUE(machine.run_code({0xc8, 0x00, 0x00, 0x20}));  // enter 0, 32
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack - 8);
}

TEST(Stack, EnterFaultsIfTheFinalStackPointerCannotBeWritten) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.segment[ss].limit = 0xff'ffff;
    machine.cpu.state.gpr[rsp] = 0x100;
    machine.cpu.state.gpr[rbp] = 0x4321;
    refresh(machine.cpu);
    const Outcome outcome = machine.run_code({0xc8, 0x00, 0x80, 0x00});  // enter 0x8000, 0
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), stack_fault);
    EXPECT_EQ(machine.get(0xfc, 4), 0U);
    EXPECT_EQ(machine.cpu.state.gpr[rbp], 0x4321U);
}

}  // namespace
}  // namespace hyperstep::cpu
