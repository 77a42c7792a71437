#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// IN, OUT, INS, OUTS: who may, and what happens.
namespace hyperstep::cpu {
namespace {

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault write_to_absent_page{.vector = Vector::pf, .has_error_code = true, .error_code = 2};

/// What reached the ports. Reads count up.
struct PortBoard final : Board {
    std::uint32_t read_port(std::uint16_t port, unsigned bytes) override {
        log.emplace_back(port, bytes, 0);
        return ++next;
    }
    void write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) override {
        log.emplace_back(port, bytes, value);
    }
    bool interrupt_pending() override { return false; }
    std::uint8_t acknowledge_interrupt() override { return 0; }
    std::uint8_t task_priority_class() override { return 0; }
    void set_task_priority_class(std::uint8_t /*priority_class*/) override {}
    std::optional<std::uint64_t> read_apic_msr(std::uint32_t /*index*/) override { return std::nullopt; }
    bool write_apic_msr(std::uint32_t /*index*/, std::uint64_t /*value*/) override { return false; }
    std::uint64_t apic_base() override { return 0; }
    void signal_ferr() override {}
    void signal_shutdown() override {}
    bool a20_enabled() override { return true; }

    std::vector<std::tuple<std::uint16_t, unsigned, std::uint32_t>> log;
    std::uint32_t next = 0x1122'3340;
};

/// A bare machine's memory and modes with a processor whose ports can be seen.
struct PortMachine : BareMachine {
    PortBoard ports;
    Cpu other{{.memory = memory, .time = time, .board = ports, .blocks = blocks, .model = model_max()}, 0};

