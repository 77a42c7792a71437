#include "cpu/boundary.hpp"

#include <gtest/gtest.h>

#include "cpu/debug_status.hpp"
#include "cpu/execute.hpp"
#include "cpu/signals.hpp"
#include "tests/cpu/table_machine.hpp"

// What is due between two instructions, seen from programs that run. Handlers are in 32-bit protected mode.
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t tf = 0x100, if_bit = 0x200, rf = 0x10000;
constexpr std::uint64_t bs = debug_status::single_step;
constexpr std::uint8_t add_eax_ecx[] = {0x01, 0xc8};

class BoundaryTest : public testing::Test {
protected:
    BoundaryTest() {
        machine.enter_protected_with_tables(0);
        for (unsigned vector = 0; vector < 256; ++vector)
            machine.set_gate(vector, gate(TableMachine::code_0, handler_of(vector), 0x8e));
        for (std::uint64_t i = 0; i < 64; ++i) machine.put(BareMachine::code + 2 * i, add_eax_ecx);
        cpu.state.gpr[rcx] = 1;
    }
    static std::uint64_t handler_of(unsigned vector) { return TableMachine::handler + vector * 16; }

    /// Runs until virtual time has advanced by `ticks`.
    exec::Stop run_for(std::uint64_t ticks) {
        machine.time.stop_at = machine.time.now + ticks;
        return run(cpu);
    }
    std::uint64_t pushed(unsigned place) { return machine.get(cpu.state.gpr[rsp] + place * 4ULL, 4); }

    TableMachine machine;
    Cpu& cpu = machine.cpu;
};

TEST_F(BoundaryTest, NothingDueMeansThatBlocksRun) {
    EXPECT_EQ(run_for(10), exec::Stop::budget);
    EXPECT_EQ(cpu.state.gpr[rax], 10U);
    EXPECT_FALSE(cpu.attention);
}

TEST_F(BoundaryTest, AnInterruptWaitsForIf) {
    machine.board.interrupt = 0x40;
    notice_interrupt(cpu);
    run_for(3);
    EXPECT_EQ(cpu.state.gpr[rax], 3U);
    cpu.state.rflags |= if_bit;
    look_at_boundary(cpu);
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(0x40));
    EXPECT_EQ(pushed(0), BareMachine::code + 6);
    EXPECT_FALSE(cpu.rflags()[Rflags::if_]);
}

TEST_F(BoundaryTest, StiHoldsInterruptsForOneInstruction) {
    machine.put(BareMachine::code, {0xfb});  // sti
    machine.put(BareMachine::code + 1, add_eax_ecx);
    machine.board.interrupt = 0x40;
    run_for(3);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_EQ(cpu.state.rip, handler_of(0x40));
    EXPECT_EQ(pushed(0), BareMachine::code + 3);
}

TEST_F(BoundaryTest, StiWithIfSetMakesNoShadow) {
    machine.put(BareMachine::code, {0xfb, 0xfb});
    cpu.state.rflags |= if_bit;
    ASSERT_TRUE(execute_one(cpu));
    EXPECT_FALSE(cpu.state.blocking.sti);
}

TEST_F(BoundaryTest, CliAfterStiLetsNothingIn) {
    machine.put(BareMachine::code, {0xfb, 0xfa});  // sti; cli
    machine.put(BareMachine::code + 2, add_eax_ecx);
    machine.board.interrupt = 0x40;
    run_for(3);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_TRUE(machine.board.interrupt.has_value());
}

TEST_F(BoundaryTest, MovSsHoldsInterruptsAndNmis) {
    cpu.state.rflags |= if_bit;
    cpu.state.gpr[rdx] = TableMachine::data_0;
    machine.put(BareMachine::code, {0x8e, 0xd2});  // mov ss, dx
    run_for(1);
    EXPECT_TRUE(cpu.state.blocking.mov_ss);
    machine.board.interrupt = 0x40;
    raise_nmi(cpu);
    run_for(1);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(2));  // the NMI is more urgent
    EXPECT_TRUE(machine.board.interrupt.has_value());
}

