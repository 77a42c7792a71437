#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// 8254 data sheet. Its clock has 1193182 Hz; at(n) is the tick at which n clocks have passed.
namespace hyperstep::devices_test {
namespace {

class PitTest : public ::testing::Test {
protected:
    void write(unsigned offset, unsigned value) {
        pit.write(static_cast<std::uint16_t>(offset), IoWidth::byte, value);
    }
    unsigned read(unsigned offset) { return pit.read(static_cast<std::uint16_t>(offset), IoWidth::byte); }
    void count(unsigned channel, unsigned value) {
        write(channel, value & 0xffU);
        write(channel, value >> 8U);
    }
    /// Time goes to the n-th clock after the beginning, stopping at deadlines.
    void go(std::uint64_t clock) {
        const std::uint64_t end = Pit::clock.tick_of(clock);
        while (timeline.now < end) {
            timeline.now = std::min(end, pit.next_deadline());
            pit.advance_to(timeline.now);
        }
    }
    unsigned latched(unsigned channel) {
        write(3, channel << 6U);
        const unsigned low = read(channel);
        return low | read(channel) << 8U;
    }
    bool out2() { return (read(4) & 0x20U) != 0; }
    Timeline timeline;
    NotedLine irq0;
    Pit pit{timeline, irq0};
};

TEST(ClockRate, IsExact) {
    constexpr ClockRate pit{1'193'182};
    static_assert(pit.clocks_at(second) == 1'193'182);
    static_assert(pit.clocks_at(second - 1) == 1'193'181);
    static_assert(pit.tick_of(1'193'182) == second);
    static_assert(pit.tick_of(1) == 839);  // 838.1 ns
    for (std::uint64_t clock = 0; clock < 5000; ++clock) {
        ASSERT_EQ(pit.clocks_at(pit.tick_of(clock)), clock);
        if (clock > 0) {
            ASSERT_EQ(pit.clocks_at(pit.tick_of(clock) - 1), clock - 1);
        }
    }
    EXPECT_EQ(pit.tick_of(~0ULL), Timeline::never);
}

TEST_F(PitTest, Mode0InterruptsOnTerminalCount) {
    write(3, 0x30);
    EXPECT_FALSE(irq0.is_high());
    count(0, 100);
    go(40);
    EXPECT_EQ(latched(0), 60U);
    go(99);
    EXPECT_FALSE(irq0.is_high());
    go(100);
    EXPECT_TRUE(irq0.is_high());
    EXPECT_EQ(latched(0), 0U);
    go(101);
    EXPECT_EQ(latched(0), 0xffffU) << "the counter goes on, and wraps";
    EXPECT_EQ(pit.next_deadline(), Timeline::never);
}

TEST_F(PitTest, Mode0FirstByteStopsCounting) {
    write(3, 0x30);
    count(0, 10);
    write(0, 5);
    go(20);
    EXPECT_FALSE(irq0.is_high());
    write(0, 0);
    go(25);
    EXPECT_TRUE(irq0.is_high());
}

TEST_F(PitTest, Mode2IsARateGenerator) {
    write(3, 0x34);
    EXPECT_TRUE(irq0.is_high());
    count(0, 10);
    irq0.rises = 0;
    go(9);
    EXPECT_FALSE(irq0.is_high()) << "low for the one clock at which the count is 1";
    EXPECT_EQ(latched(0), 1U);
    go(10);
    EXPECT_TRUE(irq0.is_high());
    EXPECT_EQ(latched(0), 10U);
    go(1000);
    EXPECT_EQ(irq0.rises, 100U);
}

TEST_F(PitTest, Mode2TakesANewCountAtTheEndOfThePeriod) {
    write(3, 0x34);
    count(0, 10);
    go(5);
    count(0, 20);
    write(3, 0xe2);  // read back: status of counter 0
    EXPECT_EQ(read(0) & 0x40U, 0x40U) << "null count";
    EXPECT_EQ(latched(0), 5U);
    go(10);
    EXPECT_EQ(latched(0), 20U);
    write(3, 0xe2);
    EXPECT_EQ(read(0), 0xb4U) << "OUT, low and high byte, mode 2";
    go(29);
    EXPECT_EQ(latched(0), 1U);
}

TEST_F(PitTest, Mode3IsASquareWave) {
    struct Row {
        unsigned count, high, low;
    };
    for (const Row row : {Row{10, 5, 5}, Row{11, 6, 5}, Row{2, 1, 1}, Row{3, 2, 1}}) {
        write(4, 0);
        write(3, 0xb6);
        write(4, 1);
        count(2, row.count);
        const std::uint64_t begin = Pit::clock.clocks_at(timeline.now);
        for (unsigned clock = 0; clock < 3 * row.count; ++clock) {
            go(begin + clock);
            EXPECT_EQ(out2(), clock % row.count < row.high) << row.count << " at " << clock;
            const unsigned phase = clock % row.count;
            const unsigned half = phase < row.high ? phase : phase - row.high;
            EXPECT_EQ(latched(2), (row.count & ~1U) - 2 * half) << row.count << " at " << clock;
        }
        go(begin + 3 * row.count + 7);
    }
}

TEST_F(PitTest, Mode3TakesANewCountAtTheEndOfTheHalf) {
    write(3, 0x36);
    count(0, 10);
    go(2);
    count(0, 100);
    go(4);
    EXPECT_TRUE(irq0.is_high());
    go(5);
    EXPECT_FALSE(irq0.is_high());
    go(54);
    EXPECT_FALSE(irq0.is_high()) << "the low half is already the new one: 50 clocks";
    go(55);
    EXPECT_TRUE(irq0.is_high());
}

TEST_F(PitTest, Mode4StrobesOnce) {
    write(3, 0xb8);
    write(4, 1);
    count(2, 5);
    for (unsigned clock = 0; clock < 20; ++clock) {
        go(clock);
        EXPECT_EQ(out2(), clock != 5) << clock;
    }
}

TEST_F(PitTest, Modes1And5WaitForTheGate) {
    write(3, 0xb2);
    count(2, 5);
    go(10);
    EXPECT_TRUE(out2());
    write(4, 1);
    EXPECT_FALSE(out2());
    go(14);
    EXPECT_FALSE(out2());
    write(4, 0);  // the gate's level has no effect
    write(4, 1);  // and a new trigger starts anew
    go(18);
    EXPECT_FALSE(out2());
    go(19);
    EXPECT_TRUE(out2());
    write(3, 0xba);
    count(2, 5);
    write(4, 0);
    write(4, 1);
    go(23);
    EXPECT_TRUE(out2());
    go(24);
    EXPECT_FALSE(out2());
    go(25);
    EXPECT_TRUE(out2());
}

TEST_F(PitTest, TheGatePausesMode0) {
    write(3, 0xb0);
    write(4, 1);
    count(2, 10);
    go(4);
    write(4, 0);
    go(100);
    EXPECT_EQ(latched(2), 6U);
    write(4, 1);
    go(105);
    EXPECT_FALSE(out2());
    go(106);
    EXPECT_TRUE(out2());
}

TEST_F(PitTest, Bcd) {
    write(3, 0x31);
    count(0, 0x1000);
    go(1);
    EXPECT_EQ(latched(0), 0x0999U);
    go(1001);
    EXPECT_EQ(latched(0), 0x9999U);
    write(3, 0x35);
    count(0, 0);  // 10000
    const std::uint64_t begin = Pit::clock.clocks_at(timeline.now);
    go(begin + 1);
    EXPECT_EQ(latched(0), 0x9999U);
}

TEST_F(PitTest, AccessModes) {
    write(3, 0x10);  // low byte only
    write(0, 50);
    go(10);
    EXPECT_EQ(read(0), 40U);
    EXPECT_EQ(read(0), 40U);
    write(3, 0x20);  // high byte only
    write(0, 1);
    go(11);
    EXPECT_EQ(read(0), 0U) << "255 of 256 are left";
    write(3, 0x00);
    go(200);
    EXPECT_EQ(read(0), 0U);
}

TEST_F(PitTest, ALatchedCountStaysUntilItIsRead) {
    write(3, 0x34);
    count(0, 1000);
    go(10);
    write(3, 0x00);
    go(20);
    write(3, 0x00);
    EXPECT_EQ(read(0), 990U & 0xffU);
    EXPECT_EQ(read(0), 990U >> 8U);
    EXPECT_EQ(read(0), 980U & 0xffU);
}

TEST_F(PitTest, ReadBackGivesStatusBeforeCount) {
    write(3, 0x34);
    count(0, 1000);
    go(10);
    write(3, 0xc2);
    EXPECT_EQ(read(0), 0xb4U);
    EXPECT_EQ(read(0), 990U & 0xffU);
    EXPECT_EQ(read(0), 990U >> 8U);
}

TEST_F(PitTest, RefreshToggles) {
    const unsigned before = read(4) & 0x10U;
    go(18);
    EXPECT_NE(read(4) & 0x10U, before);
    go(36);
    EXPECT_EQ(read(4) & 0x10U, before);
}

TEST_F(PitTest, AJumpOverManyPeriodsIsOneEdge) {
    write(3, 0x34);
    count(0, 2);
    irq0.rises = 0;
    timeline.now += 1000 * second;
    pit.advance_to(timeline.now);
    EXPECT_EQ(irq0.rises, 1U);
    EXPECT_GT(pit.next_deadline(), timeline.now);
}

TEST_F(PitTest, ArmingBringsTheStopForward) {
    timeline.stop_at = Timeline::never;
    write(3, 0x30);
    count(0, 100);
    EXPECT_EQ(timeline.stop_at, Pit::clock.tick_of(100));
}

}  // namespace
}  // namespace hyperstep::devices_test
