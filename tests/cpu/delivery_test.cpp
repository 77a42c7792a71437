#include <gtest/gtest.h>

#include "cpu/boundary.hpp"
#include "tests/cpu/table_machine.hpp"

// Where an event of each mode goes, and what it leaves on the stack.
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t interrupt_gate = 0x8e, trap_gate = 0x8f, interrupt_gate_of_16 = 0x86;
constexpr Event interrupt_of(std::uint8_t vector) {
    return {.kind = EventKind::external_interrupt, .vector = vector};
}
constexpr std::uint64_t if_bit = 0x200;

TEST(Delivery, RealModeGoesThroughTheVectorTable) {
    TableMachine machine;
    machine.enter_real_mode();
    Cpu& cpu = machine.cpu;
    machine.memory.write(Hpa{0x20 * 4}, 4, 0x5678'1234);
    cpu.state.rip = 0x77;
    cpu.state.segment[cs].selector = 0xabcd;
    cpu.state.rflags = 0x40302 | 1;
    refresh(cpu);
    ASSERT_TRUE(deliver(cpu, interrupt_of(0x20)));
    EXPECT_EQ(cpu.state.rip, 0x1234U);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x5678U);
    EXPECT_EQ(cpu.state.segment[cs].base, 0x56780U);
    EXPECT_EQ(cpu.state.gpr[rsp], 0x7ffaU);
    EXPECT_EQ(machine.get(0x7ffa, 2), 0x77U);
    EXPECT_EQ(machine.get(0x7ffc, 2), 0xabcdU);
    EXPECT_EQ(machine.get(0x7ffe, 2), 0x0303U);
    EXPECT_EQ(cpu.state.rflags, 0x3U);
    EXPECT_EQ(machine.time.now, 1U);
}

TEST(Delivery, RealModeBeyondTheLimitOfTheTableEndsInShutdown) {
    TableMachine machine;
    machine.enter_real_mode();
    machine.cpu.state.idtr.limit = 3;
    const Outcome outcome = deliver(machine.cpu, interrupt_of(0x20));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Fault::Kind::shutdown);
    EXPECT_EQ(machine.cpu.state.activity, Activity::shutdown);
    EXPECT_TRUE(machine.board.shutdown);
}

TEST(Delivery, ProtectedModeAtTheSameLevel) {
    TableMachine machine;
    machine.enter_protected_with_tables(0);
    Cpu& cpu = machine.cpu;
    machine.set_gate(13, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    cpu.state.rflags = 0x4000 | if_bit | 2;
    ASSERT_TRUE(deliver_fault(cpu, fault(Vector::gp, 0x1234)));
    EXPECT_EQ(cpu.state.rip, TableMachine::handler);
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack - 16);
    EXPECT_EQ(machine.get(BareMachine::stack - 16, 4), 0x1234U);
    EXPECT_EQ(machine.get(BareMachine::stack - 12, 4), BareMachine::code);
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 4), 8U);
    EXPECT_EQ(machine.get(BareMachine::stack - 4, 4), 0x14202U);  // a fault saves RF = 1
    EXPECT_EQ(cpu.state.rflags, 2U);
}

TEST(Delivery, ATrapGateLeavesInterruptsAsTheyAre) {
    TableMachine machine;
    machine.enter_protected_with_tables(0);
    machine.set_gate(0x20, gate(TableMachine::code_0, TableMachine::handler, trap_gate));
    machine.cpu.state.rflags = if_bit | 2;
    ASSERT_TRUE(deliver(machine.cpu, interrupt_of(0x20)));
    EXPECT_EQ(machine.cpu.state.rflags, if_bit | 2);
}