TEST_F(BoundaryTest, AnNmiBlocksFurtherOnesUntilIret) {
    raise_nmi(cpu);
    machine.put(handler_of(2), {0x01, 0xc8, 0xcf});  // add eax, ecx; iretd
    run_for(1);
    EXPECT_TRUE(cpu.state.blocking.nmi);
    raise_nmi(cpu);
    run_for(1);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    run_for(1);  // IRET
    EXPECT_EQ(cpu.state.rip, BareMachine::code);
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(2));
}

TEST_F(BoundaryTest, ASingleStepTrapFollowsTheInstruction) {
    cpu.state.rflags |= tf;
    run_for(2);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), BareMachine::code + 2);
    EXPECT_EQ(pushed(2) & (tf | rf), tf);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff0 | bs);
    EXPECT_FALSE(cpu.rflags()[Rflags::tf]);
}

TEST_F(BoundaryTest, WithBtfOnlyABranchIsTrapped) {
    machine.put(BareMachine::code + 4, {0xeb, 0x02});  // jmp over one instruction
    cpu.state.rflags |= tf;
    cpu.state.msr.debugctl = 2;
    run_for(4);
    EXPECT_EQ(cpu.state.gpr[rax], 2U);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), BareMachine::code + 8);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff0 | bs);
    EXPECT_EQ(cpu.state.msr.debugctl, 0U);
}

TEST_F(BoundaryTest, PopfThatClearsTfIsStillTrapped) {
    machine.put(BareMachine::code, {0x9d});  // popfd
    machine.memory.write(Hpa{BareMachine::stack}, 4, 2);
    cpu.state.rflags |= tf;
    run_for(2);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(2), 2U);
}

TEST_F(BoundaryTest, PopfThatSetsTfIsNotTrappedItself) {
    machine.put(BareMachine::code, {0x9d});
    machine.put(BareMachine::code + 1, add_eax_ecx);
    machine.memory.write(Hpa{BareMachine::stack}, 4, tf | 2);
    run_for(3);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_EQ(pushed(0), BareMachine::code + 3);
}

TEST_F(BoundaryTest, ASoftwareInterruptIsNotSingleStepped) {
    machine.put(BareMachine::code, {0xcd, 0x80});  // int 0x80
    machine.put(handler_of(0x80), add_eax_ecx);
    cpu.state.rflags |= tf;
    run_for(2);
    EXPECT_EQ(cpu.state.rip, handler_of(0x80) + 2);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff0U);
    EXPECT_EQ(pushed(0), BareMachine::code + 2);
    EXPECT_EQ(pushed(2) & tf, tf);
}

TEST_F(BoundaryTest, AFaultIsDeliveredInPlaceOfTheTrap) {
    machine.put(BareMachine::code, {0x0f, 0x0b});  // ud2
    cpu.state.rflags |= tf;
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(6));
    EXPECT_EQ(pushed(0), BareMachine::code);
    EXPECT_EQ(pushed(2) & (tf | rf), tf | rf);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff0U);
}

TEST_F(BoundaryTest, AnInstructionBreakpointIsAFaultUnlessRfIsSet) {
    cpu.state.dr[1] = BareMachine::code;
    cpu.state.dr7 = 0x404;  // L1, on execution
    refresh(cpu);
    machine.put(handler_of(1), {0xcf});
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff2U);
    EXPECT_EQ(pushed(2) & rf, 0U);
    // A debugger sets RF in the saved flags; then the instruction runs once.
    machine.memory.write(Hpa{cpu.state.gpr[rsp] + 8}, 4, rf | 2);
    run_for(2);
    EXPECT_EQ(cpu.state.gpr[rax], 1U);
    EXPECT_FALSE(cpu.rflags()[Rflags::rf]);
    cpu.state.rip = BareMachine::code;
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
}

TEST_F(BoundaryTest, ADataBreakpointIsATrap) {
    cpu.state.dr[0] = BareMachine::data;
    cpu.state.dr7 = 0x400 | 1 | 0xd << 16;  // L0, four bytes, on writes
    refresh(cpu);
    machine.put(BareMachine::code, {0xa3, 0x02, 0x00, 0x20, 0x00});  // mov [data + 2], eax
    run_for(2);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), BareMachine::code + 5);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff1U);
}

