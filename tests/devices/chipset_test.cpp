#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

namespace hyperstep::devices_test {
namespace {

using Saved = std::vector<std::vector<std::uint8_t>>;

Saved save_all(Chipset& chipset) {
    Saved saved;
    chipset.for_each_state(
        [&](std::string_view /*name*/, const auto& state) { saved.push_back(save(state)); });
    return saved;
}

void restore_all(Chipset& chipset, const Saved& saved) {
    std::size_t next = 0;
    chipset.for_each_state([&]<class State>(std::string_view name, State& state) {
        const auto loaded = load<State>(saved.at(next++));
        ASSERT_TRUE(loaded) << name;
        state = *loaded;
    });
}

/// Accesses that reach every device, the same for the same seed.
void play(Board& board, unsigned seed) {
    // NOLINTNEXTLINE(cert-msc51-cpp): the same numbers on every host are the point
    std::mt19937 random{seed};
    constexpr std::array<std::uint16_t, 40> ports{
        0x20,  0x21,  0xa0,  0xa1,  0x4d0, 0x4d1, 0x40,  0x41,  0x42,  0x43,   0x61,   0x60,  0x64,  0x70,
        0x71,  0x80,  0x92,  0xb2,  0xe0,  0xe4,  0x3f8, 0x3f9, 0x3fa, 0x3fb,  0x3fc,  0x3fd, 0x3fe, 0x3ff,
        0x510, 0x511, 0x600, 0x602, 0x604, 0x608, 0xcf8, 0xcfc, 0xcf9, 0x8900, 0x2004, 0x2000};
    for (unsigned step = 0; step < 3000; ++step) {
        const auto number = static_cast<std::uint32_t>(random());
        const auto value = static_cast<std::uint32_t>(random());
        const std::uint16_t port = ports[number % ports.size()];
        constexpr IoWidth widths[] = {IoWidth::byte, IoWidth::byte, IoWidth::word, IoWidth::dword};
        const IoWidth width = widths[number >> 8U & 3U];
        LocalApic& apic = board.apic(number >> 10U & 1U);
        switch (number >> 12U & 7U) {
            case 0: board.chipset->ports.read(port, width); break;
            case 1:
            case 2: board.chipset->ports.write(port, width, value); break;
            case 3: apic.write((number >> 16U & 0x3fU) << 4U, 4, value); break;
            case 4: board.chipset->hpet().write((number >> 16U & 0x3fU) << 3U, 8, value & 0xffffU); break;
            case 5:
                board.chipset->io_apic().write(0, 4, number >> 16U & 0x3fU);
                board.chipset->io_apic().write(0x10, 4, value);
                break;
            case 6:
                if (apic.has_interrupt()) apic.acknowledge();
                break;
            default:
                board.timeline.now += value % (10 * microsecond);
                board.chipset->advance_to(board.timeline.now);
                break;
        }
    }
}

TEST(Chipset, EveryStateHasItsName) {
    Board board{2};
    std::map<std::string, unsigned> names;
    board.chipset->for_each_state(
        [&](std::string_view name, const auto& /*state*/) { ++names[std::string{name}]; });
    EXPECT_EQ(names["local_apic"], 2U);
    EXPECT_EQ(names["pit"], 1U);
    EXPECT_EQ(names.size(), 17U);
}

// What a snapshot must hold is in the states: another board that gets them goes on in the same way.
TEST(Chipset, ARestoredBoardGoesOnTheSame) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        Board first{2};
        play(first, seed);
        const Saved middle = save_all(*first.chipset);
        Board second{2};
        second.timeline = first.timeline;
        restore_all(*second.chipset, middle);
        EXPECT_EQ(save_all(*second.chipset), middle);
        play(first, seed + 1000);
        play(second, seed + 1000);
        EXPECT_EQ(save_all(*first.chipset), save_all(*second.chipset)) << seed;
        EXPECT_EQ(first.timeline.now, second.timeline.now);
    }
}

