#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// SDM "Determining IPI Destination"; 82093AA; who gets which message.
namespace hyperstep::devices_test {
namespace {

using Processors = std::vector<std::size_t>;

class Messages : public ::testing::Test {
protected:
    Messages() {
        for (std::size_t i = 0; i < board.processors.size(); ++i) board.apic_write(0xf0, 0x1ff, i);
    }
    void enter_x2apic() {
        for (std::size_t i = 0; i < board.processors.size(); ++i) {
            ASSERT_TRUE(board.apic(i).set_base(0xfee0'0c00));
            ASSERT_TRUE(board.apic(i).write_msr(0x80f, 0x1ff));
        }
    }
    /// Who has an interrupt; it is taken and completed.
    Processors take(std::uint8_t vector = 0x41) {
        Processors who;
        for (std::size_t i = 0; i < board.processors.size(); ++i) {
            if (!board.apic(i).has_interrupt()) continue;
            EXPECT_EQ(board.apic(i).acknowledge(), vector);
            if (board.apic(i).mode() == ApicMode::x2apic)
                EXPECT_TRUE(board.apic(i).write_msr(0x80b, 0));
            else
                board.apic_write(0xb0, 0, i);
            who.push_back(i);
        }
        return who;
    }
    void send(std::uint32_t destination, std::uint32_t command, std::size_t from = 0) {
        board.apic_write(0x310, destination << 24U, from);
        board.apic_write(0x300, command, from);
    }
    Board board{4};
};

TEST_F(Messages, PhysicalDestination) {
    for (unsigned id = 0; id < 4; ++id) {
        send(id, 0x4041, 2);
        EXPECT_EQ(take(), Processors{id});
    }
    send(9, 0x4041);
    EXPECT_EQ(take(), Processors{});
    send(0xff, 0x4041, 1);
    EXPECT_EQ(take(), (Processors{0, 1, 2, 3}));
}

TEST_F(Messages, Shorthands) {
    send(0, 0x44041, 2);
    EXPECT_EQ(take(), Processors{2});
    send(0, 0x84041, 2);
    EXPECT_EQ(take(), (Processors{0, 1, 2, 3}));
    send(0, 0xc4041, 2);
    EXPECT_EQ(take(), (Processors{0, 1, 3}));
}

TEST_F(Messages, InitAndStartupToAllButSelf) {
    send(0, 0xc4500);
    send(0, 0xc4608);
    EXPECT_EQ(board.processors[0].seen, "");
    for (unsigned i = 1; i < 4; ++i) EXPECT_EQ(board.processors[i].seen, "init startup:8 ");
}

TEST_F(Messages, FlatLogicalDestination) {
    for (unsigned i = 0; i < 4; ++i) board.apic_write(0xd0, 1U << (24 + i), i);
    send(0b0101, 0x4841);
    EXPECT_EQ(take(), (Processors{0, 2}));
    send(0b1000, 0x4841);
    EXPECT_EQ(take(), Processors{3});
    send(0xf0, 0x4841);
    EXPECT_EQ(take(), Processors{});
}

TEST_F(Messages, ClusterLogicalDestination) {
    constexpr std::array<std::uint32_t, 4> ids{0x11, 0x12, 0x21, 0x22};
    for (std::size_t i = 0; i < 4; ++i) {
        board.apic_write(0xe0, 0x0fff'ffff, i);
        board.apic_write(0xd0, ids[i] << 24U, i);
    }
    send(0x13, 0x4841);
    EXPECT_EQ(take(), (Processors{0, 1}));
    send(0x22, 0x4841);
    EXPECT_EQ(take(), Processors{3});
    send(0xff, 0x4841);
    EXPECT_EQ(take(), (Processors{0, 1, 2, 3}));
}

TEST_F(Messages, X2apicDestinations) {
    enter_x2apic();
    EXPECT_EQ(board.apic(3).read_msr(0x80d), 8U);
    ASSERT_TRUE(board.apic(0).write_msr(0x830, 2ULL << 32U | 0x4041));
    EXPECT_EQ(take(), Processors{2});
    ASSERT_TRUE(board.apic(0).write_msr(0x830, 0b1010ULL << 32U | 0x4841));
    EXPECT_EQ(take(), (Processors{1, 3}));
    ASSERT_TRUE(board.apic(0).write_msr(0x830, 0x1000fULL << 32U | 0x4841));
    EXPECT_EQ(take(), Processors{}) << "another cluster";
    ASSERT_TRUE(board.apic(0).write_msr(0x830, 0xffULL << 32U | 0x4041));
    EXPECT_EQ(take(), Processors{}) << "0xff is an id like any other";
    ASSERT_TRUE(board.apic(0).write_msr(0x830, 0xffff'ffffULL << 32U | 0x4041));
    EXPECT_EQ(take(), (Processors{0, 1, 2, 3}));
}

TEST(X2apicId, ClustersOfSixteen) {
    Board board{18};
    ASSERT_TRUE(board.apic(17).set_base(0xfee0'0c00));
    EXPECT_EQ(board.apic(17).read_msr(0x802), 17U);
    EXPECT_EQ(board.apic(17).read_msr(0x80d), 0x1'0002U);
}

TEST_F(Messages, LowestPriority) {
    send(0xff, 0x4141);
    EXPECT_EQ(take(), Processors{0}) << "of equals the lowest id";
    constexpr std::array<std::uint32_t, 4> priorities{0x50, 0x30, 0x20, 0x20};
    for (std::size_t i = 0; i < 4; ++i) board.apic_write(0x80, priorities[i], i);
    send(0xff, 0x4141);
    EXPECT_EQ(take(), Processors{2});
    board.apic_write(0xf0, 0xff, 2);
    send(0xff, 0x4141);
    EXPECT_EQ(take(), Processors{3}) << "only those that are enabled";
}

TEST_F(Messages, ADisabledApicTakesNothing) {
    ASSERT_TRUE(board.apic(1).set_base(0xfee0'0000));
    send(0xff, 0x4041);
    EXPECT_EQ(take(), (Processors{0, 2, 3}));
    send(1, 0x4400);
    EXPECT_EQ(board.processors[1].seen, "");
}

TEST_F(Messages, MessageSignalled) {
    EXPECT_TRUE(board.chipset->apic_bus().send_msi(0xfee0'2000, 0x41));
    EXPECT_EQ(take(), Processors{2});
    for (unsigned i = 0; i < 4; ++i) board.apic_write(0xd0, 1U << (24 + i), i);
    EXPECT_TRUE(board.chipset->apic_bus().send_msi(0xfee0'a00c, 0x41));
    EXPECT_EQ(take(), (Processors{1, 3}));
    EXPECT_FALSE(board.chipset->apic_bus().send_msi(0xfee0'9000, 0x41));
}

// ---- I/O APIC ---------------------------------------------------------------------------------------------

class IoApicTest : public Messages {
protected:
    std::uint32_t read(std::uint32_t index) {
        io_apic.write(0, 4, index);
        return static_cast<std::uint32_t>(io_apic.read(0x10, 4));
    }
    void write(std::uint32_t index, std::uint32_t value) {
        io_apic.write(0, 4, index);
        io_apic.write(0x10, 4, value);
    }
    void route(unsigned line, std::uint32_t low, std::uint32_t destination = 0) {
        write(0x11 + 2 * line, destination << 24U);
        write(0x10 + 2 * line, low);
    }
    void raise(unsigned line) { io_apic.set_line(line, Level::asserted); }
    void lower(unsigned line) { io_apic.set_line(line, Level::deasserted); }
    static constexpr std::uint32_t remote_irr = 0x4000;
    IoApic& io_apic = board.chipset->io_apic();
};

TEST_F(IoApicTest, Registers) {
    EXPECT_EQ(read(1), 0x0017'0020U);
    write(0, 0xffff'ffff);
    EXPECT_EQ(read(0), 0x0f00'0000U);
    EXPECT_EQ(read(2), 0x0f00'0000U);
    for (unsigned line = 0; line < IoApic::lines; ++line) {
        EXPECT_EQ(read(0x10 + 2 * line), 0x10000U);
        write(0x10 + 2 * line, 0xffff'ffff);
        write(0x11 + 2 * line, 0xffff'ffff);
        EXPECT_EQ(read(0x10 + 2 * line), 0x1'afffU) << "delivery status and remote IRR are read-only";
        EXPECT_EQ(read(0x11 + 2 * line), 0xff00'0000U);
    }
    EXPECT_EQ(read(0x40), 0U);
    EXPECT_EQ(io_apic.read(0, 4), 0x40U);
}

TEST_F(IoApicTest, AnEdgeIsDeliveredOnce) {
    route(5, 0x41, 1);
    raise(5);
    EXPECT_EQ(take(), Processors{1});
    lower(5);
    EXPECT_EQ(take(), Processors{});
    write(0x10 + 10, 0x10041);
    raise(5);
    write(0x10 + 10, 0x41);
    EXPECT_EQ(take(), Processors{}) << "an edge on a masked line is lost";
}

TEST_F(IoApicTest, ALevelIsDeliveredAgainAfterEoi) {
    route(5, 0x8041, 1);
    raise(5);
    EXPECT_EQ(read(0x1a) & remote_irr, remote_irr);
    EXPECT_EQ(board.apic(1).acknowledge(), 0x41);
    EXPECT_EQ(board.apic_read(0x1a0, 1), 2U) << "TMR of 0x41";
    EXPECT_FALSE(board.apic(1).has_interrupt());
    board.apic_write(0xb0, 0, 1);
    EXPECT_EQ(board.apic(1).acknowledge(), 0x41);
    lower(5);
    board.apic_write(0xb0, 0, 1);
    EXPECT_EQ(read(0x1a) & remote_irr, 0U);
    EXPECT_FALSE(board.apic(1).has_interrupt());
}

TEST_F(IoApicTest, SuppressedEoiNeedsTheRegister) {
    board.apic_write(0xf0, 0x11ff, 1);
    route(5, 0x8041, 1);
    raise(5);
    EXPECT_EQ(board.apic(1).acknowledge(), 0x41);
    board.apic_write(0xb0, 0, 1);
    EXPECT_EQ(read(0x1a) & remote_irr, remote_irr);
    lower(5);
    io_apic.write(0x40, 4, 0x41);
    EXPECT_EQ(read(0x1a) & remote_irr, 0U);
}

TEST_F(IoApicTest, UnmaskingAnAssertedLevelDelivers) {
    route(5, 0x18041);
    raise(5);
    EXPECT_EQ(take(), Processors{});
    route(5, 0x8041);
    EXPECT_EQ(board.apic().acknowledge(), 0x41);
}

TEST_F(IoApicTest, DeliveryModes) {
    constexpr std::array<std::string_view, 8> seen{"", "", "smi ", "", "nmi ", "init ", "", ""};
    for (std::uint32_t mode = 2; mode < 7; ++mode) {
        for (const std::uint32_t trigger : {0U, 0x8000U}) {
            board.processors[0].seen.clear();
            route(5, trigger | mode << 8U);
            raise(5);
            lower(5);
            EXPECT_EQ(board.processors[0].seen, seen[mode]) << mode;
            EXPECT_EQ(read(0x1a) & remote_irr, 0U) << mode;
        }
    }
}

TEST_F(IoApicTest, LogicalAndLowestPriority) {
    for (unsigned i = 0; i < 4; ++i) board.apic_write(0xd0, 1U << (24 + i), i);
    route(5, 0x841, 0b0110);
    raise(5);
    EXPECT_EQ(take(), (Processors{1, 2}));
    lower(5);
    route(5, 0x941, 0b0110);
    board.apic_write(0x80, 0x20, 1);
    raise(5);
    EXPECT_EQ(take(), Processors{2});
}

TEST_F(IoApicTest, ExternalInterruptTakesTheVectorFromTheController) {
    for (const unsigned value : {0x11U, 0x40U, 4U, 1U}) board.out(value == 0x11 ? 0x20 : 0x21, value);
    route(0, 0x700);
    board.chipset->pic().set_line(1, Level::asserted);
    raise(0);
    EXPECT_TRUE(board.apic().has_interrupt());
    EXPECT_EQ(board.apic().acknowledge(), 0x41);
    EXPECT_FALSE(board.apic().has_interrupt());
}

// The MADT says so: an interrupt source override of 0 to 2.
TEST_F(IoApicTest, Wires) {
    for (unsigned line = 0; line < IoApic::lines; ++line) route(line, 0x41 + line);
    for (unsigned line = 0; line < IoApic::lines; ++line) {
        if (line == 2) continue;
        board.out(static_cast<std::uint16_t>(0x2000 + line), 1);
        const unsigned input = line == 0 ? 2 : line;
        EXPECT_EQ(take(static_cast<std::uint8_t>(0x41 + input)), Processors{0}) << line;
        board.out(static_cast<std::uint16_t>(0x2000 + line), 0);
    }
    board.out(0x2002, 1);
    EXPECT_EQ(take(), Processors{}) << "the cascade has no input";
}

TEST_F(IoApicTest, ALineStaysWhileOneDriverHoldsIt) {
    InterruptLine& one = board.chipset->wires().connect(10);
    InterruptLine& other = board.chipset->wires().connect(10);
    route(10, 0x41);
    one.set(Level::asserted);
    EXPECT_EQ(take(), Processors{0});
    other.set(Level::asserted);
    one.set(Level::deasserted);
    EXPECT_EQ(io_apic.state().levels[10], Level::asserted);
    other.set(Level::deasserted);
    EXPECT_EQ(io_apic.state().levels[10], Level::deasserted);
    EXPECT_EQ(take(), Processors{});
}

}  // namespace
}  // namespace hyperstep::devices_test
