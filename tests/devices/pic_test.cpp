#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// 8259A data sheet; the tables of its command words.
namespace hyperstep::devices_test {
namespace {

class Pic : public ::testing::Test {
protected:
    void write(unsigned offset, unsigned value) {
        pic.write(static_cast<std::uint16_t>(offset), IoWidth::byte, value);
    }
    unsigned read(unsigned offset) { return pic.read(static_cast<std::uint16_t>(offset), IoWidth::byte); }
    /// ICW1 to ICW4: vectors 0x20 and 0x28, as most software does it.
    void initialize(unsigned icw4 = 1) {
        for (const unsigned base : {0U, 2U}) {
            write(base, 0x11);
            write(base + 1, base == 0 ? 0x20 : 0x28);
            write(base + 1, base == 0 ? 4 : 2);
            write(base + 1, icw4);
        }
    }
    void raise(unsigned line) { pic.set_line(line, Level::asserted); }
    void lower(unsigned line) { pic.set_line(line, Level::deasserted); }
    unsigned in_service(unsigned base = 0) {
        write(base, 0x0b);
        return read(base);
    }
    unsigned requested(unsigned base = 0) {
        write(base, 0x0a);
        return read(base);
    }
    NotedLine intr;
    PicPair pic{intr};
};

TEST_F(Pic, EveryInputHasItsVector) {
    initialize();
    for (unsigned line = 0; line < PicPair::lines; ++line) {
        if (line == 2) continue;
        raise(line);
        ASSERT_TRUE(intr.is_high()) << line;
        EXPECT_EQ(pic.acknowledge(), 0x20 + line);
        EXPECT_FALSE(intr.is_high()) << line;
        lower(line);
        if (line >= 8) write(2, 0x20);
        write(0, 0x20);
        EXPECT_EQ(in_service(), 0U);
        EXPECT_EQ(in_service(2), 0U);
    }
}

TEST_F(Pic, HigherPriorityInterruptsLower) {
    initialize();
    raise(5);
    EXPECT_EQ(pic.acknowledge(), 0x25);
    raise(6);
    EXPECT_FALSE(intr.is_high());
    raise(1);
    EXPECT_TRUE(intr.is_high());
    EXPECT_EQ(pic.acknowledge(), 0x21);
    EXPECT_EQ(in_service(), 0x22U);
    write(0, 0x20);  // nonspecific: the highest in service
    EXPECT_EQ(in_service(), 0x20U);
    write(0, 0x65);  // specific
    EXPECT_EQ(in_service(), 0U);
    EXPECT_EQ(pic.acknowledge(), 0x26);
}

TEST_F(Pic, MaskHoldsTheRequest) {
    initialize();
    write(1, 0x08);
    EXPECT_EQ(read(1), 0x08U);
    raise(3);
    EXPECT_FALSE(intr.is_high());
    EXPECT_EQ(requested(), 0x08U);
    write(1, 0);
    EXPECT_TRUE(intr.is_high());
}

TEST_F(Pic, AnEdgeAsksOnce) {
    initialize();
    raise(4);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    write(0, 0x20);
    EXPECT_FALSE(intr.is_high());
    lower(4);
    raise(4);
    EXPECT_TRUE(intr.is_high());
}

TEST_F(Pic, ALevelAsksAgain) {
    initialize();
    write(4, 0xff);
    EXPECT_EQ(read(4), 0xf8U) << "inputs 0 to 2 are always edge-triggered";
    write(5, 0xff);
    EXPECT_EQ(read(5), 0xdeU) << "inputs 8 and 13 are always edge-triggered";
    raise(5);
    EXPECT_EQ(pic.acknowledge(), 0x25);
    EXPECT_FALSE(intr.is_high());
    write(0, 0x20);
    EXPECT_TRUE(intr.is_high());
    lower(5);
    EXPECT_FALSE(intr.is_high());
}

TEST_F(Pic, RequestThatWentIsSpurious) {
    initialize();
    raise(3);
    lower(3);
    EXPECT_FALSE(intr.is_high());
    EXPECT_EQ(pic.acknowledge(), 0x27);
    EXPECT_EQ(in_service(), 0U);
}

TEST_F(Pic, AutomaticEndOfInterrupt) {
    initialize(3);
    raise(3);
    EXPECT_EQ(pic.acknowledge(), 0x23);
    EXPECT_EQ(in_service(), 0U);
    write(0, 0x80);  // rotate in automatic EOI mode
    raise(4);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    lower(3), lower(4);
    raise(3), raise(4), raise(5);
    EXPECT_EQ(pic.acknowledge(), 0x25) << "4 is at the bottom now";
}

TEST_F(Pic, Rotation) {
    initialize();
    raise(2 + 2);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    write(0, 0xa0);  // rotate on nonspecific EOI: 4 becomes the lowest
    lower(4);
    raise(4), raise(5), raise(0);
    EXPECT_EQ(pic.acknowledge(), 0x25);
    write(0, 0xe0 | 5);  // rotate on specific EOI
    EXPECT_EQ(pic.acknowledge(), 0x20);
    write(0, 0x20);
    write(0, 0xc0 | 3);  // set priority: 3 is the lowest
    EXPECT_EQ(pic.acknowledge(), 0x24);
}

TEST_F(Pic, SpecialMaskModeLetsLowerOnesThrough) {
    initialize();
    raise(3);
    EXPECT_EQ(pic.acknowledge(), 0x23);
    raise(6);
    EXPECT_FALSE(intr.is_high());
    write(1, 0x08);
    write(0, 0x68);
    EXPECT_TRUE(intr.is_high());
    EXPECT_EQ(pic.acknowledge(), 0x26);
    write(0, 0x20);
    EXPECT_EQ(in_service(), 0x08U) << "a masked input is not ended by a nonspecific EOI";
    write(0, 0x48);
    write(1, 0);
    write(0, 0x20);
    EXPECT_EQ(in_service(), 0U);
}

TEST_F(Pic, Poll) {
    initialize();
    write(0, 0x0c);
    EXPECT_EQ(read(0), 0U);
    raise(6);
    write(0, 0x0c);
    EXPECT_EQ(read(0), 0x86U);
    EXPECT_EQ(in_service(), 0x40U);
    EXPECT_FALSE(intr.is_high());
}

TEST_F(Pic, SlaveNeedsSpecialFullyNestedModeToInterruptItself) {
    for (const unsigned icw4 : {0x01U, 0x11U}) {
        pic.reset();
        initialize(icw4);
        raise(12);
        EXPECT_EQ(pic.acknowledge(), 0x2c);
        raise(9);
        EXPECT_EQ(intr.is_high(), icw4 == 0x11) << icw4;
        lower(12), lower(9);
    }
}

TEST_F(Pic, InitializationForgets) {
    initialize();
    raise(3);
    EXPECT_EQ(pic.acknowledge(), 0x23);
    write(1, 0xff);
    raise(4);
    initialize();
    EXPECT_EQ(read(1), 0U);
    EXPECT_EQ(in_service(), 0U);
    EXPECT_EQ(requested(), 0U) << "an edge has to come anew";
}

TEST_F(Pic, InitializationWithoutIcw3AndIcw4) {
    write(0, 0x12);  // single, no ICW4
    write(1, 0x47);
    write(1, 0xfe);  // OCW1 already
    EXPECT_EQ(read(1), 0xfeU);
    raise(0);
    EXPECT_EQ(pic.acknowledge(), 0x40) << "bits 2:0 of ICW2 are the input's";
}

}  // namespace
}  // namespace hyperstep::devices_test