TEST(Chipset, DeadlinesLieAhead) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        Board board{2};
        play(board, seed);
        board.chipset->advance_to(board.timeline.now);
        for (unsigned step = 0; step < 200; ++step) {
            const std::uint64_t deadline = board.chipset->next_deadline();
            ASSERT_GT(deadline, board.timeline.now) << seed;
            if (deadline == Timeline::never) break;
            board.timeline.now = deadline;
            board.chipset->advance_to(deadline);
        }
    }
}

TEST(Chipset, ResetIsTheBeginning) {
    Board fresh{2};
    Board used{2};
    play(used, 7);
    used.timeline.now = 0;
    used.chipset->reset();
    std::vector<std::string> differing;
    const Saved one = save_all(*fresh.chipset);
    const Saved other = save_all(*used.chipset);
    std::size_t next = 0;
    fresh.chipset->for_each_state([&](std::string_view name, const auto& /*state*/) {
        if (one[next] != other[next]) differing.emplace_back(name);
        ++next;
    });
    EXPECT_EQ(differing, std::vector<std::string>{"rtc"}) << "the battery keeps its memory";
}

TEST(Chipset, AMaskedTimerWakesNobody) {
    Board board;
    board.out(0x43, 0x34), board.out(0x40, 0), board.out(0x40, 1);
    board.out(0x21, 0xff), board.out(0xa1, 0xff);
    EXPECT_NE(board.chipset->next_deadline(), Timeline::never);
    EXPECT_EQ(board.chipset->next_wakeup(), Timeline::never);
    board.out(0x21, 0xfe);
    EXPECT_EQ(board.chipset->next_wakeup(), board.chipset->next_deadline());
    board.out(0x21, 0xff);
    board.chipset->io_apic().write(0, 4, 0x14);
    board.chipset->io_apic().write(0x10, 4, 0x55);
    EXPECT_EQ(board.chipset->next_wakeup(), board.chipset->next_deadline());
}

TEST(Chipset, LinesAreHeardThroughTheirMasks) {
    Board board;
    InterruptWires& wires = board.chipset->wires();
    EXPECT_TRUE(wires.is_heard(12)) << "after power-up the 8259A masks nothing";
    board.out(0x21, 0x04);
    EXPECT_FALSE(wires.is_heard(12)) << "the cascade is masked";
    EXPECT_TRUE(wires.is_heard(3));
    EXPECT_FALSE(wires.is_heard(20));
    board.chipset->io_apic().write(0, 4, 0x10 + 2 * 20);
    board.chipset->io_apic().write(0x10, 4, 0x55);
    EXPECT_TRUE(wires.is_heard(20));
}

// As a PC's firmware and system use them: the tick of the timer, by either controller.
TEST(Chipset, TheTimerTicksThroughBothControllers) {
    Board board;
    board.apic().set_virtual_wire_mode();
    for (const unsigned value : {0x11U, 0x30U, 4U, 1U}) board.out(value == 0x11 ? 0x20 : 0x21, value);
    board.out(0x21, 0xfe);
    board.out(0x43, 0x34), board.out(0x40, 1193 & 0xff), board.out(0x40, 1193 >> 8U);
    unsigned ticks = 0;
    while (board.timeline.now < second / 10) {
        board.pass(100 * microsecond);
        if (!board.apic().has_interrupt()) continue;
        EXPECT_EQ(board.apic().acknowledge(), 0x30);
        board.out(0x20, 0x20);
        ++ticks;
    }
    EXPECT_NEAR(ticks, 100, 1);
    board.apic_write(0x350, 0x10000);
    board.chipset->io_apic().write(0, 4, 0x14);
    board.chipset->io_apic().write(0x10, 4, 0x55);
    board.pass(2 * millisecond);
    EXPECT_EQ(board.apic().acknowledge(), 0x55);
}

}  // namespace
}  // namespace hyperstep::devices_test