    /// The state of the bare machine's processor, one instruction, on the other processor.
    Outcome run(std::initializer_list<std::uint8_t> bytes) {
        put(code, bytes);
        other.state = cpu.state;
        other.state.rip = code - cpu.state.segment[cs].base;
        refresh(other);
        other.attention = false;
        return execute_one(other);
    }
};

/// A TSS at `data` whose bitmap begins at 0x68 and refuses the ports of `bits`, with this limit.
void use_tss(BareMachine& machine, std::uint32_t limit) {
    State& state = machine.cpu.state;
    state.tr = {.selector = 0x28, .base = BareMachine::data, .limit = limit, .rights = {{0x8b}}};
    machine.memory.write(Hpa{BareMachine::data + 0x66}, 2, 0x68);
}

TEST(Ports, IoplLetsAccessesThrough) {
    for (const unsigned cpl : {0U, 3U})
        for (const unsigned iopl : {0U, 3U}) {
            PortMachine machine;
            machine.enter_long_mode(cpl);
            machine.cpu.state.rflags |= iopl << 12;
            machine.cpu.state.gpr[rdx] = 0x80;
            machine.cpu.state.tr.limit = 0x66;
            const Outcome outcome = machine.run({0xec});
            EXPECT_EQ(outcome.has_value(), cpl <= iopl) << cpl << ' ' << iopl;
            if (!outcome) {
                EXPECT_EQ(outcome.error(), gp0);
            }
        }
}

TEST(Ports, BitmapOfTheTss) {
    struct Case {
        const char* what;
        std::uint32_t limit;
        std::uint64_t tss_rights;
        std::uint16_t refused_port;  ///< the bit that is set
        std::uint16_t port;
        bool wide;  ///< of 4 bytes
        bool allowed;
    };
    const Case cases[] = {
        {"all clear", 0x2068, 0x8b, 0xffff, 0x80, false, true},
        {"its bit", 0x2068, 0x8b, 0x80, 0x80, false, false},
        {"the bit of the next port", 0x2068, 0x8b, 0x81, 0x80, false, true},
        {"a range reaches it", 0x2068, 0x8b, 0x83, 0x80, true, false},
        {"a range ends before it", 0x2068, 0x8b, 0x84, 0x80, true, true},
        {"a range into the next byte", 0x2068, 0x8b, 0x8a, 0x87, true, false},
        {"two bytes are read: the limit takes the second", 0x78, 0x8b, 0xffff, 0x80, false, false},
        {"just within the limit", 0x79, 0x8b, 0xffff, 0x80, false, true},
        {"beyond the limit", 0x78, 0x8b, 0xffff, 0x3f8, false, false},
        {"a TSS of 16 bits has no bitmap", 0x2068, 0x83, 0xffff, 0x80, false, false},
        {"no TSS", 0x2068, 0x1'0000, 0xffff, 0x80, false, false},
    };
    for (const Case& each : cases) {
        PortMachine machine;
        machine.enter_protected_32(3);
        use_tss(machine, each.limit);
        machine.cpu.state.tr.rights = {{each.tss_rights}};
        machine.memory.write(
            Hpa{BareMachine::data + 0x68 + each.refused_port / 8}, 1, 1ULL << each.refused_port % 8);
        machine.cpu.state.gpr[rdx] = each.port;
        const Outcome outcome = each.wide ? machine.run({0xef}) : machine.run({0xee});
        EXPECT_EQ(outcome.has_value(), each.allowed) << each.what;
        EXPECT_EQ(machine.ports.log.size(), each.allowed ? 1U : 0U) << each.what;
    }
}

TEST(Ports, InVirtual8086ModeTheBitmapAloneDecides) {
    PortMachine machine;
    machine.enter_real_mode();
    use_tss(machine, 0x2068);
    machine.memory.write(Hpa{BareMachine::data + 0x68 + 0x10}, 1, 1);
    State& state = machine.cpu.state;
    state.cr0 |= Cr0::pe.mask;
    state.rflags |= Rflags::vm.mask | Rflags::iopl.mask;
    state.segment[cs].base = 0xf'0000;
    state.gpr[rdx] = 0x81;
    machine.put(0xf'0000, {0xec});
    machine.other.state = state;
    machine.other.state.rip = 0;
    refresh(machine.other);
    EXPECT_TRUE(execute_one(machine.other));
    machine.other.state.rip = 0;
    machine.other.state.gpr[rdx] = 0x80;
    const Outcome refused = execute_one(machine.other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), gp0);
}

TEST(Ports, SizesAndOperands) {
    PortMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = 0xffff'ffff'aabb'ccdd;
    machine.cpu.state.gpr[rdx] = 0xffff'3f8;
    ASSERT_TRUE(machine.run({0xe6, 0xf4}));
    ASSERT_TRUE(machine.run({0x66, 0xe7, 0xf4}));
    ASSERT_TRUE(machine.run({0x48, 0xef}));  // REX.W does not make it 64 bits
    using Access = std::tuple<std::uint16_t, unsigned, std::uint32_t>;
    EXPECT_EQ(machine.ports.log,
              (std::vector<Access>{{0xf4, 1, 0xdd}, {0xf4, 2, 0xccdd}, {0xf3f8, 4, 0xaabb'ccdd}}));
    ASSERT_TRUE(machine.run({0xec}));
    EXPECT_EQ(machine.other.state.gpr[rax], 0xffff'ffff'aabb'cc41U);
    ASSERT_TRUE(machine.run({0x66, 0xed}));
    EXPECT_EQ(machine.other.state.gpr[rax], 0xffff'ffff'aabb'3342U);
    ASSERT_TRUE(machine.run({0xed}));
    EXPECT_EQ(machine.other.state.gpr[rax], 0x1122'3343U) << "32 bits clear the upper half";
}

TEST(PortStrings, InsGoesThroughMemoryUpAndDown) {
    PortMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rdi] = BareMachine::data + 8;
    machine.cpu.state.gpr[rdx] = 0x1f0;
    ASSERT_TRUE(machine.run({0x6d}));
    EXPECT_EQ(machine.get(BareMachine::data + 8, 4), 0x1122'3341U);
    EXPECT_EQ(machine.other.state.gpr[rdi], BareMachine::data + 12);
    machine.cpu.state.rflags |= Rflags::df.mask;
    ASSERT_TRUE(machine.run({0x6c}));
    EXPECT_EQ(machine.other.state.gpr[rdi], BareMachine::data + 7);
}

TEST(PortStrings, RepEndsWithTheCountAndYieldsBetween) {
    PortMachine machine;
    machine.enter_long_mode();
    machine.put(BareMachine::data, {1, 2, 3});
    machine.cpu.state.gpr[rsi] = BareMachine::data;
    machine.cpu.state.gpr[rdx] = 0x402;
    machine.cpu.state.gpr[rcx] = 3;
    // A device may have changed what is due, so that the boundary is looked at after each access.
    Outcome outcome = machine.run({0xf3, 0x6e});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Fault::Kind::suspended);
    EXPECT_EQ(machine.other.state.rip, BareMachine::code);
    EXPECT_EQ(machine.other.state.gpr[rcx], 2U);
    outcome = execute_one(machine.other);
    ASSERT_FALSE(outcome);
    ASSERT_TRUE(execute_one(machine.other));
    EXPECT_EQ(machine.other.state.gpr[rcx], 0U);
    EXPECT_EQ(machine.other.state.gpr[rsi], BareMachine::data + 3);
    EXPECT_EQ(machine.other.state.rip, BareMachine::code + 2);
    ASSERT_EQ(machine.ports.log.size(), 3U);
    EXPECT_EQ(std::get<2>(machine.ports.log[2]), 3U);
}

TEST(PortStrings, AFaultOfMemoryComesBeforeThePortIsRead) {
    PortMachine machine;
    machine.enter_long_mode();
    machine.memory.write(Hpa{BareMachine::tables + 0x2000 + 3 * 8}, 8, 0);
    machine.cpu.state.gpr[rdi] = 0x60'0000;
    const Outcome outcome = machine.run({0x6c});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), write_to_absent_page);
    EXPECT_TRUE(machine.ports.log.empty());
}

TEST(PortBreakpoints, MatchTheRangeOfPortsWithCr4De) {
    struct Case {
        std::uint64_t cr4, dr7;
        std::uint16_t port;
        bool hit;
    };
    const Case cases[] = {
        {Cr4::de.mask, 0x2'0401, 0x80, true},   // R/W 10, LEN 00
        {Cr4::de.mask, 0x2'0401, 0x7f, false},  // one byte, next to it
        {Cr4::de.mask, 0xe'0401, 0x82, true},   // LEN 11
        {Cr4::de.mask, 0x1'0401, 0x80, false},  // of data writes
        {0, 0x2'0401, 0x80, false},
    };
    for (const Case& each : cases) {
        PortMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.cr4 |= each.cr4;
        machine.cpu.state.dr[0] = 0x80;
        machine.cpu.state.dr7 = each.dr7;
        machine.cpu.state.gpr[rdx] = each.port;
        ASSERT_TRUE(machine.run({0xec}));
        EXPECT_EQ(machine.other.state.pending_debug & 1, each.hit ? 1U : 0U) << each.port;
    }
}

}  // namespace
}  // namespace hyperstep::cpu