TEST(Delivery, A16BitGateSavesWords) {
    TableMachine machine;
    machine.enter_protected_with_tables(0);
    machine.set_gate(0x20, gate(TableMachine::code_0, 0x9'1234, interrupt_gate_of_16));
    machine.cpu.state.rip = 0x4321;
    ASSERT_TRUE(deliver(machine.cpu, interrupt_of(0x20)));
    EXPECT_EQ(machine.cpu.state.rip, 0x1234U);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack - 6);
    EXPECT_EQ(machine.get(BareMachine::stack - 6, 2), 0x4321U);
}

TEST(Delivery, ProtectedModeSwitchesToTheInnerStack) {
    TableMachine machine;
    machine.enter_protected_with_tables(3);
    Cpu& cpu = machine.cpu;
    machine.set_gate(0x20, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    ASSERT_TRUE(deliver(cpu, interrupt_of(0x20)));
    const std::uint64_t top = TableMachine::inner_stack_top;
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.segment[ss].selector, TableMachine::data_0);
    EXPECT_EQ(cpu.state.segment[cs].selector, TableMachine::code_0);
    EXPECT_EQ(cpu.state.gpr[rsp], top - 20);
    EXPECT_EQ(machine.get(top - 4, 4), TableMachine::data_3);
    EXPECT_EQ(machine.get(top - 8, 4), BareMachine::stack);
    EXPECT_EQ(machine.get(top - 16, 4), TableMachine::code_3);
    EXPECT_EQ(machine.get(top - 20, 4), BareMachine::code);
}

TEST(Delivery, Virtual8086ModeSavesItsSegments) {
    TableMachine machine;
    machine.enter_virtual_8086_with_tables(0);
    Cpu& cpu = machine.cpu;
    cpu.state.segment[gs] = {.selector = 0x6666, .base = 0x66660, .rights = {{0xf3}}};
    machine.set_gate(0x20, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    ASSERT_TRUE(deliver(cpu, interrupt_of(0x20)));
    const std::uint64_t top = TableMachine::inner_stack_top;
    EXPECT_EQ(cpu.mode, Mode::protected_);
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.gpr[rsp], top - 36);
    EXPECT_EQ(machine.get(top - 4, 4), 0x6666U);
    EXPECT_EQ(machine.get(top - 16, 4), 0x2000U);  // ES
    EXPECT_EQ(machine.get(top - 20, 4), 0x2000U);  // SS
    EXPECT_EQ(machine.get(top - 24, 4), 0x1000U);  // ESP
    EXPECT_EQ(machine.get(top - 28, 4), 0x20002U);
    EXPECT_EQ(machine.get(top - 32, 4), 0x1000U);
    for (const SegmentName name : {es, ds, fs, gs}) {
        EXPECT_EQ(cpu.state.segment[name].selector, 0U);
        EXPECT_TRUE(cpu.state.segment[name].rights[AccessRights::unusable]);
    }
}

TEST(Delivery, LongModeAlignsTheStackAndSavesIt) {
    TableMachine machine;
    machine.enter_long_with_tables(0);
    Cpu& cpu = machine.cpu;
    machine.set_gate(14, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    cpu.state.gpr[rsp] = BareMachine::stack + 7;
    cpu.fault_address = 0x1234'5678'9abc;
    ASSERT_TRUE(deliver_fault(cpu, fault(Vector::pf, 6)));
    EXPECT_EQ(cpu.state.cr2, 0x1234'5678'9abcU);
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack - 48);
    EXPECT_EQ(machine.get(BareMachine::stack - 48, 8), 6U);
    EXPECT_EQ(machine.get(BareMachine::stack - 16, 8), BareMachine::stack + 7);
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 8), TableMachine::data_0);
    EXPECT_EQ(cpu.state.segment[ss].selector, TableMachine::data_0);
}

TEST(Delivery, LongModeToAnInnerLevelLoadsANullSs) {
    TableMachine machine;
    machine.enter_long_with_tables(3);
    Cpu& cpu = machine.cpu;
    machine.set_gate(0x20, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    ASSERT_TRUE(deliver(cpu, interrupt_of(0x20)));
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0U);
    EXPECT_TRUE(cpu.state.segment[ss].rights[AccessRights::unusable]);
    EXPECT_EQ(cpu.state.gpr[rsp], TableMachine::inner_stack_top - 40);
}

TEST(Delivery, LongModeTakesTheInterruptStackThatTheGateNames) {
    TableMachine machine;
    machine.enter_long_with_tables(0);
    machine.set_gate(0x20, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate, 1));
    ASSERT_TRUE(deliver(machine.cpu, interrupt_of(0x20)));
    EXPECT_EQ(machine.cpu.state.gpr[rsp], TableMachine::inner_stack_top + 0x1000 - 40);
    EXPECT_EQ(machine.cpu.state.segment[ss].selector, TableMachine::data_0);
}

TEST(Delivery, AnExceptionDuringAContributoryOneIsADoubleFault) {
    TableMachine machine;
    machine.enter_long_with_tables(0);
    machine.set_gate(8, gate(TableMachine::code_0, TableMachine::handler, interrupt_gate));
    ASSERT_TRUE(deliver_fault(machine.cpu, fault(Vector::gp, 0)));
    EXPECT_EQ(machine.cpu.state.rip, TableMachine::handler);
    EXPECT_EQ(machine.get(BareMachine::stack - 48, 8), 0U);  // the error code of #DF
}

}  // namespace
}  // namespace hyperstep::cpu
