#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// Debug ports, firmware configuration, keyboard controller, A20, PCI configuration.
namespace hyperstep::devices_test {
namespace {

class SmallPorts : public ::testing::Test {
protected:
    Board board;
    PortBus& ports = board.chipset->ports;
};

TEST_F(SmallPorts, DebugExitTakesEveryWidth) {
    board.out(0xf4, 3);
    ports.write(0xf4, IoWidth::dword, 0x12345);
    EXPECT_EQ(board.signals.take(), "exit:3 exit:74565 ");
}

TEST_F(SmallPorts, DebugExitElsewhere) {
    ChipsetConfiguration configuration;
    configuration.debug_exit_port = 0x501;
    Board other{1, configuration};
    EXPECT_FALSE(other.chipset->debug_exit_error());
    other.out(0xf4, 1);
    other.out(0x501, 2);
    EXPECT_EQ(other.signals.take(), "exit:2 ");
    configuration.debug_exit_port = 0x60;
    EXPECT_EQ((Board{1, configuration}.chipset->debug_exit_error()), PortError::overlap);
}

TEST_F(SmallPorts, ShutdownWord) {
    const auto write = [&](std::string_view bytes) {
        for (const char byte : bytes) board.out(0x8900, static_cast<unsigned char>(byte));
        return board.signals.take();
    };
    EXPECT_EQ(write("shutdown"), "");
    EXPECT_EQ(write("ShutdowS"), "");
    EXPECT_EQ(write("hutdown"), "power_off ");
    EXPECT_EQ(write("SSShutdownn"), "power_off ");
}

TEST_F(SmallPorts, PostCodeAndConsole) {
    board.out(0x80, 0x5a);
    EXPECT_EQ(board.in(0x80), 0x5a);
    EXPECT_EQ(board.chipset->post_code().state().code, 0x5a);
    EXPECT_EQ(board.in(0xe9), 0xe9);
    board.out(0xe9, 'x');
    EXPECT_EQ(board.console, "x");
}

TEST_F(SmallPorts, TestDevice) {
    ports.write(0xe0, IoWidth::dword, 0x12345678);
    EXPECT_EQ(ports.read(0xe0, IoWidth::dword), 0x12345678U);
    EXPECT_EQ(ports.read(0xe0, IoWidth::word), 0x5678U);
    EXPECT_EQ(board.in(0xe0), 0x78U);
    ports.write(0xe0, IoWidth::word, 0xabcd);
    EXPECT_EQ(ports.read(0xe0, IoWidth::dword), 0x1234abcdU);
    board.out(0xe3, 0xff);
    EXPECT_EQ(ports.read(0xe0, IoWidth::dword), 0xff34abcdU);
    ports.write(0xe4, IoWidth::dword, 0x0123'4567);
    EXPECT_EQ(board.signals.take(), "flush:" + std::to_string(0x0123'4000) + " ");
    board.out(0x2005, 1);
    EXPECT_EQ(board.chipset->io_apic().state().levels[5], Level::asserted);
    board.out(0x2005, 0);
    EXPECT_EQ(board.chipset->io_apic().state().levels[5], Level::deasserted);
}

// ---- firmware configuration -------------------------------------------------------------------------------

class Firmware : public SmallPorts {
protected:
    std::vector<unsigned> read(unsigned key, unsigned count) {
        ports.write(0x510, IoWidth::word, key);
        std::vector<unsigned> bytes;
        for (unsigned i = 0; i < count; ++i) bytes.push_back(board.in(0x511));
        return bytes;
    }
    FirmwareConfig& firmware = board.chipset->firmware();
};

TEST_F(Firmware, SignatureAndId) {
    EXPECT_EQ(read(0, 6), (std::vector<unsigned>{'Q', 'E', 'M', 'U', 0, 0}));
    EXPECT_EQ(read(1, 4), (std::vector<unsigned>{1, 0, 0, 0})) << "no DMA";
    EXPECT_EQ(read(0x7777, 2), (std::vector<unsigned>{0, 0}));
    EXPECT_EQ(read(0xffff, 2), (std::vector<unsigned>{0, 0}));
}

TEST_F(Firmware, NumbersAreLittleEndian) {
    firmware.set_number(FirmwareKey::ram_size, 0x1'2345'6789, 8);
    firmware.set_number(FirmwareKey::processors, 4, 2);
    EXPECT_EQ(read(3, 8), (std::vector<unsigned>{0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0}));
    EXPECT_EQ(read(5, 3), (std::vector<unsigned>{4, 0, 0}));
}

TEST_F(Firmware, OnlyAWordSelects) {
    read(0, 1);
    board.out(0x510, 1);
    EXPECT_EQ(board.in(0x511), unsigned{'E'});
    ports.write(0x510, IoWidth::word, 0);
    EXPECT_EQ(board.in(0x511), unsigned{'Q'});
}

TEST_F(Firmware, FileDirectoryIsBigEndian) {
    EXPECT_EQ(read(0x19, 4), (std::vector<unsigned>{0, 0, 0, 0}));
    EXPECT_EQ(firmware.add_file("etc/e820", {1, 2, 3}), 0x20);
    EXPECT_EQ(firmware.add_file("etc/acpi/tables", std::vector<std::uint8_t>(0x1234, 7)), 0x21);
    const auto directory = read(0x19, 4 + 2 * 64);
    EXPECT_EQ((std::vector<unsigned>{directory.begin(), directory.begin() + 12}),
              (std::vector<unsigned>{0, 0, 0, 2, 0, 0, 0, 3, 0, 0x20, 0, 0}));
    EXPECT_EQ(directory[12], unsigned{'e'});
    EXPECT_EQ(directory[20], 0U);
    EXPECT_EQ((std::vector<unsigned>{directory.begin() + 68, directory.begin() + 76}),
              (std::vector<unsigned>{0, 0, 0x12, 0x34, 0, 0x21, 0, 0}));
    EXPECT_EQ(read(0x20, 4), (std::vector<unsigned>{1, 2, 3, 0}));
    EXPECT_EQ(read(0x4021, 1), (std::vector<unsigned>{7})) << "the write channel of old is the same item";
    EXPECT_EQ(firmware.add_file("etc/e820", {}), tl::unexpected{FirmwareFileError::exists});
    EXPECT_TRUE(firmware.add_file(std::string(55, 'n'), {}));
    EXPECT_EQ(firmware.add_file(std::string(56, 'n'), {}), tl::unexpected{FirmwareFileError::name_too_long});
    for (unsigned i = 3; i < FirmwareConfig::most_files; ++i)
        EXPECT_TRUE(firmware.add_file(std::to_string(i), {}));
    EXPECT_EQ(firmware.add_file("more", {}), tl::unexpected{FirmwareFileError::directory_full});
}

// ---- A20, resets, keyboard --------------------------------------------------------------------------------

TEST_F(SmallPorts, A20IsOredFromTwoSources) {
    EXPECT_EQ(board.chipset->a20().level(), Level::asserted) << "after power-up";
    board.out(0x92, 2);
    board.out(0x64, 0xd1), board.out(0x60, 0xdd);
    EXPECT_EQ(board.signals.take(), "");
    board.out(0x92, 0);
    EXPECT_EQ(board.signals.take(), "a20:off ");
    board.out(0x64, 0xd1), board.out(0x60, 0xdf);
    EXPECT_EQ(board.signals.take(), "a20:on ");
    board.out(0x64, 0xdd);
    EXPECT_EQ(board.signals.take(), "a20:off ");
    board.out(0x92, 2);
    EXPECT_EQ(board.in(0x92), 2U);
    EXPECT_EQ(board.signals.take(), "a20:on ");
}

TEST_F(SmallPorts, Resets) {
    board.out(0x92, 3);
    board.out(0x92, 3);
    EXPECT_EQ(board.signals.take(), "soft_reset ") << "only as the bit goes from 0 to 1";
    board.out(0x64, 0xfe);
    EXPECT_EQ(board.signals.take(), "soft_reset ");
    board.out(0x64, 0xff);
    EXPECT_EQ(board.signals.take(), "") << "no line is pulsed";
    board.out(0x64, 0xd1), board.out(0x60, 0xfe);
    EXPECT_EQ(board.signals.take(), "soft_reset ");
    board.out(0xcf9, 2);
    EXPECT_EQ(board.signals.take(), "");
    board.out(0xcf9, 6);
    EXPECT_EQ(board.signals.take(), "hard_reset ");
    board.out(0xcf9, 0);
    board.out(0xcf9, 4);
    EXPECT_EQ(board.signals.take(), "soft_reset ");
    EXPECT_EQ(board.in(0xcf9), 4U);
}

class Keyboard : public SmallPorts {
protected:
    std::vector<unsigned> answers() {
        std::vector<unsigned> bytes;
        while ((board.in(0x64) & 1U) != 0) bytes.push_back(board.in(0x60));
        return bytes;
    }
    std::vector<unsigned> command(unsigned value) {
        board.out(0x64, value);
        return answers();
    }
    std::vector<unsigned> keyboard(unsigned value) {
        board.out(0x60, value);
        return answers();
    }
    bool irq1() { return board.chipset->pic().state().master.levels & 2U; }
};

TEST_F(Keyboard, ControllerCommands) {
    EXPECT_EQ(command(0xaa), (std::vector<unsigned>{0x55}));
    EXPECT_EQ(command(0xab), (std::vector<unsigned>{0x00}));
    EXPECT_EQ(command(0x20), (std::vector<unsigned>{0x05}));
    EXPECT_EQ(command(0xad), (std::vector<unsigned>{}));
    EXPECT_EQ(command(0x20), (std::vector<unsigned>{0x15}));
    EXPECT_EQ(command(0xae), (std::vector<unsigned>{}));
    board.out(0x64, 0x60), board.out(0x60, 0x47);
    EXPECT_EQ(command(0x20), (std::vector<unsigned>{0x47}));
    EXPECT_EQ(command(0xd0), (std::vector<unsigned>{0x03}));
    board.out(0x64, 0xd2), board.out(0x60, 0x99);
    EXPECT_EQ(answers(), (std::vector<unsigned>{0x99}));
    EXPECT_EQ(board.in(0x64) & 0x0eU, 0x04U) << "the last write was data, the system flag is set";
    board.out(0x64, 0xae);
    EXPECT_EQ(board.in(0x64) & 0x0eU, 0x0cU);
}

TEST_F(Keyboard, KeyboardCommands) {
    EXPECT_EQ(keyboard(0xff), (std::vector<unsigned>{0xfa, 0xaa}));
    EXPECT_EQ(keyboard(0xee), (std::vector<unsigned>{0xee}));
    EXPECT_EQ(keyboard(0xf2), (std::vector<unsigned>{0xfa, 0xab, 0x83}));
    EXPECT_EQ(keyboard(0xed), (std::vector<unsigned>{0xfa}));
    EXPECT_EQ(keyboard(0x07), (std::vector<unsigned>{0xfa}));
    EXPECT_EQ(keyboard(0xf0), (std::vector<unsigned>{0xfa}));
    EXPECT_EQ(keyboard(0x00), (std::vector<unsigned>{0xfa, 0x02}));
    EXPECT_EQ(keyboard(0x12), (std::vector<unsigned>{0xfe}));
}

TEST_F(Keyboard, InterruptWhileABufferIsFull) {
    board.chipset->keyboard().type(0x1c);
    board.chipset->keyboard().type(0x9c);
    EXPECT_TRUE(irq1());
    EXPECT_EQ(answers(), (std::vector<unsigned>{0x1c, 0x9c}));
    EXPECT_FALSE(irq1());
    keyboard(0xf5);
    board.chipset->keyboard().type(0x1c);
    EXPECT_EQ(answers(), (std::vector<unsigned>{})) << "it does not scan";
    keyboard(0xf4);
    for (unsigned i = 0; i < 100; ++i) board.chipset->keyboard().type(0x1c);
    EXPECT_EQ(answers().size(), KeyboardController::most_output);
}

// ---- PCI --------------------------------------------------------------------------------------------------

class Pci : public SmallPorts {
protected:
    std::uint32_t read(unsigned device, unsigned function, unsigned index, unsigned bus = 0) {
        select(device, function, index, bus);
        return ports.read(0xcfc, IoWidth::dword);
    }
    void select(unsigned device, unsigned function, unsigned index, unsigned bus = 0) {
        ports.write(
            0xcf8, IoWidth::dword, 0x8000'0000U | bus << 16U | device << 11U | function << 8U | index);
    }
};

TEST_F(Pci, Bridges) {
    EXPECT_EQ(read(0, 0, 0), 0x1237'8086U);
    EXPECT_EQ(read(0, 0, 8), 0x0600'0002U);
    EXPECT_EQ(read(1, 0, 0), 0x7000'8086U);
    EXPECT_EQ(read(1, 0, 8) >> 8U, 0x06'0100U);
    for (unsigned device = 0; device < 32; ++device)
        for (unsigned function = 0; function < 8; ++function) {
            if (device < 2 && function == 0) continue;
            ASSERT_EQ(read(device, function, 0), 0xffff'ffffU) << device << "." << function;
        }
    EXPECT_EQ(read(0, 0, 0, 1), 0xffff'ffffU) << "another bus";
}

TEST_F(Pci, NothingAnswersWithoutTheEnableBit) {
    select(0, 0, 0);
    ports.write(0xcf8, IoWidth::dword, 0);
    EXPECT_EQ(ports.read(0xcfc, IoWidth::dword), 0xffff'ffffU);
}

TEST_F(Pci, AddressNeedsADword) {
    select(1, 0, 0x60);
    EXPECT_EQ(ports.read(0xcf8, IoWidth::dword), 0x8000'0860U);
    ports.write(0xcf8, IoWidth::byte, 0xff);
    ports.write(0xcf8, IoWidth::word, 0);
    EXPECT_EQ(ports.read(0xcf8, IoWidth::dword), 0x8000'0860U);
}

TEST_F(Pci, WritesRespectTheirMasks) {
    select(0, 0, 0);
    ports.write(0xcfc, IoWidth::dword, 0);
    EXPECT_EQ(read(0, 0, 0), 0x1237'8086U);
    EXPECT_EQ(read(1, 0, 0x60), 0x8080'8080U);
    ports.write(0xcfd, IoWidth::byte, 0xff);
    ports.write(0xcfe, IoWidth::word, 0x0b0a);
    EXPECT_EQ(read(1, 0, 0x60), 0x0b0a'8f80U);
    EXPECT_EQ(ports.read(0xcfe, IoWidth::word), 0x0b0aU);
    board.chipset->reset();
    EXPECT_EQ(read(1, 0, 0x60), 0x8080'8080U);
}

}  // namespace
}  // namespace hyperstep::devices_test
