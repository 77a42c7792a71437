#include <gtest/gtest.h>

#include "tests/cpu/fault_order.hpp"

// Far jumps, calls and returns: SDM "CALL", "JMP", "RET", "IRET/IRETD/IRETQ".
namespace hyperstep::cpu {
namespace {

using M = TableMachine;
constexpr std::uint64_t target = 0x12'3456;
constexpr std::uint16_t beyond = 0x1000;

/// JMP or CALL ptr16:32 with the selector that lies in EBX.
Outcome far_direct(M& machine, std::uint8_t opcode) {
    const auto selector = static_cast<std::uint16_t>(machine.cpu.state.gpr[rbx]);
    return machine.run_code({opcode,
                             target & 0xff,
                             target >> 8 & 0xff,
                             target >> 16,
                             0,
                             static_cast<std::uint8_t>(selector),
                             static_cast<std::uint8_t>(selector >> 8)});
}
Outcome jmp(M& machine) {
    return far_direct(machine, 0xea);
}
Outcome call(M& machine) {
    return far_direct(machine, 0x9a);
}
void aim(M& machine, std::uint16_t selector) {
    machine.cpu.state.gpr[rbx] = selector;
}

constexpr Check to_code[] = {
    {"null", [](M& m) { aim(m, 3); }, fault(Vector::gp, 0)},
    {"beyond", [](M& m) { aim(m, beyond); }, fault(Vector::gp, beyond)},
    {"data", [](M& m) { aim(m, M::data_0); }, fault(Vector::gp, M::data_0)},
    {"RPL", [](M& m) { aim(m, M::code_0 | 1); }, fault(Vector::gp, M::code_0)},
    {"DPL", [](M& m) { set_bits(m, M::code_0, dpl_bits); }, fault(Vector::gp, M::code_0)},
    {"present", [](M& m) { clear_bits(m, M::code_0, present_bit); }, fault(Vector::np, M::code_0)},
};

TEST(FarTransfers, ChecksOfACodeSegment) {
    const auto prepare = [](M& machine) {
        machine.enter_protected_with_tables(0);
        aim(machine, M::code_0);
    };
    std::vector<Check> checks(std::begin(to_code), std::end(to_code));
    const Check offset{"EIP limit",
                       [](M& m) { clear_bits(m, M::code_0, granularity_bit | 0xf'0000'0000'0000); },
                       fault(Vector::gp, 0)};
    checks.push_back(offset);
    expect_checks_in_order(checks, prepare, jmp);
    checks.back() = {"room",
                     [](M& m) {
                         m.cpu.state.segment[ss].limit = 0xffff;
                         m.cpu.state.gpr[rsp] = 4;
                     },
                     fault(Vector::ss, 0)};
    checks.push_back(offset);
    expect_checks_in_order(checks, prepare, call);
}

TEST(FarTransfers, ACallPushesWhereItCameFrom) {
    M machine;
    machine.enter_protected_with_tables(0);
    machine.cpu.state.segment[cs].selector = 0x1238;
    aim(machine, M::code_0);
    clear_bits(machine, M::code_0, accessed_bit);
    ASSERT_TRUE(call(machine));
    EXPECT_EQ(machine.cpu.state.rip, target);
    EXPECT_EQ(machine.cpu.state.segment[cs].selector, M::code_0);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], BareMachine::stack - 8);
    EXPECT_EQ(machine.get(BareMachine::stack - 8, 4), BareMachine::code + 7);
    EXPECT_EQ(machine.get(BareMachine::stack - 4, 4), 0x1238U);
    EXPECT_EQ(machine.descriptor(M::code_0) & accessed_bit, accessed_bit);
}

TEST(FarTransfers, ConformingCodeRunsAtTheCallersLevel) {
    M machine;
    machine.enter_protected_with_tables(3);
    aim(machine, M::conforming_code);
    ASSERT_TRUE(jmp(machine));
    EXPECT_EQ(machine.cpu.cpl, 3);
    EXPECT_EQ(machine.cpu.state.segment[cs].selector, M::conforming_code | 3);
}

TEST(FarTransfers, RealModeLoadsTheBase) {
    M machine;
    machine.enter_real_mode();
    ASSERT_TRUE(machine.run_code({0x9a, 0x34, 0x12, 0x78, 0x56}));
    EXPECT_EQ(machine.cpu.state.segment[cs].base, 0x56780U);
    EXPECT_EQ(machine.cpu.state.rip, 0x1234U);
    EXPECT_EQ(machine.cpu.state.gpr[rsp], 0x7ffcU);
    EXPECT_EQ(machine.get(0x7ffc, 2), 5U);
}

// ---- call gates

constexpr std::uint64_t call_gate_type = 0xec;
void put_call_gate(M& machine, std::uint64_t selector, std::uint64_t type, std::uint64_t parameters = 0) {
    machine.set_descriptor(M::free_selector, gate(selector, target, type, parameters));
}

constexpr Check through_call_gate[] = {
    {"gate DPL", [](M& m) { put_call_gate(m, M::code_0, 0x8c); }, fault(Vector::gp, M::free_selector)},
    {"gate present", [](M& m) { put_call_gate(m, M::code_0, 0x6c); }, fault(Vector::np, M::free_selector)},
    {"CS null", [](M& m) { put_call_gate(m, 0, call_gate_type); }, fault(Vector::gp, 0)},
    {"CS beyond", [](M& m) { put_call_gate(m, beyond, call_gate_type); }, fault(Vector::gp, beyond)},
    {"CS no code", [](M& m) { put_call_gate(m, M::data_0, call_gate_type); }, fault(Vector::gp, M::data_0)},
    {"CS present", [](M& m) { clear_bits(m, M::code_0, present_bit); }, fault(Vector::np, M::code_0)},
    {"TSS limit", [](M& m) { m.cpu.state.tr.limit = 8; }, fault(Vector::ts, M::tss_selector)},
    {"SS null", [](M& m) { m.memory.write(Hpa{M::tss + 8}, 2, 0); }, fault(Vector::ts, 0)},
    {"SS DPL", [](M& m) { set_bits(m, M::data_0, dpl_bits); }, fault(Vector::ts, M::data_0)},
    {"SS present", [](M& m) { clear_bits(m, M::data_0, present_bit); }, fault(Vector::ss, M::data_0)},
    {"room",
     [](M& m) {
         clear_bits(m, M::data_0, granularity_bit | 0xf'0000'0000'0000);
         m.memory.write(Hpa{M::tss + 4}, 4, 12);
     },
     fault(Vector::ss, M::data_0)},
    {"EIP limit",
     [](M& m) { clear_bits(m, M::code_0, granularity_bit | 0xf'0000'0000'0000); },
     fault(Vector::gp, 0)},
};

TEST(FarTransfers, ChecksOfACallThroughAGateToAnInnerLevel) {
    expect_checks_in_order(
        through_call_gate,
        [](M& machine) {
            machine.enter_protected_with_tables(3);
            put_call_gate(machine, M::code_0, call_gate_type);
            aim(machine, M::free_selector | 3);
        },
        call);
}

TEST(FarTransfers, AJumpThroughAGateStaysAtItsLevel) {
    M machine;
    machine.enter_protected_with_tables(3);
    put_call_gate(machine, M::code_0, call_gate_type);
    aim(machine, M::free_selector | 3);
    const Outcome outcome = jmp(machine);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), fault(Vector::gp, M::code_0));
    put_call_gate(machine, M::code_3, call_gate_type);
    EXPECT_TRUE(jmp(machine));
}

TEST(FarTransfers, ACallGateCopiesParametersAndRetReleasesThem) {
    M machine;
    machine.enter_protected_with_tables(3);
    put_call_gate(machine, M::code_0, call_gate_type, 2);
    aim(machine, M::free_selector | 3);
    machine.memory.write(Hpa{BareMachine::stack}, 4, 0x1111);
    machine.memory.write(Hpa{BareMachine::stack + 4}, 4, 0x2222);
    ASSERT_TRUE(call(machine));
    Cpu& cpu = machine.cpu;
    const std::uint64_t top = M::inner_stack_top;
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.rip, target);
    EXPECT_EQ(cpu.state.gpr[rsp], top - 24);
    const std::uint64_t expected[] = {
        BareMachine::code + 7, M::code_3, 0x1111, 0x2222, BareMachine::stack, M::data_3};
    for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(machine.get(top - 24 + i * 4, 4), expected[i]) << i;

    cpu.state.segment[ds] = cpu.state.segment[ss];  // of level 0: must not be seen outside
    machine.put(target, {0xca, 0x08, 0x00});        // retf 8
    ASSERT_TRUE(execute_one(cpu));
    EXPECT_EQ(cpu.cpl, 3);
    EXPECT_EQ(cpu.state.rip, BareMachine::code + 7);
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack + 8);
    EXPECT_TRUE(cpu.state.segment[ds].rights[AccessRights::unusable]);
    EXPECT_EQ(cpu.state.segment[es].selector, M::data_3);
}

TEST(FarTransfers, ACallGateOfIa32eMode) {
    M machine;
    machine.enter_long_with_tables(3);
    Cpu& cpu = machine.cpu;
    put_call_gate(machine, M::code_0, call_gate_type);
    machine.set_descriptor(M::free_selector + 8, 0);
    machine.memory.write(Hpa{BareMachine::data}, 4, 0xdead);
    machine.memory.write(Hpa{BareMachine::data + 4}, 2, M::free_selector | 3);
    cpu.state.gpr[rbx] = BareMachine::data;
    ASSERT_TRUE(machine.run_code({0xff, 0x1b}));  // call far [rbx]
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.rip, target);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0U);
    EXPECT_EQ(cpu.state.gpr[rsp], M::inner_stack_top - 32);
    EXPECT_EQ(machine.get(M::inner_stack_top - 16, 8), BareMachine::stack);
    EXPECT_EQ(machine.get(M::inner_stack_top - 32, 8), BareMachine::code + 2);
    machine.put(target, {0x48, 0xcb});  // retf with 64-bit operands
    ASSERT_TRUE(execute_one(cpu));
    EXPECT_EQ(cpu.cpl, 3);
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack);
}

