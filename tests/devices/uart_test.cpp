#include <array>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// PC16550D data sheet.
namespace hyperstep::devices_test {
namespace {

class UartTest : public ::testing::Test {
protected:
    enum : std::uint16_t { data = 0, ier = 1, iir = 2, fcr = 2, lcr = 3, mcr = 4, lsr = 5, msr = 6, scr = 7 };
    void write(std::uint16_t offset, unsigned value) { uart.write(offset, IoWidth::byte, value); }
    unsigned read(std::uint16_t offset) { return uart.read(offset, IoWidth::byte); }
    void receive(std::string_view bytes) {
        for (const char byte : bytes) uart.receive(static_cast<std::uint8_t>(byte));
    }
    Timeline timeline;
    NotedLine line;
    std::string sent;
    Uart uart{timeline, line, [this](char c) { sent += c; }};
};

TEST_F(UartTest, ResetConfiguration) {
    EXPECT_EQ(read(ier), 0U);
    EXPECT_EQ(read(iir), 0x01U);
    EXPECT_EQ(read(lcr), 0U);
    EXPECT_EQ(read(mcr), 0U);
    EXPECT_EQ(read(lsr), 0x60U);
    EXPECT_EQ(read(msr) & 0xfU, 0U);
    EXPECT_FALSE(line.is_high());
}

// What test suites do before their first line of output.
TEST_F(UartTest, OutputAsASuiteDoesIt) {
    write(lcr, 0x80);
    write(data, 1);
    write(ier, 0);
    EXPECT_EQ(read(data), 1U);
    write(lcr, 3);
    write(ier, 0);
    write(fcr, 0);
    write(mcr, 3);
    for (const char byte : std::string_view{"PASS"}) {
        EXPECT_NE(read(lsr) & 0x20U, 0U);
        write(data, static_cast<unsigned char>(byte));
    }
    EXPECT_EQ(sent, "PASS");
    EXPECT_FALSE(line.is_high());
}

TEST_F(UartTest, DivisorAndScratch) {
    write(lcr, 0x83);
    write(data, 0x34);
    write(ier, 0x12);
    EXPECT_EQ(read(data), 0x34U);
    EXPECT_EQ(read(ier), 0x12U);
    write(lcr, 3);
    EXPECT_EQ(read(ier), 0U);
    write(scr, 0xa5);
    EXPECT_EQ(read(scr), 0xa5U);
    EXPECT_EQ(sent, "");
}

TEST_F(UartTest, WordLengthCutsTheByte) {
    write(lcr, 0);
    write(data, 0xff);
    EXPECT_EQ(sent, "\x1f");
}

TEST_F(UartTest, TransmitterInterrupt) {
    write(ier, 2);
    EXPECT_TRUE(line.is_high()) << "enabling it while the transmitter is empty raises it";
    EXPECT_EQ(read(iir), 0x02U);
    EXPECT_FALSE(line.is_high()) << "reading the identification clears it";
    EXPECT_EQ(read(iir), 0x01U);
    write(lcr, 3);
    write(data, 'a');
    EXPECT_TRUE(line.is_high());
    write(ier, 0);
    EXPECT_FALSE(line.is_high());
}

TEST_F(UartTest, ReceiverWithoutFifo) {
    write(ier, 1);
    receive("x");
    EXPECT_TRUE(line.is_high());
    EXPECT_EQ(read(iir), 0x04U);
    EXPECT_EQ(read(lsr), 0x61U);
    EXPECT_FALSE(uart.can_receive());
    receive("y");
    EXPECT_EQ(read(lsr), 0x63U) << "overrun";
    EXPECT_EQ(read(lsr), 0x61U) << "reading clears the error";
    EXPECT_EQ(read(data), unsigned{'y'}) << "the unread byte was replaced";
    EXPECT_FALSE(line.is_high());
    EXPECT_EQ(read(lsr), 0x60U);
}

TEST_F(UartTest, TriggerLevels) {
    struct Row {
        unsigned control;
        std::size_t level;
    };
    for (const Row row : {Row{0x01, 1}, Row{0x41, 4}, Row{0x81, 8}, Row{0xc1, 14}}) {
        write(fcr, 0);
        write(fcr, row.control);
        write(ier, 1);
        for (std::size_t i = 1; i <= 16; ++i) {
            receive("z");
            EXPECT_EQ(line.is_high(), i >= row.level) << row.level << " at " << i;
        }
        EXPECT_EQ(read(iir), 0xc4U);
        receive("!");
        EXPECT_EQ(read(lsr) & 2U, 2U) << "the seventeenth byte overruns";
        while ((read(lsr) & 1U) != 0) EXPECT_EQ(read(data), unsigned{'z'});
    }
}

TEST_F(UartTest, CharacterTimeout) {
    write(lcr, 0x83);
    write(data, 1);
    write(ier, 0);
    write(lcr, 3);
    write(fcr, 0xc1);
    write(ier, 1);
    receive("ab");
    EXPECT_FALSE(line.is_high());
    // Four characters of 10 bits at 115200 baud.
    EXPECT_EQ(uart.next_deadline(), 40 * second / 115200);
    timeline.now = uart.next_deadline();
    uart.advance_to(timeline.now);
    EXPECT_TRUE(line.is_high());
    EXPECT_EQ(read(iir), 0xccU);
    EXPECT_EQ(read(data), unsigned{'a'});
    EXPECT_FALSE(line.is_high());
    EXPECT_NE(uart.next_deadline(), Timeline::never);
    EXPECT_EQ(read(data), unsigned{'b'});
    EXPECT_EQ(uart.next_deadline(), Timeline::never);
}

TEST_F(UartTest, Priorities) {
    write(ier, 0xf);
    EXPECT_EQ(read(ier), 0xfU);
    uart.set_modem_inputs(0);
    write(lcr, 3);
    write(data, 'a');
    receive("b");
    receive("c");  // overrun
    EXPECT_EQ(read(iir), 0x06U);
    read(lsr);
    EXPECT_EQ(read(iir), 0x04U);
    read(data);
    EXPECT_EQ(read(iir), 0x02U);
    EXPECT_EQ(read(iir), 0x00U);
    read(msr);
    EXPECT_EQ(read(iir), 0x01U);
    EXPECT_FALSE(line.is_high());
}

TEST_F(UartTest, FifoControl) {
    write(fcr, 0xc0);
    EXPECT_EQ(read(iir), 0x01U) << "without bit 0 no bit counts";
    write(fcr, 0x01);
    EXPECT_EQ(read(iir), 0xc1U);
    receive("abc");
    write(fcr, 0x03);
    EXPECT_EQ(read(lsr), 0x60U);
    receive("abc");
    write(fcr, 0x00);
    EXPECT_EQ(read(lsr), 0x60U) << "changing to no FIFO empties it";
}

TEST_F(UartTest, ABreakShowsWhenItReachesTheTop) {
    write(fcr, 1);
    receive("a");
    uart.receive_break();
    EXPECT_EQ(read(lsr), 0xe1U);
    EXPECT_EQ(read(data), unsigned{'a'});
    EXPECT_EQ(read(lsr), 0x71U);
    EXPECT_EQ(read(data), 0U);
    EXPECT_EQ(read(lsr), 0x60U);
}

TEST_F(UartTest, Loopback) {
    write(lcr, 3);
    read(msr);
    struct Row {
        unsigned control, status;
    };
    for (const Row row :
         {Row{0x11, 0x20}, Row{0x12, 0x10}, Row{0x14, 0x40}, Row{0x18, 0x80}, Row{0x1f, 0xf0}}) {
        write(mcr, row.control);
        EXPECT_EQ(read(msr) & 0xf0U, row.status) << row.control;
    }
    write(data, 'q');
    EXPECT_EQ(sent, "");
    EXPECT_EQ(read(data), unsigned{'q'});
    receive("x");
    EXPECT_EQ(read(lsr) & 1U, 0U) << "the line is disconnected";
}

TEST_F(UartTest, ModemDeltas) {
    read(msr);
    uart.set_modem_inputs(0xb0);
    EXPECT_EQ(read(msr), 0xb0U);
    uart.set_modem_inputs(0x40);
    EXPECT_EQ(read(msr), 0x4bU);
    uart.set_modem_inputs(0x00);
    EXPECT_EQ(read(msr), 0x04U) << "the ring indicator's trailing edge";
    EXPECT_EQ(read(msr), 0x00U);
}

TEST(Chipset, ComPorts) {
    std::string second;
    ChipsetConfiguration configuration;
    configuration.second_serial = [&](char c) { second += c; };
    Board board{1, configuration};
    board.out(0x3fb, 3);
    board.out(0x2fb, 3);
    board.out(0x3f8, 'a');
    board.out(0x2f8, 'b');
    EXPECT_EQ(board.serial, "a");
    EXPECT_EQ(second, "b");
    EXPECT_EQ(Board{}.in(0x2fd), 0xffU) << "no COM2 without a sink";
}

}  // namespace
}  // namespace hyperstep::devices_test
