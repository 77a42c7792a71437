#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cpu/boundary.hpp"
#include "cpu/signals.hpp"
#include "tests/cpu/fault_order.hpp"

// Where a hypervisor is asked about events, signals, task switches and descriptor tables: which faults come
// before.
namespace hyperstep::cpu {
namespace {

using M = TableMachine;

/// Notes what it is asked, and intervenes in everything unless told otherwise.
class Recorder final : public Intercepts {
public:
    Verdict instruction(Cpu&, InterceptPoint point, const InterceptDetails& details) override {
        asked.push_back("instruction " + std::to_string(static_cast<int>(point)) +
                        (details.is_read ? " read" : ""));
        return verdict;
    }
    Verdict event(Cpu&, const Event& event, const Event* original) override {
        asked.push_back("event " + std::to_string(event.vector) +
                        (original != nullptr ? " after " + std::to_string(original->vector) : ""));
        return verdict;
    }
    Verdict signal(Cpu&, Signal signal) override {
        asked.push_back("signal " + std::to_string(static_cast<int>(signal)));
        return verdict;
    }
    Verdict task_switch(Cpu&, TaskSwitchSource source, std::uint16_t selector) override {
        asked.push_back("task switch " + std::to_string(static_cast<int>(source)) + " " +
                        std::to_string(selector));
        return verdict;
    }
    Verdict triple_fault(Cpu&, const Event& original) override {
        asked.push_back("triple fault after " + std::to_string(original.vector));
        return Verdict::intervene;
    }
    std::uint64_t cr0_as_read(Cpu&, std::uint64_t real) override { return real; }
    std::uint64_t cr4_as_read(Cpu&, std::uint64_t real) override { return real; }
    std::uint64_t cr0_as_written(Cpu&, std::uint64_t source) override { return source; }
    std::uint64_t cr4_as_written(Cpu&, std::uint64_t source) override { return source; }
    std::uint64_t tsc_as_read(Cpu&, std::uint64_t real) override { return real; }

    Verdict verdict = Verdict::intervene;
    std::vector<std::string> asked;
};

using Asked = std::vector<std::string>;

std::string instruction(InterceptPoint point) {
    return "instruction " + std::to_string(static_cast<int>(point));
}

class EventInterceptsTest : public testing::Test {
protected:
    void attach() { machine.cpu.intercepts = &recorder; }
    exec::Stop run_for(std::uint64_t ticks) {
        machine.time.stop_at = machine.time.now + ticks;
        return run(machine.cpu);
    }
    Recorder recorder;
    M machine;
};

TEST_F(EventInterceptsTest, DescriptorTables) {
    const std::string tables = instruction(InterceptPoint::gdtr_idtr_access);
    const std::string selectors = instruction(InterceptPoint::ldtr_tr_access);
    struct {
        std::initializer_list<std::uint8_t> code;
        std::string asked;
    } const rows[] = {
        {{0x0f, 0x01, 0x13}, tables},            // lgdt [ebx], where no memory is
        {{0x0f, 0x01, 0x03}, tables + " read"},  // sgdt
        {{0x0f, 0x00, 0x13}, selectors},         // lldt
        {{0x0f, 0x00, 0x1b}, selectors},         // ltr
        {{0x0f, 0x00, 0x03}, selectors + " read"},
        {{0x0f, 0x00, 0x0b}, selectors + " read"},
    };
    attach();
    for (const auto& row : rows) {
        machine.enter_protected_with_tables(0);
        machine.cpu.state.segment[ds].limit = 0;  // the fault of the operand comes after
        machine.cpu.state.gpr[rbx] = 0x1000;
        refresh(machine.cpu);
        recorder.asked.clear();
        const Outcome outcome = machine.run_code(row.code);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().kind, Fault::Kind::intercepted);
        EXPECT_EQ(recorder.asked, Asked{row.asked});
        // The privilege comes before.
        machine.enter_protected_with_tables(3);
        machine.cpu.state.cr4 |= Cr4::umip.mask;
        refresh(machine.cpu);
        recorder.asked.clear();
        EXPECT_EQ(machine.run_code(row.code).error(), fault(Vector::gp, 0));
        EXPECT_EQ(recorder.asked, Asked{});
    }
}

TEST_F(EventInterceptsTest, ATaskSwitchAfterTheChecksOfItsDescriptor) {
    machine.enter_protected_with_tables(0);
    machine.set_descriptor(M::free_selector, segment_descriptor(0x54'0000, 0x67, 0x8b, 0));
    attach();
    const auto jump = [&] { return machine.run_code({0xea, 0, 0, 0, 0, M::free_selector, 0}); };
    EXPECT_EQ(jump().error(), fault(Vector::gp, M::free_selector));  // busy
    EXPECT_EQ(recorder.asked, Asked{});
    machine.set_descriptor(M::free_selector, segment_descriptor(0x54'0000, 0x67, 0x89, 0));
    const State before = machine.cpu.state;
    EXPECT_EQ(jump().error().kind, Fault::Kind::intercepted);
    EXPECT_EQ(recorder.asked, Asked{"task switch 2 112"});
    EXPECT_EQ(machine.cpu.state, before);
}

TEST_F(EventInterceptsTest, ExceptionsOnTheirWayAndWhatArisesThere) {
    machine.enter_protected_with_tables(0);
    machine.set_gate(6, gate(M::data_0, 0, 0x8e));
    machine.cpu.state.idtr.limit = 13 * 8 - 1;  // #GP has no gate, #DF has one that is empty
    attach();
    recorder.verdict = Verdict::proceed;
    machine.put(BareMachine::code, {0x0f, 0x0b});
    EXPECT_EQ(run_for(5), exec::Stop::vm_exit);
    EXPECT_EQ(recorder.asked,
              (Asked{"event 6", "event 13 after 6", "event 8 after 13", "triple fault after 8"}));
}

TEST_F(EventInterceptsTest, TheFaultOfASoftwareInterruptKnowsIt) {
    machine.enter_protected_with_tables(0);
    machine.set_gate(13, gate(M::code_0, M::handler, 0x8e));
    attach();
    recorder.verdict = Verdict::proceed;
    machine.put(BareMachine::code, {0xcd, 0x80});
    run_for(1);
    EXPECT_EQ(recorder.asked, (Asked{"event 128", "event 13 after 128"}));
    EXPECT_EQ(machine.cpu.state.rip, M::handler);
}

TEST_F(EventInterceptsTest, SignalsBeforeTheProcessorActs) {
    machine.enter_protected_with_tables(0);
    attach();
    raise_init(machine.cpu);
    raise_nmi(machine.cpu);
    machine.board.interrupt = 0x40;
    machine.cpu.state.rflags |= 0x200;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(run_for(1), exec::Stop::vm_exit);
    EXPECT_EQ(recorder.asked, (Asked{"signal 2", "signal 1", "signal 0"}));
    EXPECT_TRUE(machine.board.interrupt.has_value());  // not acknowledged
    EXPECT_FALSE(machine.cpu.state.blocking.nmi);
}

}  // namespace
}  // namespace hyperstep::cpu