// ---- IRET

void push_frame(M& machine, std::initializer_list<std::uint64_t> values, unsigned bytes) {
    Cpu& cpu = machine.cpu;
    cpu.state.gpr[rsp] = BareMachine::stack - values.size() * bytes;
    std::uint64_t place = cpu.state.gpr[rsp];
    for (const std::uint64_t value : values) {
        machine.memory.write(Hpa{place}, bytes, value);
        place += bytes;
    }
}
template <std::uint16_t code, std::uint16_t stack>
void push_return(M& machine) {
    push_frame(machine, {target, code, 0x202, 0x1234, stack}, 4);
}

constexpr Check of_iret[] = {
    {"CS null", push_return<0, M::data_3>, fault(Vector::gp, 0)},
    {"CS beyond", push_return<beyond | 3, M::data_3>, fault(Vector::gp, beyond)},
    {"CS no code", push_return<M::data_3, M::data_3>, fault(Vector::gp, M::data_3 & ~3)},
    {"CS DPL", push_return<M::code_0 | 3, M::data_3>, fault(Vector::gp, M::code_0)},
    {"CS present", [](M& m) { clear_bits(m, M::code_3, present_bit); }, fault(Vector::np, M::code_3 & ~3)},
    {"SS null", push_return<M::code_3, 0>, fault(Vector::gp, 0)},
    {"SS beyond", push_return<M::code_3, beyond | 3>, fault(Vector::gp, beyond)},
    {"SS RPL", push_return<M::code_3, M::data_3 & ~3>, fault(Vector::gp, M::data_3 & ~3)},
    {"SS DPL", push_return<M::code_3, M::data_0 | 3>, fault(Vector::gp, M::data_0)},
    {"SS writable", [](M& m) { clear_bits(m, M::data_3, writable_bit); }, fault(Vector::gp, M::data_3 & ~3)},
    {"SS present", [](M& m) { clear_bits(m, M::data_3, present_bit); }, fault(Vector::ss, M::data_3 & ~3)},
    {"EIP limit",
     [](M& m) { clear_bits(m, M::code_3, granularity_bit | 0xf'0000'0000'0000); },
     fault(Vector::gp, 0)},
};

TEST(FarTransfers, ChecksOfIretToAnOuterLevel) {
    expect_checks_in_order(
        of_iret,
        [](M& machine) {
            machine.enter_protected_with_tables(0);
            push_return<M::code_3, M::data_3>(machine);
        },
        [](M& machine) { return machine.run_code({0xcf}); });
}

TEST(FarTransfers, WhichFlagsIretLoadsDependsOnTheLevel) {
    constexpr std::uint64_t every = 0x3f'7fd7 & ~0x2'4000;  // without VM and NT
    struct {
        unsigned cpl;
        std::uint64_t iopl;
        std::uint64_t loaded;
    } const rows[] = {
        {0, 0, every},
        {3, 3, every & ~0x18'3000ULL},
        {3, 0, every & ~0x18'3200ULL},
    };
    for (const auto& row : rows) {
        M machine;
        machine.enter_protected_with_tables(row.cpl);
        machine.cpu.state.rflags = 2 | row.iopl << 12;
        push_frame(machine, {target, row.cpl == 3 ? M::code_3 : M::code_0, every}, 4);
        ASSERT_TRUE(machine.run_code({0xcf}));
        EXPECT_EQ(machine.cpu.state.rflags, row.loaded | 2 | row.iopl << 12) << row.cpl << row.iopl;
    }
}

TEST(FarTransfers, IretGoesToVirtual8086Mode) {
    M machine;
    machine.enter_protected_with_tables(0);
    push_frame(machine, {0x100, 0x1000, 0x23202, 0x8000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000}, 4);
    ASSERT_TRUE(machine.run_code({0xcf}));
    Cpu& cpu = machine.cpu;
    EXPECT_EQ(cpu.mode, Mode::virtual_8086);
    EXPECT_EQ(cpu.cpl, 3);
    EXPECT_EQ(cpu.state.rip, 0x100U);
    EXPECT_EQ(cpu.state.gpr[rsp], 0x8000U);
    const std::uint16_t expected[] = {0x3000, 0x1000, 0x2000, 0x4000, 0x5000, 0x6000};
    for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(cpu.state.segment[i].base, expected[i] * 16U);
}

TEST(FarTransfers, SoftwareInterruptsOfVirtual8086ModeNeedIopl3) {
    struct {
        std::initializer_list<std::uint8_t> code;
        bool needs_iopl;
    } const rows[] = {{{0xcd, 0x40}, true},
                      {{0xcc}, false},
                      {{0xcf}, true},
                      {{0x9c}, true},
                      {{0x9d}, true},
                      {{0xfa}, true}};
    for (const auto& row : rows) {
        for (const unsigned iopl : {0U, 3U}) {
            M machine;
            machine.enter_virtual_8086_with_tables(iopl);
            for (const unsigned vector : {3U, 0x40U})
                machine.set_gate(vector, gate(M::code_0, M::handler, 0xee));
            const Outcome outcome = machine.run_code(row.code);
            if (row.needs_iopl && iopl == 0) {
                ASSERT_FALSE(outcome);
                EXPECT_EQ(outcome.error(), fault(Vector::gp, 0));
            } else {
                EXPECT_TRUE(outcome);
            }
        }
    }
}

TEST(FarTransfers, IretOf64BitModeAlwaysPopsTheStack) {
    M machine;
    machine.enter_long_with_tables(0);
    push_frame(machine, {target, M::code_0, 0x202, 0x1'2345'6789, 0}, 8);  // SS may be null
    ASSERT_TRUE(machine.run_code({0x48, 0xcf}));
    EXPECT_EQ(machine.cpu.state.gpr[rsp], 0x1'2345'6789U);
    EXPECT_EQ(machine.cpu.state.segment[ss].selector, 0U);
    EXPECT_EQ(machine.cpu.cpl, 0);
}

TEST(FarTransfers, IretToA16BitStackLoadsSpOnly) {
    M machine;
    machine.enter_protected_with_tables(0);
    machine.set_descriptor(M::free_selector, segment_descriptor(0, 0xffff, 0xf3, 0));
    push_frame(machine, {target, M::code_3, 0x202, 0x1234'5678, M::free_selector | 3}, 4);
    const std::uint64_t before = machine.cpu.state.gpr[rsp];
    ASSERT_TRUE(machine.run_code({0xcf}));
    EXPECT_EQ(machine.cpu.state.gpr[rsp], (before & ~0xffffULL) | 0x5678);
}

TEST(FarTransfers, IretIsNoTaskReturnInIa32eMode) {
    M machine;
    machine.enter_long_with_tables(0);
    machine.cpu.state.rflags |= 0x4000;
    const Outcome outcome = machine.run_code({0x48, 0xcf});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), fault(Vector::gp, 0));
}

// ---- SYSCALL and its like

TEST(FarTransfers, SyscallAndSysret) {
    M machine;
    machine.enter_long_with_tables(3);
    Cpu& cpu = machine.cpu;
    cpu.state.msr.star = 0x0013'0008'0000'0000;
    cpu.state.msr.lstar = target;
    cpu.state.msr.fmask = 0x4'0700;
    cpu.state.rflags = 0x4'0793;
    ASSERT_TRUE(machine.run_code({0x0f, 0x05}));
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.rip, target);
    EXPECT_EQ(cpu.state.gpr[rcx], BareMachine::code + 2);
    EXPECT_EQ(cpu.state.gpr[r11], 0x4'0793U);
    EXPECT_EQ(cpu.state.rflags, 0x93U);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x08U);
    EXPECT_EQ(cpu.state.segment[cs].rights.raw, 0xa09bU);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0x10U);
    EXPECT_EQ(cpu.state.segment[ss].rights.raw, 0xc093U);

    machine.put(target, {0x48, 0x0f, 0x07});
    ASSERT_TRUE(execute_one(cpu));
    EXPECT_EQ(cpu.cpl, 3);
    EXPECT_EQ(cpu.state.rip, BareMachine::code + 2);
    EXPECT_EQ(cpu.state.rflags, 0x4'0793U);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x23U);
    EXPECT_EQ(cpu.state.segment[cs].rights.raw, 0xa0fbU);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0x1bU);
    EXPECT_EQ(cpu.state.segment[ss].rights.raw, 0xc0f3U);
}

TEST(FarTransfers, SysretFaultsAtLevel0OnATargetThatIsNotCanonical) {
    M machine;
    machine.enter_long_with_tables(0);
    machine.cpu.state.gpr[rcx] = 0x8000'0000'0000;
    const Outcome outcome = machine.run_code({0x48, 0x0f, 0x07});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), fault(Vector::gp, 0));
    EXPECT_EQ(machine.cpu.cpl, 0);
}

