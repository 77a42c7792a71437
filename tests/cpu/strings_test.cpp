#include <string>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// SDM volume 2 "REP/REPE/REPZ/REPNE/REPNZ", "MOVS", "CMPS", "SCAS", "LODS", "STOS".
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t df = 1 << 10, zf = 1 << 6;
constexpr std::uint64_t from = BareMachine::data, to = BareMachine::data + 0x8000;

struct LongMode : BareMachine {
    LongMode() { enter_long_mode(); }
    std::uint64_t& gpr(Gpr name) { return cpu.state.gpr[name]; }
    void set(std::uint64_t source, std::uint64_t destination, std::uint64_t count) {
        gpr(rsi) = source;
        gpr(rdi) = destination;
        gpr(rcx) = count;
    }
    void fill(std::uint64_t address, std::uint64_t bytes) {
        for (std::uint64_t i = 0; i < bytes; ++i) memory.write(Hpa{address + i}, 1, (i * 7 + 1) & 0xff);
    }
    /// An element that crosses into another page is looked at like a device's: the repetition stops behind
    /// it.
    Outcome run_to_end(std::initializer_list<std::uint8_t> bytes) {
        Outcome outcome = run_code(bytes);
        while (!outcome && outcome.error().kind == Fault::Kind::suspended) outcome = execute_one(cpu);
        return outcome;
    }
    std::string text(std::uint64_t address, std::uint64_t bytes) {
        std::string result(bytes, 0);
        EXPECT_TRUE(memory.read_bytes(Hpa{address}, std::as_writable_bytes(std::span{result})));
        return result;
    }
};

TEST(Strings, ARepeatedMoveCopiesAcrossPages) {
    for (const std::uint64_t offset : {0U, 1U, 0xff8U, 0xffdU}) {
        LongMode machine;
        machine.fill(from + offset, 0x3000);
        machine.set(from + offset, to + 3, 0x3000 / 8);
        ASSERT_TRUE(machine.run_to_end({0xf3, 0x48, 0xa5}));  // rep movsq
        EXPECT_EQ(machine.text(to + 3, 0x3000), machine.text(from + offset, 0x3000));
        EXPECT_EQ(machine.get(to + 3 + 0x3000, 1), 0U);
        EXPECT_EQ(machine.gpr(rcx), 0U);
        EXPECT_EQ(machine.gpr(rsi), from + offset + 0x3000);
        EXPECT_EQ(machine.gpr(rdi), to + 3 + 0x3000);
    }
}

TEST(Strings, OverlappingMovesGoElementByElement) {
    // Each case moves 64 bytes by `distance`; what an element-by-element copy makes of them is computed here.
    for (const bool down : {false, true})
        for (const unsigned size : {1U, 2U, 4U, 8U})
            for (int distance = -20; distance <= 20; ++distance) {
                LongMode machine;
                machine.fill(from, 256);
                std::string expected = machine.text(from, 256);
                const unsigned elements = 64 / size;
                for (unsigned k = 0; k < elements; ++k) {
                    const unsigned i = down ? elements - 1 - k : k;
                    const std::string element = expected.substr(64 + i * size, size);
                    expected.replace(
                        static_cast<std::size_t>(64 + static_cast<int>(i * size) + distance), size, element);
                }
                const std::uint64_t first = down ? from + 128 - size : from + 64;
                machine.set(first, first + static_cast<std::uint64_t>(distance), elements);
                if (down) machine.cpu.state.rflags |= df;
                Outcome outcome;
                if (size == 1) outcome = machine.run_code({0xf3, 0xa4});
                if (size == 2) outcome = machine.run_code({0x66, 0xf3, 0xa5});
                if (size == 4) outcome = machine.run_code({0xf3, 0xa5});
                if (size == 8) outcome = machine.run_code({0xf3, 0x48, 0xa5});
                ASSERT_TRUE(outcome);
                ASSERT_EQ(machine.text(from, 256), expected) << size << ' ' << distance << ' ' << down;
            }
}

TEST(Strings, TimeIsATickAnIteration) {
    LongMode machine;
    machine.set(from, to, 100);
    ASSERT_TRUE(machine.run_code({0xf3, 0xa4}));
    EXPECT_EQ(machine.time.now, 100U);
    EXPECT_EQ(machine.time.retired, 1U);
    machine.cpu.state.rip = BareMachine::code;
    ASSERT_TRUE(machine.run_code({0xf3, 0xa4}));  // a count of 0
    EXPECT_EQ(machine.time.now, 101U);
}

