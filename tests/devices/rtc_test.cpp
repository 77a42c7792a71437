#include <array>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// MC146818A data sheet.
namespace hyperstep::devices_test {
namespace {

constexpr std::uint64_t leap_day = 1'709'251'199;  // 2024-02-29 23:59:59, a Thursday (date -u -d @1709251199)

class RtcTest : public ::testing::Test {
protected:
    static ChipsetConfiguration configuration() {
        ChipsetConfiguration result;
        result.cmos.start_seconds = leap_day;
        result.cmos.memory_below_4g = 0xc000'0000;
        result.cmos.memory_above_4g = 0x1'4000'0000;
        result.cmos.processors = 3;
        return result;
    }
    unsigned get(unsigned index) {
        board.out(0x70, index);
        return board.in(0x71);
    }
    void set(unsigned index, unsigned value) {
        board.out(0x70, index);
        board.out(0x71, value);
    }
    using Time = std::array<unsigned, 8>;  // century, year, month, day, weekday, hours, minutes, seconds
    Time time() { return {get(0x32), get(9), get(8), get(7), get(6), get(4), get(2), get(0)}; }
    bool irq8() { return board.chipset->io_apic().state().levels[8] == Level::asserted; }
    Board board{1, configuration()};
};

TEST_F(RtcTest, TheClockRuns) {
    EXPECT_EQ(time(), (Time{0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x59}));
    board.timeline.now += second;
    EXPECT_EQ(time(), (Time{0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00}));
    board.timeline.now += 400 * 86400 * second;
    EXPECT_EQ(time(), (Time{0x20, 0x25, 0x04, 0x05, 7, 0x00, 0x00, 0x00}));
}

TEST_F(RtcTest, BinaryAndTwelveHours) {
    set(0x0b, 0x82);
    set(0x0b, 0x86);
    set(4, 23), set(2, 59), set(0, 58), set(9, 99), set(8, 12), set(7, 31), set(0x32, 19);
    set(0x0b, 0x06);
    board.timeline.now += 2 * second;
    EXPECT_EQ(time(), (Time{20, 0, 1, 1, 7, 0, 0, 0}));
    struct Row {
        unsigned hours12, hours24;
    };
    for (const Row row :
         {Row{0x12, 0}, Row{0x01, 1}, Row{0x11, 11}, Row{0x92, 12}, Row{0x81, 13}, Row{0x91, 23}}) {
        set(0x0b, 0x80);
        set(4, row.hours12), set(2, 0), set(0, 0);
        set(0x0b, 0x00);
        board.timeline.now += second;
        EXPECT_EQ(get(4), row.hours12);
        board.timeline.now += 3600 * second;
        const unsigned next = (row.hours24 + 1) % 24;
        const unsigned shown = next % 12 == 0 ? 12 : next % 12;
        EXPECT_EQ(get(4), (shown / 10 << 4U | shown % 10) | (next >= 12 ? 0x80U : 0U)) << row.hours24;
    }
}

TEST_F(RtcTest, SetHoldsTheTime) {
    set(0x0b, 0x82);
    board.timeline.now += 10 * second;
    EXPECT_EQ(get(0), 0x59U);
    set(0, 0x10);
    set(0x0b, 0x02);
    board.timeline.now += second;
    EXPECT_EQ(get(0), 0x11U);
}

TEST_F(RtcTest, UpdateInProgress) {
    EXPECT_EQ(get(0x0a), 0x26U);
    board.timeline.now = second - 2229 * microsecond;
    EXPECT_EQ(get(0x0a), 0x26U);
    board.timeline.now = second - 2228 * microsecond;
    EXPECT_EQ(get(0x0a), 0xa6U);
    EXPECT_EQ(get(0), 0x59U);
    board.timeline.now = second;
    EXPECT_EQ(get(0x0a), 0x26U);
    EXPECT_EQ(get(0), 0x00U);
}

TEST_F(RtcTest, UpdateEndedInterrupt) {
    set(5, 0x12);  // the alarm is at noon
    set(0x0b, 0x12);
    board.timeline.now = second - 1;
    board.chipset->advance_to(board.timeline.now);
    EXPECT_FALSE(irq8());
    board.pass(1);
    EXPECT_TRUE(irq8());
    EXPECT_EQ(get(0x0c), 0x90U | 0x40U) << "the periodic flag is set too, without interrupting";
    EXPECT_FALSE(irq8());
    EXPECT_EQ(get(0x0c) & 0xb0U, 0U) << "reading clears";
}

TEST_F(RtcTest, PeriodicRates) {
    struct Row {
        unsigned rate;
        std::uint64_t hertz;
    };
    constexpr std::array rows{Row{1, 256}, Row{2, 128}, Row{3, 8192}, Row{6, 1024}, Row{10, 64}, Row{15, 2}};
    for (const Row row : rows) {
        set(0x0a, 0x20 | row.rate);
        get(0x0c);
        set(0x0b, 0x42);
        unsigned interrupts = 0;
        const std::uint64_t end = (board.timeline.now / second + 1) * second;
        board.pass(end - board.timeline.now);
        get(0x0c);
        while (board.timeline.now < end + second) {
            board.pass(board.chipset->rtc().next_deadline() - board.timeline.now);
            interrupts += irq8() ? 1U : 0U;
            EXPECT_EQ(get(0x0c) & 0xc0U, 0xc0U);
        }
        EXPECT_EQ(interrupts, row.hertz) << row.rate;
        set(0x0b, 0x02);
    }
    set(0x0a, 0x20);
    set(0x0b, 0x42);
    EXPECT_EQ(board.chipset->rtc().next_deadline(), Timeline::never);
}

TEST_F(RtcTest, Alarm) {
    struct Row {
        unsigned hours, minutes, seconds;
        std::uint64_t after;  // seconds after 23:59:59
    };
    constexpr std::array rows{
        Row{0x00, 0x00, 0x05, 6},
        Row{0xff, 0xff, 0xff, 1},
        Row{0xc0, 0xc0, 0x30, 31},
        Row{0xff, 0x02, 0x00, 121},
        Row{0x23, 0x59, 0x59, 86400},
        Row{0x12, 0xff, 0xff, 43201},
        Row{0xff, 0x10, 0xff, 601},
        Row{0x77, 0xff, 0xff, 0},
        Row{0xff, 0xff, 0x77, 0},
    };
    for (const Row& row : rows) {
        Board other{1, configuration()};
        const auto put = [&](unsigned index, unsigned value) {
            other.out(0x70, index), other.out(0x71, value);
        };
        put(5, row.hours), put(3, row.minutes), put(1, row.seconds);
        put(0x0b, 0x22);
        const std::uint64_t wait = row.after == 0 ? 2 * 86400 : row.after;
        other.pass((wait - 1) * second);
        const auto fired = [&] { return other.chipset->io_apic().state().levels[8] == Level::asserted; };
        EXPECT_FALSE(fired()) << row.after;
        other.pass(second);
        EXPECT_EQ(fired(), row.after != 0) << row.after;
        // The same, seen only afterwards.
        Board late{1, configuration()};
        const auto store = [&](unsigned index, unsigned value) {
            late.out(0x70, index), late.out(0x71, value);
        };
        store(5, row.hours), store(3, row.minutes), store(1, row.seconds);
        late.timeline.now += (wait - 1) * second;
        late.out(0x70, 0x0c);
        EXPECT_EQ(late.in(0x71) & 0x20U, 0U) << row.after;
        late.timeline.now += second;
        EXPECT_EQ(late.in(0x71) & 0x20U, row.after != 0 ? 0x20U : 0U) << row.after;
    }
}

TEST_F(RtcTest, MemorySizes) {
    EXPECT_EQ(get(0x15) | get(0x16) << 8U, 640U);
    EXPECT_EQ(get(0x17) | get(0x18) << 8U, 0xffffU);
    EXPECT_EQ(get(0x30) | get(0x31) << 8U, 0xffffU);
    EXPECT_EQ(get(0x34) | get(0x35) << 8U, (0xc000'0000U - 0x100'0000U) >> 16U);
    EXPECT_EQ(get(0x5b) | get(0x5c) << 8U | get(0x5d) << 16U, 0x14000U);
    EXPECT_EQ(get(0x5f), 2U);
    EXPECT_EQ(get(0x0d), 0x80U);
}

TEST_F(RtcTest, NmiMaskAndMemory) {
    board.out(0x70, 0x8f);
    EXPECT_TRUE(board.chipset->rtc().nmi_is_masked());
    board.out(0x71, 0x0a);
    EXPECT_EQ(get(0x0f), 0x0aU);
    EXPECT_FALSE(board.chipset->rtc().nmi_is_masked());
    board.chipset->reset();
    EXPECT_EQ(get(0x0f), 0x0aU) << "the battery keeps it";
}

}  // namespace
}  // namespace hyperstep::devices_test