TEST(FarTransfers, SysenterAndSysexit) {
    M machine;
    machine.enter_protected_with_tables(3);
    Cpu& cpu = machine.cpu;
    Outcome outcome = machine.run_code({0x0f, 0x34});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), fault(Vector::gp, 0));  // IA32_SYSENTER_CS is 0
    cpu.state.msr.sysenter_cs = 0x0b;
    cpu.state.msr.sysenter_esp = 0x1234;
    cpu.state.msr.sysenter_eip = target;
    cpu.state.rflags = 0x302;
    ASSERT_TRUE(machine.run_code({0x0f, 0x34}));
    EXPECT_EQ(cpu.cpl, 0);
    EXPECT_EQ(cpu.state.gpr[rsp], 0x1234U);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x08U);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0x10U);
    EXPECT_EQ(cpu.state.rflags, 0x102U);
    cpu.state.gpr[rdx] = BareMachine::code;
    cpu.state.gpr[rcx] = 0x4321;
    machine.put(target, {0x0f, 0x35});
    ASSERT_TRUE(execute_one(cpu));
    EXPECT_EQ(cpu.cpl, 3);
    EXPECT_EQ(cpu.state.gpr[rsp], 0x4321U);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x1bU);
    EXPECT_EQ(cpu.state.segment[ss].selector, 0x23U);
}

}  // namespace
}  // namespace hyperstep::cpu