TEST(Strings, ARepetitionIsSuspendedWhenTimeIsUpAndGoesOn) {
    for (const auto last : {0xa4, 0xaa, 0xac}) {  // movsb, stosb, lodsb
        LongMode machine;
        machine.fill(from, 100);
        machine.set(from, to, 100);
        machine.put(BareMachine::code, {0xf3, static_cast<std::uint8_t>(last)});
        for (std::uint64_t stop = 30; stop < 100; stop += 30) {
            machine.time.stop_at = stop;
            const Outcome outcome = execute_one(machine.cpu);
            ASSERT_FALSE(outcome);
            EXPECT_EQ(outcome.error().kind, Fault::Kind::suspended);
            EXPECT_EQ(machine.time.now, stop);
            EXPECT_EQ(machine.gpr(rcx), 100 - stop);
            EXPECT_EQ(machine.cpu.state.rip, BareMachine::code);
        }
        machine.time.stop_at = 1000;
        ASSERT_TRUE(execute_one(machine.cpu));
        EXPECT_EQ(machine.time.now, 100U);
        EXPECT_EQ(machine.gpr(rcx), 0U);
        EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 2);
        if (last == 0xa4) {
            EXPECT_EQ(machine.text(to, 100), machine.text(from, 100));
        }
    }
}

TEST(Strings, AFaultLeavesTheRegistersOfTheIterationThatFaults) {
    LongMode machine;
    machine.enter_protected_32();
    machine.cpu.state.segment[es].limit = static_cast<std::uint32_t>(to + 9);
    refresh(machine.cpu);
    machine.fill(from, 100);
    machine.set(from, to, 5);
    const Outcome outcome = machine.run_code({0xf3, 0xa5});  // rep movsd
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::gp, .has_error_code = true}));
    EXPECT_EQ(machine.gpr(rcx), 3U);
    EXPECT_EQ(machine.gpr(rsi), from + 8);
    EXPECT_EQ(machine.gpr(rdi), to + 8);
    EXPECT_EQ(machine.text(to, 8), machine.text(from, 8));
    EXPECT_EQ(machine.get(to + 8, 4), 0U);
    EXPECT_EQ(machine.time.now, 2U);
}

TEST(Strings, ACountOfZeroTouchesNothing) {
    LongMode machine;
    constexpr std::uint64_t nowhere = 0x8000'0000'0000'0000;
    for (const auto last : {0xa4, 0xa6, 0xaa, 0xac, 0xae}) {
        machine.cpu.state.rip = BareMachine::code;
        machine.cpu.state.rflags = 2;
        machine.set(nowhere, nowhere, 0);
        ASSERT_TRUE(machine.run_code({0xf3, static_cast<std::uint8_t>(last)}));
        EXPECT_EQ(machine.gpr(rsi), nowhere);
        EXPECT_EQ(machine.gpr(rdi), nowhere);
        EXPECT_EQ(machine.cpu.state.rflags, 2U);
    }
}

TEST(Strings, CompareAndScanEndByZfOrCount) {
    LongMode machine;
    machine.fill(from, 16);
    machine.fill(to, 16);
    machine.memory.write(Hpa{to + 5}, 1, 0);
    machine.set(from, to, 16);
    ASSERT_TRUE(machine.run_code({0xf3, 0xa6}));  // repe cmpsb: the sixth differs
    EXPECT_EQ(machine.gpr(rcx), 10U);
    EXPECT_EQ(machine.gpr(rsi), from + 6);
    EXPECT_EQ(machine.cpu.state.rflags & zf, 0U);

    machine.cpu.state.rip = BareMachine::code;
    machine.gpr(rax) = 0;
    machine.set(0, to, 16);
    ASSERT_TRUE(machine.run_code({0xf2, 0xae}));  // repne scasb: the sixth is 0
    EXPECT_EQ(machine.gpr(rcx), 10U);
    EXPECT_EQ(machine.gpr(rdi), to + 6);
    EXPECT_EQ(machine.cpu.state.rflags & zf, zf);

    machine.cpu.state.rip = BareMachine::code;
    machine.set(from, to, 5);
    ASSERT_TRUE(machine.run_code({0xf3, 0xa6}));  // five are equal
    EXPECT_EQ(machine.gpr(rcx), 0U);
    EXPECT_EQ(machine.cpu.state.rflags & zf, zf);
}

