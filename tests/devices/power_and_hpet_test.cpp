#include <array>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// ACPI "Fixed Hardware Registers"; IA-PC HPET Specification 1.0a.
namespace hyperstep::devices_test {
namespace {

class Power : public ::testing::Test {
protected:
    unsigned word(std::uint16_t port) { return board.chipset->ports.read(port, IoWidth::word); }
    void write(std::uint16_t port, unsigned value) { board.chipset->ports.write(port, IoWidth::word, value); }
    std::uint32_t timer() { return board.chipset->ports.read(0x608, IoWidth::dword); }
    bool sci() { return board.chipset->io_apic().state().levels[9] == Level::asserted; }
    Board board;
};

TEST_F(Power, TheTimerCounts) {
    EXPECT_EQ(timer(), 0U);
    board.timeline.now = second;
    EXPECT_EQ(timer(), 3'579'545U);
    board.timeline.now = 10 * second;
    EXPECT_EQ(timer(), 35'795'450U & 0xff'ffffU);
    ChipsetConfiguration configuration;
    configuration.power.timer = PowerManagementModel::TimerWidth::bits_32;
    Board wide{1, configuration};
    wide.timeline.now = 10 * second;
    EXPECT_EQ(wide.chipset->ports.read(0x608, IoWidth::dword), 35'795'450U);
}

TEST_F(Power, TimerCarryInterrupts) {
    board.out(0xb2, 0xf1);
    write(0x602, 1);
    // The highest of 24 bits changes after 2^23 clocks.
    EXPECT_EQ(board.chipset->power().next_deadline(), (8'388'608 * second + 3'579'544) / 3'579'545);
    board.pass(board.chipset->power().next_deadline() - 1);
    EXPECT_FALSE(sci());
    board.pass(1);
    EXPECT_TRUE(sci());
    EXPECT_EQ(word(0x600), 1U);
    write(0x600, 1);
    EXPECT_EQ(word(0x600), 0U);
    EXPECT_FALSE(sci());
}

TEST_F(Power, AcpiModeIsSwitchedByTheSmiCommand) {
    EXPECT_EQ(word(0x604), 0U);
    board.out(0xb2, 0xf1);
    EXPECT_EQ(word(0x604), 1U);
    write(0x604, 0x0400);
    EXPECT_EQ(word(0x604), 0x0401U);
    board.out(0xb2, 0xf0);
    EXPECT_EQ(word(0x604), 0x0400U);
    board.out(0xb3, 0x77);
    board.out(0xb2, 0x42);
    EXPECT_EQ(board.signals.take(), "smi:66 ");
    EXPECT_EQ(board.in(0xb2), 0x42U);
    EXPECT_EQ(board.in(0xb3), 0x77U);
}

TEST_F(Power, SleepStates) {
    write(0x604, 0x2000);
    EXPECT_EQ(board.signals.take(), "power_off ");
    EXPECT_EQ(word(0x604) & 0x2000U, 0U);
    write(0x604, 0x2800);
    EXPECT_EQ(board.signals.take(), "") << "a type that no state has";
}

TEST_F(Power, TheAlarmWakes) {
    write(0x602, 0x400);
    for (const unsigned index : {1U, 3U, 5U}) board.out(0x70, index), board.out(0x71, index == 1 ? 3 : 0xff);
    board.out(0x70, 0x0b), board.out(0x71, 0x22);
    write(0x604, 0x2400);
    EXPECT_EQ(board.signals.take(), "suspend ");
    board.pass(2 * second);
    EXPECT_EQ(board.signals.take(), "");
    board.pass(second);
    EXPECT_EQ(board.signals.take(), "wake ");
    EXPECT_EQ(word(0x600), 0x8401U) << "and the timer carried after 2.3 s";
}

TEST_F(Power, ButtonInterruptsInAcpiModeOnly) {
    write(0x602, 0x100);
    board.chipset->power().power_button();
    EXPECT_FALSE(sci());
    board.out(0xb2, 0xf1);
    EXPECT_TRUE(sci());
}

// ---- HPET -------------------------------------------------------------------------------------------------

class HpetTest : public ::testing::Test {
protected:
    enum : std::uint64_t { capabilities = 0, configuration = 0x10, status = 0x20, counter = 0xf0 };
    static constexpr std::uint64_t timer(unsigned index) { return 0x100 + 0x20ULL * index; }
    static constexpr std::uint64_t comparator(unsigned index) { return timer(index) + 8; }
    std::uint64_t read(std::uint64_t offset) { return hpet.read(offset, 8); }
    void write(std::uint64_t offset, std::uint64_t value) { hpet.write(offset, 8, value); }
    bool line(unsigned index) { return board.chipset->io_apic().state().levels[index] == Level::asserted; }
    Board board;
    Hpet& hpet = board.chipset->hpet();
};

TEST_F(HpetTest, Capabilities) {
    EXPECT_EQ(read(capabilities), 0x0098'9680'8086'a201U);
    EXPECT_EQ(hpet.read(4, 4), 10'000'000U) << "femtoseconds";
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_EQ(read(timer(i)), 0x00ff'0104'0000'0030U);
        EXPECT_EQ(read(comparator(i)), ~0ULL);
    }
    EXPECT_EQ(read(timer(3)), 0U);
}

TEST_F(HpetTest, TheCounter) {
    write(counter, 1000);
    board.timeline.now += second;
    EXPECT_EQ(read(counter), 1000U) << "it is halted";
    write(configuration, 1);
    board.timeline.now += second;
    EXPECT_EQ(read(counter), 100'001'000U);
    EXPECT_EQ(hpet.read(counter + 4, 4), 0U);
    write(configuration, 0);
    board.timeline.now += second;
    EXPECT_EQ(read(counter), 100'001'000U);
}

TEST_F(HpetTest, OneShotEdge) {
    write(configuration, 1);
    write(timer(0), 20U << 9U | 4);
    board.timeline.stop_at = Timeline::never;
    write(comparator(0), 500);
    EXPECT_EQ(board.timeline.stop_at, 5000U);
    board.pass(4999);
    EXPECT_FALSE(line(20));
    board.pass(1);
    EXPECT_TRUE(line(20));
    EXPECT_EQ(read(status), 0U);
    EXPECT_EQ(hpet.next_deadline(), Timeline::never);
}

TEST_F(HpetTest, LevelStaysUntilItIsCleared) {
    write(configuration, 1);
    write(timer(1), 21U << 9U | 6);
    write(comparator(1), 500);
    board.pass(5000);
    EXPECT_TRUE(line(21));
    EXPECT_EQ(read(status), 2U);
    write(status, 5);
    EXPECT_TRUE(line(21));
    write(status, 2);
    EXPECT_FALSE(line(21));
}

TEST_F(HpetTest, PeriodicAsSystemsSetItUp) {
    write(timer(2), 22U << 9U | 0x4e);
    write(comparator(2), 1000);  // the accumulator
    write(comparator(2), 400);   // the period
    EXPECT_EQ(read(comparator(2)), 1000U);
    write(configuration, 1);
    unsigned fired = 0;
    for (unsigned count = 1; count <= 3000; ++count) {
        board.pass(10);
        if (read(status) == 0) continue;
        EXPECT_EQ((count - 1000) % 400, 0U);
        write(status, 4);
        ++fired;
    }
    EXPECT_EQ(fired, 6U);
    EXPECT_EQ(read(comparator(2)), 3400U);
}

TEST_F(HpetTest, ThirtyTwoBitsWrap) {
    write(counter, 0xffff'ff00);
    write(timer(0), 20U << 9U | 0x106);
    write(comparator(0), 0x7'0000'0010);
    EXPECT_EQ(read(comparator(0)), 0x10U);
    write(configuration, 1);
    board.pass(0x10f * 10);
    EXPECT_FALSE(line(20));
    board.pass(10);
    EXPECT_TRUE(line(20));
}

TEST_F(HpetTest, RoutesThatDoNotExistReadAsZero) {
    for (unsigned route = 0; route < 32; ++route) {
        write(timer(0), route << 9U);
        const bool possible = (0x00ff'0104U >> route & 1U) != 0;
        EXPECT_EQ(read(timer(0)) >> 9U & 0x1fU, possible ? route : 0) << route;
    }
}

TEST_F(HpetTest, LegacyReplacement) {
    board.out(0x43, 0x34), board.out(0x40, 100), board.out(0x40, 0);
    EXPECT_TRUE(line(2));
    write(configuration, 3);
    EXPECT_FALSE(line(2)) << "the PIT is cut off";
    write(timer(0), 4);
    write(timer(1), 4);
    write(comparator(0), 500);
    write(comparator(1), 700);
    board.pass(5000);
    EXPECT_TRUE(line(2));
    EXPECT_FALSE(line(8));
    board.pass(2000);
    EXPECT_TRUE(line(8));
    write(configuration, 0);
    EXPECT_FALSE(line(8));
}

TEST_F(HpetTest, TinyPeriodsAndJumpsAreBounded) {
    write(timer(0), 20U << 9U | 0x4e);
    write(comparator(0), 1);
    write(configuration, 1);
    board.pass(10);
    EXPECT_EQ(hpet.next_deadline() - board.timeline.now, 1000U) << "a microsecond";
    board.timeline.now += 100'000 * second;
    board.chipset->advance_to(board.timeline.now);
    EXPECT_GT(hpet.next_deadline(), board.timeline.now);
    EXPECT_LE(hpet.next_deadline(), board.timeline.now + 1000);
}

}  // namespace
}  // namespace hyperstep::devices_test
