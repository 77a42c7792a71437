#include "devices/bus.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace hyperstep::devices {
namespace {

/// Registers that hold bytes; notes each access as "r<offset>/<bytes>".
class Bytes final : public PortDevice {
public:
    explicit Bytes(unsigned widest) : widest_{widest} {}
    std::string_view name() const override { return "bytes"; }
    bool takes(std::uint16_t /*offset*/, IoWidth width) const override { return bytes_of(width) <= widest_; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override {
        log += "r" + std::to_string(offset) + "/" + std::to_string(bytes_of(width)) + " ";
        return 0x1111'1111U * (offset + 1U);
    }
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override {
        log += "w" + std::to_string(offset) + "/" + std::to_string(bytes_of(width)) + "=" +
               std::to_string(value) + " ";
    }
    std::string log;

private:
    unsigned widest_;
};

TEST(PortBus, GivesADeviceItsOwnOffsets) {
    PortBus bus;
    Bytes device{4};
    ASSERT_TRUE(bus.attach({0x100, 4}, device));
    ASSERT_TRUE(bus.attach({0x200, 2}, device, 8));
    EXPECT_EQ(bus.read(0x102, IoWidth::byte), 0x33U);
    bus.write(0x201, IoWidth::byte, 0x1234);
    EXPECT_EQ(device.log, "r2/1 w9/1=52 ");
    EXPECT_EQ(bus.device_at(0x103), &device);
    EXPECT_EQ(bus.device_at(0x104), nullptr);
}

TEST(PortBus, SplitsWideAccessesToByteDevices) {
    PortBus bus;
    Bytes device{1};
    ASSERT_TRUE(bus.attach({0x100, 4}, device));
    EXPECT_EQ(bus.read(0x100, IoWidth::dword), 0x44332211U);
    bus.write(0x100, IoWidth::word, 0xbbaa);
    EXPECT_EQ(device.log, "r0/1 r1/1 r2/1 r3/1 w0/1=170 w1/1=187 ");
}

TEST(PortBus, SplitsAccessesThatLeaveADevice) {
    PortBus bus;
    Bytes left{4};
    Bytes right{4};
    ASSERT_TRUE(bus.attach({0x100, 2}, left));
    ASSERT_TRUE(bus.attach({0x102, 1}, right));
    EXPECT_EQ(bus.read(0x100, IoWidth::dword), 0xff112211U);
    EXPECT_EQ(left.log, "r0/1 r1/1 ");
    EXPECT_EQ(right.log, "r0/1 ");
}

TEST(PortBus, UnclaimedPortsReadAsOnes) {
    PortBus bus;
    EXPECT_EQ(bus.read(0x100, IoWidth::byte), 0xffU);
    EXPECT_EQ(bus.read(0x100, IoWidth::word), 0xffffU);
    EXPECT_EQ(bus.read(0xffff, IoWidth::dword), 0xffff'ffffU);
    bus.write(0x100, IoWidth::dword, 0);
}

TEST(PortBus, GoesOnAtPortZero) {
    PortBus bus;
    Bytes device{4};
    ASSERT_TRUE(bus.attach({0, 1}, device));
    EXPECT_EQ(bus.read(0xffff, IoWidth::word), 0x11ffU);
}

TEST(PortBus, RefusesRanges) {
    struct Row {
        PortRange range;
        PortError error;
    };
    constexpr std::array rows{
        Row{{0x10f, 2}, PortError::overlap},
        Row{{0x117, 1}, PortError::overlap},
        Row{{0x100, 0x100}, PortError::overlap},
        Row{{0x112, 2}, PortError::overlap},
        Row{{0x300, 0}, PortError::empty},
        Row{{0xffff, 2}, PortError::beyond},
    };
    PortBus bus;
    Bytes device{1};
    ASSERT_TRUE(bus.attach({0x110, 8}, device));
    for (const Row& row : rows) {
        const auto attached = bus.attach(row.range, device);
        ASSERT_FALSE(attached) << row.range.first;
        EXPECT_EQ(attached.error(), row.error) << row.range.first;
        EXPECT_NE(to_string(row.error), "unknown");
    }
    EXPECT_TRUE(bus.attach({0x108, 8}, device));
    EXPECT_TRUE(bus.attach({0x118, 8}, device));
    EXPECT_TRUE(bus.attach({0xffff, 1}, device));
}

}  // namespace
}  // namespace hyperstep::devices