TEST(Strings, AnOverrideIsOfTheSourceOnly) {
    LongMode machine;
    machine.cpu.state.segment[fs].base = 0x100;
    refresh(machine.cpu);
    machine.memory.write(Hpa{from + 0x100}, 1, 0x42);
    machine.set(from, to, 1);
    ASSERT_TRUE(machine.run_code({0x64, 0xa4}));  // movsb fs
    EXPECT_EQ(machine.get(to, 1), 0x42U);
}

TEST(Strings, IndexesWrapAtTheAddressSize) {
    BareMachine machine;
    machine.enter_real_mode();
    machine.memory.write(Hpa{0xffff}, 1, 0x11);
    machine.memory.write(Hpa{0}, 1, 0x22);
    machine.cpu.state.gpr[rsi] = 0xabcd'ffff;
    machine.cpu.state.gpr[rdi] = 0x9000;
    machine.cpu.state.gpr[rcx] = 0x7'0002;
    ASSERT_TRUE(machine.run_code({0xf3, 0xa4}));
    EXPECT_EQ(machine.get(0x9000, 2), 0x2211U);
    EXPECT_EQ(machine.cpu.state.gpr[rsi], 0xabcd'0001U);
    EXPECT_EQ(machine.cpu.state.gpr[rcx], 0x7'0000U);

    LongMode wide;
    wide.cpu.state.rflags |= df;
    wide.set(0xffff'ffff'0000'0000 | from, 0xffff'ffff'0000'0000 | to, 0xffff'ffff'0000'0002);
    wide.memory.write(Hpa{from}, 1, 0x33);
    ASSERT_TRUE(wide.run_code({0x67, 0xf3, 0xa4}));
    EXPECT_EQ(wide.get(to, 1), 0x33U);
    EXPECT_EQ(wide.gpr(rsi), from - 2);
    EXPECT_EQ(wide.gpr(rdi), to - 2);
    EXPECT_EQ(wide.gpr(rcx), 0U);
}

TEST(Strings, WithTfEveryIterationEndsAtABoundary) {
    LongMode machine;
    machine.set(from, to, 3);
    machine.cpu.state.rflags |= 1 << 8;
    machine.put(BareMachine::code, {0xf3, 0xa4});
    for (std::uint64_t left = 2; left > 0; --left) {
        const Outcome outcome = execute_one(machine.cpu);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().kind, Fault::Kind::suspended);
        EXPECT_EQ(machine.gpr(rcx), left);
    }
    EXPECT_TRUE(execute_one(machine.cpu));
}

TEST(Strings, ADataBreakpointStopsTheRepetitionAfterItsIteration) {
    LongMode machine;
    machine.cpu.state.dr[0] = to + 4;
    machine.cpu.state.dr7 = 0x0001'0401;  // G0 off, L0 on, writes, a byte
    refresh(machine.cpu);
    machine.set(from, to, 100);
    const Outcome outcome = machine.run_code({0xf3, 0xa4});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Fault::Kind::suspended);
    EXPECT_EQ(machine.gpr(rcx), 95U);
    EXPECT_EQ(machine.cpu.state.pending_debug & 0xf, 1U);
}

TEST(Strings, AStoreFillsInBothDirections) {
    LongMode machine;
    machine.gpr(rax) = 0x1122'3344'5566'7788;
    machine.set(0, to + 0xff0, 1000);
    ASSERT_TRUE(machine.run_code({0xf3, 0xab}));  // rep stosd
    for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(machine.get(to + 0xff0 + i * 4, 4), 0x5566'7788U);
    EXPECT_EQ(machine.get(to + 0xff0 + 4000, 4), 0U);
    EXPECT_EQ(machine.get(to + 0xff0 - 4, 4), 0U);

    LongMode other;
    other.gpr(rax) = 0xaa55;
    other.cpu.state.rflags |= df;
    other.set(0, to + 0x1001, 20);
    ASSERT_TRUE(other.run_to_end({0x66, 0xf3, 0xab}));  // rep stosw, downwards
    for (std::uint64_t i = 0; i < 20; ++i) ASSERT_EQ(other.get(to + 0x1001 - i * 2, 2), 0xaa55U);
    EXPECT_EQ(other.get(to + 0x1003, 2), 0U);
    EXPECT_EQ(other.get(to + 0x1001 - 40, 2), 0U);
}

}  // namespace
}  // namespace hyperstep::cpu