TEST_F(BoundaryTest, MovSsHoldsADebugTrapForOneInstruction) {
    // The load of SS itself meets the breakpoint; INT n follows: the trap comes at the handler's first
    // instruction.
    cpu.state.dr[0] = BareMachine::data;
    cpu.state.dr7 = 0x400 | 1 | 0x7 << 16;  // L0, two bytes, on reads and writes
    refresh(cpu);
    machine.memory.write(Hpa{BareMachine::data}, 2, TableMachine::data_0);
    machine.put(BareMachine::code,
                {0x8e, 0x15, 0x00, 0x00, 0x20, 0x00, 0xcd, 0x80});  // mov ss, [data]; int 0x80
    run_for(3);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), handler_of(0x80));
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff1U);
}

TEST_F(BoundaryTest, DebugTrapsComeBeforeNmisAndInterrupts) {
    cpu.state.rflags |= tf | if_bit;
    machine.put(BareMachine::code + 2, {0x0f, 0x0b});
    run_for(1);
    raise_nmi(cpu);
    machine.board.interrupt = 0x40;
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(2));
    EXPECT_EQ(pushed(0), handler_of(1));
}

TEST_F(BoundaryTest, AnInstructionBreakpointComesAfterInterrupts) {
    cpu.state.dr[0] = BareMachine::code;
    cpu.state.dr7 = 0x401;
    cpu.state.rflags |= if_bit;
    refresh(cpu);
    machine.board.interrupt = 0x40;
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(0x40));
}

TEST_F(BoundaryTest, GeneralDetectIsCleared) {
    cpu.state.dr7 = 0x2400;
    ASSERT_TRUE(deliver_fault(cpu, {.vector = Vector::db, .error_code = 1 << 13}));
    EXPECT_EQ(cpu.state.dr7, 0x400U);
    EXPECT_EQ(cpu.state.dr6, 0xffff'2ff0U);
    EXPECT_EQ(pushed(2) & rf, rf);
    EXPECT_EQ(pushed(0), BareMachine::code);
}

TEST_F(BoundaryTest, Int1LeavesDr6) {
    machine.put(BareMachine::code, {0xf1});
    run_for(1);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), BareMachine::code + 1);
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff0U);
}

TEST_F(BoundaryTest, AHaltedProcessorIsWokenByWhatIsNotMasked) {
    cpu.state.activity = Activity::halted;
    machine.board.interrupt = 0x40;
    EXPECT_EQ(run_for(5), exec::Stop::waiting);
    cpu.state.rflags |= if_bit;
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    EXPECT_EQ(cpu.state.activity, Activity::active);
    EXPECT_EQ(pushed(0), BareMachine::code);
    cpu.state.activity = Activity::halted;
    raise_nmi(cpu);
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    EXPECT_EQ(cpu.state.rip, handler_of(2));
}

TEST_F(BoundaryTest, AnNmiEndsShutdownAndAnInterruptDoesNot) {
    cpu.state.activity = Activity::shutdown;
    cpu.state.rflags |= if_bit;
    machine.board.interrupt = 0x40;
    EXPECT_EQ(run_for(1), exec::Stop::shutdown);
    raise_nmi(cpu);
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    EXPECT_EQ(cpu.state.rip, handler_of(2));
}

