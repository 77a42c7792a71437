#include "cpu/task_switch.hpp"

#include <gtest/gtest.h>

#include "cpu/boundary.hpp"
#include "cpu/debug_status.hpp"
#include "tests/cpu/fault_order.hpp"

// SDM "Task Switching": what each kind of switch does to busy bits, NT and back link; what is saved and
// loaded.
namespace hyperstep::cpu {
namespace {

using M = TableMachine;
constexpr std::uint64_t new_tss = 0x54'0000, task_code = 0x12'0000, task_stack = 0x61'0000;
constexpr std::uint64_t nt = 0x4000, busy_bit = 1ULL << 41;

void put_32_bit_task(M& machine, std::uint64_t eflags = 2) {
    machine.set_descriptor(M::free_selector, segment_descriptor(new_tss, 0x67, 0x89, 0));
    const auto put = [&](unsigned offset, std::uint64_t value) {
        machine.memory.write(Hpa{new_tss + offset}, 4, value);
    };
    put(32, task_code);
    put(36, eflags);
    for (unsigned i = 0; i < 8; ++i) put(40 + 4 * i, 0x1000 + i);
    put(56, task_stack);
    for (const unsigned selector : {72U, 80U, 84U, 88U, 92U}) put(selector, M::data_0);
    put(76, M::code_0);
}

Outcome jump_to_task(M& machine) {
    return machine.run_code({0xea, 0, 0, 0, 0, M::free_selector, 0});
}
Outcome call_task(M& machine) {
    return machine.run_code({0x9a, 0, 0, 0, 0, M::free_selector, 0});
}
bool is_busy(M& machine, std::uint16_t selector) {
    return (machine.descriptor(selector) & busy_bit) != 0;
}

TEST(TaskSwitch, SavesTheOldTaskAndLoadsTheNew) {
    M machine;
    machine.enter_protected_with_tables(0);
    put_32_bit_task(machine);
    Cpu& cpu = machine.cpu;
    cpu.state.gpr[rdi] = 0x1234'5678;
    cpu.state.rflags = 0x202;
    cpu.state.dr7 = 0x4ff;
    ASSERT_TRUE(jump_to_task(machine));
    EXPECT_EQ(machine.get(M::tss + 32, 4), BareMachine::code + 7);
    EXPECT_EQ(machine.get(M::tss + 36, 4), 0x202U);
    EXPECT_EQ(machine.get(M::tss + 56, 4), BareMachine::stack);
    EXPECT_EQ(machine.get(M::tss + 68, 4), 0x1234'5678U);
    EXPECT_EQ(machine.get(M::tss + 76, 2), M::code_0);
    EXPECT_EQ(machine.get(M::tss + 80, 2), M::data_0);
    EXPECT_EQ(cpu.state.rip, task_code);
    EXPECT_EQ(cpu.state.gpr[rdi], 0x1007U);
    EXPECT_EQ(cpu.state.gpr[rsp], task_stack);
    EXPECT_EQ(cpu.state.tr.selector, M::free_selector);
    EXPECT_EQ(cpu.state.tr.base, new_tss);
    EXPECT_EQ(cpu.state.tr.rights.raw, 0x8bU);
    EXPECT_TRUE(cpu.cr0()[Cr0::ts]);
    EXPECT_EQ(cpu.state.dr7, 0x4aaU);
}

/// SDM "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS Flag".
TEST(TaskSwitch, LinksOfAJumpACallAndAReturn) {
    M machine;
    machine.enter_protected_with_tables(0);
    put_32_bit_task(machine);
    Cpu& cpu = machine.cpu;
    ASSERT_TRUE(jump_to_task(machine));
    EXPECT_FALSE(is_busy(machine, M::tss_selector));
    EXPECT_TRUE(is_busy(machine, M::free_selector));
    EXPECT_EQ(cpu.state.rflags & nt, 0U);
    EXPECT_EQ(machine.get(new_tss, 2), 0U);

    M calling;
    calling.enter_protected_with_tables(0);
    put_32_bit_task(calling);
    ASSERT_TRUE(call_task(calling));
    EXPECT_TRUE(is_busy(calling, M::tss_selector));
    EXPECT_TRUE(is_busy(calling, M::free_selector));
    EXPECT_EQ(calling.cpu.state.rflags & nt, nt);
    EXPECT_EQ(calling.get(new_tss, 2), M::tss_selector);

    calling.put(task_code, {0xcf});
    ASSERT_TRUE(execute_one(calling.cpu));
    EXPECT_TRUE(is_busy(calling, M::tss_selector));
    EXPECT_FALSE(is_busy(calling, M::free_selector));
    EXPECT_EQ(calling.cpu.state.rip, BareMachine::code + 7);
    EXPECT_EQ(calling.cpu.state.rflags & nt, 0U);
    EXPECT_EQ(calling.get(new_tss + 36, 4) & nt, 0U);
    EXPECT_EQ(calling.get(new_tss + 32, 4), task_code + 1);
}

TEST(TaskSwitch, AReturnNeedsABusyTask) {
    M machine;
    machine.enter_protected_with_tables(0);
    put_32_bit_task(machine);
    machine.cpu.state.rflags |= nt;
    machine.memory.write(Hpa{M::tss}, 2, M::free_selector);
    EXPECT_EQ(machine.run_code({0xcf}).error(), fault(Vector::ts, M::free_selector));
    machine.memory.write(Hpa{M::tss}, 2, 0x1000);
    EXPECT_EQ(machine.run_code({0xcf}).error(), fault(Vector::ts, 0x1000));
}

TEST(TaskSwitch, ATaskGatePushesTheErrorCode) {
    M machine;
    machine.enter_protected_with_tables(3);
    put_32_bit_task(machine);
    machine.set_gate(13, gate(M::free_selector, 0, 0x85));
    ASSERT_TRUE(deliver_fault(machine.cpu, fault(Vector::gp, 0x1238)));
    EXPECT_EQ(machine.cpu.cpl, 0);
    EXPECT_EQ(machine.cpu.state.rip, task_code);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], task_stack - 4);
    EXPECT_EQ(machine.get(task_stack - 4, 4), 0x1238U);
    EXPECT_EQ(machine.get(M::tss + 32, 4), BareMachine::code);
    EXPECT_EQ(machine.get(M::tss + 36, 4) & 0x10000, 0x10000U);  // RF: a fault
}

TEST(TaskSwitch, A16BitTask) {
    M machine;
    machine.enter_protected_with_tables(0);
    machine.set_descriptor(M::free_selector, segment_descriptor(new_tss, 0x2b, 0x81, 0));
    const std::uint16_t fields[] = {0, 0, 0,      0, 0, 0, 0,          0x1234,     2,          1,          2,
                                    3, 4, 0x8000, 6, 7, 8, M::data_16, M::code_16, M::data_16, M::data_16, 0};
    for (unsigned i = 0; i < std::size(fields); ++i)
        machine.memory.write(Hpa{new_tss + 2ULL * i}, 2, fields[i]);
    ASSERT_TRUE(call_task(machine));
    Cpu& cpu = machine.cpu;
    EXPECT_EQ(cpu.state.rip, 0x1234U);
    EXPECT_EQ(cpu.code_bytes, 2);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_EQ(cpu.state.gpr[rsp], 0x8000U);
    EXPECT_EQ(cpu.state.segment[cs].selector, M::code_16);
    EXPECT_TRUE(cpu.state.segment[fs].rights[AccessRights::unusable]);
}

TEST(TaskSwitch, TheTrapBitLeadsToADebugException) {
    M machine;
    machine.enter_protected_with_tables(0);
    put_32_bit_task(machine);
    machine.memory.write(Hpa{new_tss + 100}, 2, 1);
    machine.set_gate(1, gate(M::code_0, M::handler, 0x8e));
    machine.put(BareMachine::code, {0xea, 0, 0, 0, 0, M::free_selector, 0});
    machine.time.stop_at = 2;
    run(machine.cpu);
    EXPECT_EQ(machine.cpu.state.rip, M::handler);
    EXPECT_EQ(machine.cpu.state.dr6, 0xffff'0ff0 | debug_status::task_switch);
    EXPECT_EQ(machine.get(task_stack - 12, 4), task_code);
}

/// SDM "Exception Conditions Checked During a Task Switch": these are found in the new task.
TEST(TaskSwitch, FaultsInTheNewTask) {
    constexpr struct {
        const char* what;
        void (*violate)(M& machine);
        Fault expected;
    } rows[] = {
        {"LDT", [](M& m) { m.memory.write(Hpa{new_tss + 96}, 2, M::data_0); }, fault(Vector::ts, M::data_0)},
        {"LDT present",
         [](M& m) {
             m.memory.write(Hpa{new_tss + 96}, 2, M::ldt_selector);
             clear_bits(m, M::ldt_selector, present_bit);
         },
         fault(Vector::ts, M::ldt_selector)},
        {"CS null", [](M& m) { m.memory.write(Hpa{new_tss + 76}, 2, 0); }, fault(Vector::ts, 0)},
        {"CS no code",
         [](M& m) { m.memory.write(Hpa{new_tss + 76}, 2, M::data_0); },
         fault(Vector::ts, M::data_0)},
        {"CS present",
         [](M& m) {
             m.memory.write(Hpa{new_tss + 76}, 2, M::conforming_code);
             clear_bits(m, M::conforming_code, present_bit);
         },
         fault(Vector::np, M::conforming_code)},
        {"SS null", [](M& m) { m.memory.write(Hpa{new_tss + 80}, 2, 0); }, fault(Vector::ts, 0)},
        {"SS RPL",
         [](M& m) { m.memory.write(Hpa{new_tss + 80}, 2, M::data_0 | 1); },
         fault(Vector::ts, M::data_0)},
        {"SS present",
         [](M& m) {
             m.memory.write(Hpa{new_tss + 80}, 2, M::data_16);
             clear_bits(m, M::data_16, present_bit);
         },
         fault(Vector::ss, M::data_16)},
        {"DS no data",
         [](M& m) { m.memory.write(Hpa{new_tss + 84}, 2, M::tss_selector); },
         fault(Vector::ts, M::tss_selector)},
        {"GS present",
         [](M& m) {
             m.memory.write(Hpa{new_tss + 92}, 2, M::data_3);
             clear_bits(m, M::data_3, present_bit);
         },
         fault(Vector::np, M::data_3 & ~3)},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.what);
        M machine;
        machine.enter_protected_with_tables(0);
        put_32_bit_task(machine);
        row.violate(machine);
        const Outcome outcome = jump_to_task(machine);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error(), row.expected);
        EXPECT_EQ(machine.cpu.state.tr.selector, M::free_selector);
        EXPECT_EQ(machine.cpu.state.rip, task_code);
        EXPECT_EQ(machine.get(M::tss + 32, 4), BareMachine::code + 7);
    }
}

TEST(TaskSwitch, TheNewTaskMayBeInVirtual8086Mode) {
    M machine;
    machine.enter_protected_with_tables(0);
    put_32_bit_task(machine, 0x2'3002);
    ASSERT_TRUE(jump_to_task(machine));
    EXPECT_EQ(machine.cpu.mode, Mode::virtual_8086);
    EXPECT_EQ(machine.cpu.state.segment[cs].base, M::code_0 * 16U);
    EXPECT_EQ(machine.cpu.cpl, 3);
}

}  // namespace
}  // namespace hyperstep::cpu