TEST_F(BoundaryTest, InitStartsTheBootstrapProcessorAgain) {
    cpu.state.cr0 |= 0x6000'0000;
    cpu.state.msr.lstar = 5;
    raise_init(cpu);
    EXPECT_EQ(at_boundary(cpu), Boundary::event_taken);
    EXPECT_EQ(cpu.state.rip, 0xfff0U);
    EXPECT_EQ(cpu.state.segment[cs].base, 0xffff'0000U);
    EXPECT_EQ(cpu.state.cr0, 0x6000'0010U);
    EXPECT_EQ(cpu.state.msr.lstar, 5U);
    EXPECT_EQ(cpu.state.activity, Activity::active);
}

TEST_F(BoundaryTest, AnotherProcessorWaitsForItsSipi) {
    machine.board.base_of_apic = 0xfee0'0800;
    raise_sipi(cpu, 0x12);  // not waiting: ignored
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    raise_init(cpu);
    EXPECT_EQ(run_for(1), exec::Stop::waiting);
    raise_nmi(cpu);
    raise_init(cpu);
    EXPECT_EQ(run_for(1), exec::Stop::waiting);
    raise_sipi(cpu, 0x9a);
    cpu.state.signals.nmi = false;
    machine.put(0x9a000, add_eax_ecx);
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    EXPECT_EQ(cpu.state.segment[cs].selector, 0x9a00U);
    EXPECT_EQ(cpu.state.segment[cs].base, 0x9a000U);
    EXPECT_EQ(cpu.state.rip, 2U);
}

TEST_F(BoundaryTest, ASipiBehindAnInitThatIsPendingCounts) {
    machine.board.base_of_apic = 0xfee0'0800;
    raise_init(cpu);
    raise_sipi(cpu, 0x9a);
    machine.put(0x9a000, add_eax_ecx);
    EXPECT_EQ(run_for(1), exec::Stop::budget);
    EXPECT_EQ(cpu.state.segment[cs].base, 0x9a000U);
}

/// The table of "Interrupt 8: Double Fault Exception". A second #GP comes from a gate that is not there, a
/// second #PF from an IDT without a page.
TEST_F(BoundaryTest, ClassesOfExceptionsDecideOnTheDoubleFault) {
    const Fault first[] = {{.vector = Vector::ud}, fault(Vector::gp, 0), fault(Vector::pf, 0)};
    const unsigned second_gp[] = {13, 8, 8};
    for (unsigned i = 0; i < 3; ++i) {
        const std::uint64_t kept =
            machine.get(TableMachine::idt + static_cast<unsigned>(first[i].vector) * 8ULL, 8);
        cpu.state.rip = BareMachine::code;
        machine.set_gate(static_cast<unsigned>(first[i].vector), gate(TableMachine::data_0, 0, 0x8e));
        if (second_gp[i] == 13) {
            ASSERT_TRUE(deliver_fault(cpu, first[i]));
            EXPECT_EQ(pushed(0), 0x11U);  // the selector of the gate, and EXT
        } else {
            ASSERT_TRUE(deliver_fault(cpu, first[i]));
            EXPECT_EQ(pushed(0), 0U);
        }
        EXPECT_EQ(cpu.state.rip, handler_of(second_gp[i]));
        machine.set_gate(static_cast<unsigned>(first[i].vector), kept);
    }
}

TEST_F(BoundaryTest, AFaultDuringADoubleFaultIsShutdown) {
    machine.set_gate(13, gate(TableMachine::data_0, 0, 0x8e));
    machine.set_gate(8, gate(TableMachine::data_0, 0, 0x8e));
    machine.put(BareMachine::code, {0xcd, 0x0d});
    EXPECT_EQ(run_for(5), exec::Stop::shutdown);
    EXPECT_TRUE(machine.board.shutdown);
    EXPECT_EQ(cpu.state.rip, BareMachine::code);
}

TEST_F(BoundaryTest, ABreakpointOnThePushesOfAnEventTrapsInItsHandler) {
    cpu.state.dr[2] = BareMachine::stack - 4;
    cpu.state.dr7 = 0x400 | 1 << 4 | 0xdULL << 24;  // L2, four bytes, on writes
    cpu.state.rflags |= if_bit;
    refresh(cpu);
    machine.board.interrupt = 0x40;
    run_for(2);
    EXPECT_EQ(cpu.state.rip, handler_of(1));
    EXPECT_EQ(pushed(0), handler_of(0x40));
    EXPECT_EQ(cpu.state.dr6, 0xffff'0ff4U);
}

TEST_F(BoundaryTest, AnEventThatAlwaysFaultsOnItsWayDoesNotLast) {
    // Handlers at CPL 3 with a misaligned stack: the delivery of #AC raises #AC.
    machine.enter_protected_with_tables(3);
    for (const unsigned vector : {17U, 0x40U})
        machine.set_gate(vector, gate(TableMachine::code_3, handler_of(0), 0xee));
    cpu.state.cr0 |= Cr0::am.mask;
    cpu.state.rflags |= Rflags::ac.mask | if_bit;
    cpu.state.gpr[rsp] = BareMachine::stack + 1;
    refresh(cpu);
    machine.board.interrupt = 0x40;
    EXPECT_EQ(run_for(5), exec::Stop::shutdown);
}

}  // namespace
}  // namespace hyperstep::cpu
