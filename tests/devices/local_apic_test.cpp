#include <array>

#include <gtest/gtest.h>

#include "tests/devices/board.hpp"

// SDM "Advanced Programmable Interrupt Controller (APIC)".
namespace hyperstep::devices_test {
namespace {

constexpr std::uint32_t masked = 0x10000;
constexpr std::uint64_t enabled_base = 0xfee0'0800;
constexpr std::uint64_t x2apic_base = 0xfee0'0c00;

/// One processor with its APIC enabled by software.
class LocalApicTest : public ::testing::Test {
protected:
    LocalApicTest() { board.apic_write(0xf0, 0x1ff); }
    void send_self(std::uint8_t vector) { board.apic_write(0x300, 0x40000U | vector); }
    bool requested(unsigned vector) { return bit(0x200, vector); }
    bool in_service(unsigned vector) { return bit(0x100, vector); }
    void enter_x2apic() { ASSERT_TRUE(apic.set_base(x2apic_base | (apic.base() & 0x100))); }
    std::uint32_t errors() {
        board.apic_write(0x280, 0);
        return board.apic_read(0x280);
    }
    Board board;
    LocalApic& apic = board.apic();
    NotedProcessor& processor = board.processors[0];

private:
    bool bit(std::uint64_t first, unsigned vector) {
        return (board.apic_read(first + vector / 32 * 0x10) >> (vector % 32) & 1U) != 0;
    }
};

// "Local APIC State After Power-Up or Reset".
TEST(LocalApicReset, Registers) {
    struct Row {
        std::uint64_t offset;
        std::uint32_t value;
    };
    constexpr std::array rows{
        Row{0x20, 0},       Row{0x30, 0x0105'0014}, Row{0x80, 0},       Row{0xa0, 0},
        Row{0xd0, 0},       Row{0xe0, 0xffff'ffff}, Row{0xf0, 0xff},    Row{0x100, 0},
        Row{0x180, 0},      Row{0x200, 0},          Row{0x280, 0},      Row{0x300, 0},
        Row{0x310, 0},      Row{0x320, masked},     Row{0x330, masked}, Row{0x340, masked},
        Row{0x350, masked}, Row{0x360, masked},     Row{0x370, masked}, Row{0x380, 0},
        Row{0x390, 0},      Row{0x3e0, 0},
    };
    Board board{2};
    for (const Row& row : rows) EXPECT_EQ(board.apic_read(row.offset), row.value) << std::hex << row.offset;
    EXPECT_EQ(board.apic_read(0x20, 1), 0x0100'0000U);
    EXPECT_EQ(board.apic(0).base(), 0xfee0'0900U);
    EXPECT_EQ(board.apic(1).base(), 0xfee0'0800U);
    EXPECT_FALSE(board.apic().has_interrupt());
}

TEST_F(LocalApicTest, AnInterruptMovesFromRequestToService) {
    send_self(0x41);
    EXPECT_TRUE(requested(0x41));
    EXPECT_TRUE(apic.has_interrupt());
    EXPECT_GT(processor.changes, 0U);
    EXPECT_EQ(apic.acknowledge(), 0x41);
    EXPECT_FALSE(requested(0x41));
    EXPECT_TRUE(in_service(0x41));
    EXPECT_EQ(board.apic_read(0xa0), 0x40U);
    board.apic_write(0xb0, 0);
    EXPECT_FALSE(in_service(0x41));
    EXPECT_EQ(board.apic_read(0xa0), 0U);
}

// "Task and Processor Priorities": what is delivered has a class above that of PPR.
TEST_F(LocalApicTest, Priorities) {
    struct Row {
        unsigned task, in_service, requested;
        unsigned priority;
        bool delivered;
    };
    constexpr std::array rows{
        Row{0x00, 0, 0x10, 0x00, true},
        Row{0x10, 0, 0x1f, 0x10, false},
        Row{0x1f, 0, 0x20, 0x1f, true},
        Row{0x00, 0x35, 0x3f, 0x30, false},
        Row{0x00, 0x35, 0x40, 0x30, true},
        Row{0x32, 0x35, 0x40, 0x32, true},
        Row{0x41, 0x35, 0x4f, 0x41, false},
        Row{0xff, 0, 0xff, 0xff, false},
    };
    for (const Row& row : rows) {
        board.chipset->reset();
        board.apic_write(0xf0, 0x1ff);
        if (row.in_service != 0) {
            send_self(static_cast<std::uint8_t>(row.in_service));
            ASSERT_EQ(apic.acknowledge(), row.in_service);
        }
        board.apic_write(0x80, row.task);
        send_self(static_cast<std::uint8_t>(row.requested));
        EXPECT_EQ(board.apic_read(0xa0), row.priority) << row.requested;
        EXPECT_EQ(apic.has_interrupt(), row.delivered) << row.requested;
        if (!row.delivered) {
            EXPECT_EQ(apic.acknowledge(), 0xff) << "spurious";
        }
    }
}

TEST_F(LocalApicTest, Cr8IsTheUpperHalfOfTheTaskPriority) {
    apic.set_cr8(5);
    EXPECT_EQ(board.apic_read(0x80), 0x50U);
    board.apic_write(0x80, 0x7b);
    EXPECT_EQ(apic.cr8(), 7U);
}

TEST_F(LocalApicTest, SoftwareDisableMasksAndRefuses) {
    board.apic_write(0x320, 0x30);
    send_self(0x41);
    board.apic_write(0xf0, 0xff);
    EXPECT_EQ(board.apic_read(0x320), masked | 0x30U);
    board.apic_write(0x320, 0x31);
    EXPECT_EQ(board.apic_read(0x320), masked | 0x31U) << "the mask cannot be cleared";
    EXPECT_TRUE(requested(0x41)) << "what is requested stays";
    send_self(0x42);
    EXPECT_FALSE(requested(0x42));
    board.apic_write(0x300, 0x40000U | 4U << 8U);
    EXPECT_EQ(processor.seen, "nmi ") << "it responds to NMI";
}

// "Error Handling".
TEST_F(LocalApicTest, Errors) {
    send_self(15);
    EXPECT_EQ(board.apic_read(0x280), 0U) << "a write makes it readable";
    EXPECT_EQ(errors(), 0x20U) << "send illegal vector";
    EXPECT_EQ(errors(), 0U);
    apic.accept({.vector = 3});
    EXPECT_EQ(errors(), 0x40U) << "received illegal vector";
    board.apic_read(0x40);
    EXPECT_EQ(errors(), 0x80U) << "illegal register address";
    board.apic_write(0x3f0, 0x41);
    EXPECT_EQ(errors(), 0x80U) << "SELF IPI is only in x2APIC mode";
    board.apic_write(0x370, 0x55);
    send_self(15);
    EXPECT_TRUE(requested(0x55));
}

TEST_F(LocalApicTest, AnIllegalErrorVectorEnds) {
    board.apic_write(0x370, 0x05);
    send_self(15);
    EXPECT_EQ(errors(), 0x60U);
}

// "Interrupt Command Register (ICR)", to this processor itself.
TEST_F(LocalApicTest, DeliveryModes) {
    struct Row {
        std::uint32_t command;
        std::string_view seen;
    };
    constexpr std::array rows{
        Row{0x4400, "nmi "},
        Row{0x4200, "smi "},
        Row{0x4500, "init "},
        Row{0xc500, "init "},
        Row{0x8500, ""},  // INIT level de-assert
        Row{0x4607, "startup:7 "},
        Row{0x4600, "startup:0 "},
        Row{0x4300, ""},
        Row{0x4700, ""},
    };
    for (const Row& row : rows) {
        processor.seen.clear();
        board.apic_write(0x310, 0);
        board.apic_write(0x300, row.command);
        EXPECT_EQ(processor.seen, row.seen) << std::hex << row.command;
    }
}

TEST_F(LocalApicTest, RegistersKeepTheBitsThatTheyHave) {
    struct Row {
        std::uint64_t offset;
        std::uint32_t value;
    };
    constexpr std::array rows{
        Row{0x20, 0},
        Row{0x30, 0x0105'0014},
        Row{0x80, 0xff},
        Row{0xd0, 0xff00'0000},
        Row{0xe0, 0xffff'ffff},
        Row{0xf0, 0x13ff},
        Row{0x310, 0xff00'0000},
        Row{0x320, 0x710ff & ~0x1000U},
        Row{0x330, 0x107ff},
        Row{0x340, 0x107ff},
        Row{0x350, 0x1a7ff},
        Row{0x360, 0x1a7ff},
        Row{0x370, 0x100ff},
        Row{0x3e0, 0xb},
        Row{0x390, 0},
    };
    for (const Row& row : rows) {
        board.apic_write(row.offset, 0xffff'ffff);
        EXPECT_EQ(board.apic_read(row.offset), row.value) << std::hex << row.offset;
    }
}

TEST_F(LocalApicTest, OnlyAlignedDwordsWrite) {
    apic.write(0x80, 1, 0x20);
    apic.write(0x80, 8, 0x20);
    apic.write(0x84, 4, 0x20);
    EXPECT_EQ(board.apic_read(0x80), 0U);
    EXPECT_EQ(apic.read(0x32, 2), 0x0105U);
    EXPECT_EQ(apic.read(0x34, 4), 0U);
}

// ---- pins -------------------------------------------------------------------------------------------------

TEST_F(LocalApicTest, VirtualWireTakesTheVectorFromTheController) {
    apic.set_virtual_wire_mode();
    for (const unsigned value : {0x11U, 0x20U, 4U, 1U}) board.out(value == 0x11 ? 0x20 : 0x21, value);
    board.out(0x21, 0);
    EXPECT_FALSE(apic.has_interrupt());
    board.chipset->wires().connect(5).set(Level::asserted);
    EXPECT_TRUE(apic.has_interrupt());
    board.apic_write(0x80, 0xff);
    EXPECT_TRUE(apic.has_interrupt()) << "ExtINT knows no priority";
    EXPECT_EQ(apic.acknowledge(), 0x25);
    EXPECT_FALSE(apic.has_interrupt());
    EXPECT_FALSE(in_service(0x25));
    apic.set_lint1(Level::asserted);
    EXPECT_EQ(processor.seen, "nmi ");
}

TEST_F(LocalApicTest, ADisabledApicPassesItsPinsOn) {
    ASSERT_TRUE(apic.set_base(0xfee0'0100));
    apic.set_lint0(Level::asserted);
    EXPECT_TRUE(apic.has_interrupt());
    apic.set_lint1(Level::asserted);
    EXPECT_EQ(processor.seen, "nmi ");
}

TEST_F(LocalApicTest, LevelTriggeredPinAsksAgainAfterEoi) {
    board.apic_write(0x350, 0x8061);
    apic.set_lint0(Level::asserted);
    EXPECT_EQ(board.apic_read(0x350), 0xc061U) << "remote IRR";
    EXPECT_EQ(apic.acknowledge(), 0x61);
    EXPECT_FALSE(apic.has_interrupt());
    board.apic_write(0xb0, 0);
    EXPECT_EQ(apic.acknowledge(), 0x61);
    apic.set_lint0(Level::deasserted);
    board.apic_write(0xb0, 0);
    EXPECT_FALSE(apic.has_interrupt());
    EXPECT_EQ(board.apic_read(0x350), 0x8061U);
}

// ---- IA32_APIC_BASE ---------------------------------------------------------------------------------------

// "x2APIC State Transitions".
TEST_F(LocalApicTest, Transitions) {
    constexpr std::uint64_t address = 0xfee0'0100;
    constexpr std::uint64_t disabled = address, xapic = address | 0x800, x2apic = address | 0xc00;
    constexpr std::uint64_t illegal = address | 0x400;
    struct Row {
        std::uint64_t from, to;
        bool legal;
    };
    constexpr std::array rows{
        Row{disabled, disabled, true},
        Row{disabled, xapic, true},
        Row{disabled, x2apic, false},
        Row{xapic, disabled, true},
        Row{xapic, xapic, true},
        Row{xapic, x2apic, true},
        Row{x2apic, disabled, true},
        Row{x2apic, xapic, false},
        Row{x2apic, x2apic, true},
        Row{disabled, illegal, false},
        Row{xapic, illegal, false},
        Row{x2apic, illegal, false},
    };
    for (const Row& row : rows) {
        apic.reset();
        if (row.from != xapic) {
            ASSERT_TRUE(apic.set_base(row.from));
        }
        EXPECT_EQ(apic.set_base(row.to).has_value(), row.legal) << std::hex << row.from << " " << row.to;
        EXPECT_EQ(apic.base(), row.legal ? row.to : row.from);
    }
}

TEST_F(LocalApicTest, ReservedBitsOfTheBase) {
    for (unsigned bit = 0; bit < 64; ++bit) {
        apic.reset();
        const bool reserved = bit < 8 || bit == 9 || bit >= 46;
        if (bit == 11) continue;
        EXPECT_EQ(apic.set_base(apic.base() ^ 1ULL << bit).has_value(), !reserved) << bit;
    }
    apic.reset();
    ASSERT_TRUE(apic.set_base(0x2000'0000'0900));
    EXPECT_EQ(apic.page_address(), 0x2000'0000'0000U);
}

TEST_F(LocalApicTest, DisabledAndEnabledAgainBeginsAnew) {
    send_self(0x41);
    board.apic_write(0x80, 0x20);
    ASSERT_TRUE(apic.set_base(0xfee0'0100));
    EXPECT_EQ(apic.mode(), ApicMode::disabled);
    EXPECT_EQ(apic.read(0x20, 4), 0xffff'ffffU);
    EXPECT_FALSE(apic.has_interrupt());
    ASSERT_TRUE(apic.set_base(enabled_base));
    EXPECT_EQ(board.apic_read(0x80), 0U);
    EXPECT_EQ(board.apic_read(0xf0), 0xffU);
    EXPECT_FALSE(requested(0x41));
    board.apic_write(0xf0, 0x1ff);
    send_self(0x42);
    EXPECT_EQ(apic.acknowledge(), 0x42);
}

TEST_F(LocalApicTest, InitKeepsModeAndId) {
    enter_x2apic();
    ASSERT_TRUE(apic.write_msr(0x808, 0x30));
    apic.init();
    EXPECT_EQ(apic.mode(), ApicMode::x2apic);
    EXPECT_EQ(apic.read_msr(0x808), 0U);
    EXPECT_EQ(apic.read_msr(0x80f), 0xffU);
}

// ---- x2APIC -----------------------------------------------------------------------------------------------

// "x2APIC Register Address Space": which registers can be read and written, and with which bits.
TEST_F(LocalApicTest, X2apicRegisters) {
    constexpr std::uint64_t no = ~0ULL << 63 >> 1 << 1;  // marks "#GP for every value"
    struct Row {
        std::uint32_t first, last;
        bool readable;
        std::uint64_t writable;
    };
    constexpr std::array rows{
        Row{0x800, 0x801, false, no},     Row{0x802, 0x803, true, no},
        Row{0x804, 0x807, false, no},     Row{0x808, 0x808, true, 0xff},
        Row{0x809, 0x809, false, no},     Row{0x80a, 0x80a, true, no},
        Row{0x80b, 0x80b, false, 0},      Row{0x80c, 0x80c, false, no},
        Row{0x80d, 0x80d, true, no},      Row{0x80e, 0x80e, false, no},
        Row{0x80f, 0x80f, true, 0x13ff},  Row{0x810, 0x827, true, no},
        Row{0x828, 0x828, true, 0},       Row{0x829, 0x82f, false, no},
        Row{0x831, 0x831, false, no},     Row{0x832, 0x832, true, 0x710ff},
        Row{0x833, 0x834, true, 0x117ff}, Row{0x835, 0x836, true, 0x1f7ff},
        Row{0x837, 0x837, true, 0x110ff}, Row{0x838, 0x838, true, 0xffff'ffff},
        Row{0x839, 0x839, true, no},      Row{0x83a, 0x83d, false, no},
        Row{0x83e, 0x83e, true, 0xb},     Row{0x83f, 0x83f, false, 0xff},
        Row{0x840, 0x8ff, false, no},
    };
    enter_x2apic();
    for (const Row& row : rows)
        for (std::uint32_t msr = row.first; msr <= row.last; ++msr) {
            EXPECT_EQ(apic.read_msr(msr).has_value(), row.readable) << std::hex << msr;
            EXPECT_EQ(apic.write_msr(msr, 0).has_value(), row.writable != no) << std::hex << msr;
            for (unsigned bit = 0; bit < 64 && row.writable != no; ++bit)
                EXPECT_EQ(apic.write_msr(msr, 1ULL << bit).has_value(), (row.writable >> bit & 1U) != 0)
                    << std::hex << msr << " bit " << std::dec << bit;
        }
}

TEST_F(LocalApicTest, X2apicCommandIsOneRegister) {
    enter_x2apic();
    for (unsigned bit = 0; bit < 64; ++bit) {
        const bool reserved = bit == 13 || bit == 16 || bit == 17 || (bit >= 20 && bit < 32);
        EXPECT_EQ(apic.write_msr(0x830, 1ULL << bit).has_value(), !reserved) << bit;
    }
    apic.init();
    ASSERT_TRUE(apic.write_msr(0x80f, 0x1ff));
    ASSERT_TRUE(apic.write_msr(0x830, 0x41));
    EXPECT_EQ(apic.read_msr(0x830), 0x41U);
    EXPECT_EQ(apic.acknowledge(), 0x41);
    ASSERT_TRUE(apic.write_msr(0x83f, 0x51));
    EXPECT_EQ(apic.acknowledge(), 0x51);
    ASSERT_TRUE(apic.write_msr(0x80b, 0));
    EXPECT_EQ(apic.read_msr(0x812), 1U << 1) << "0x41 is still in service";
}

TEST_F(LocalApicTest, MsrsFaultOutsideOfX2apicMode) {
    EXPECT_FALSE(apic.read_msr(0x802));
    EXPECT_FALSE(apic.write_msr(0x808, 0));
    enter_x2apic();
    EXPECT_EQ(apic.read(0x20, 4), 0xffff'ffffU) << "and the page is not there in x2APIC mode";
    ASSERT_TRUE(apic.set_base(0xfee0'0100));
    EXPECT_FALSE(apic.read_msr(0x802));
}

// ---- timer ------------------------------------------------------------------------------------------------

TEST_F(LocalApicTest, DivideConfiguration) {
    struct Row {
        std::uint32_t code;
        unsigned divider;
    };
    constexpr std::array rows{Row{0x0, 2},
                              Row{0x1, 4},
                              Row{0x2, 8},
                              Row{0x3, 16},
                              Row{0x8, 32},
                              Row{0x9, 64},
                              Row{0xa, 128},
                              Row{0xb, 1}};
    for (const Row& row : rows) {
        board.apic_write(0x3e0, row.code);
        board.apic_write(0x380, 1000);
        EXPECT_EQ(board.apic_read(0x390), 1000U);
        board.timeline.now += row.divider * 10ULL;
        EXPECT_EQ(board.apic_read(0x390), 990U) << row.divider;
    }
}

TEST_F(LocalApicTest, OneShot) {
    board.apic_write(0x3e0, 0xb);
    board.apic_write(0x320, 0x40);
    board.timeline.stop_at = Timeline::never;
    board.apic_write(0x380, 5000);
    EXPECT_EQ(board.timeline.stop_at, 5000U);
    EXPECT_EQ(apic.next_deadline(), 5000U);
    board.pass(4999);
    EXPECT_FALSE(apic.has_interrupt());
    EXPECT_EQ(board.apic_read(0x390), 1U);
    board.pass(1);
    EXPECT_EQ(apic.acknowledge(), 0x40);
    EXPECT_EQ(board.apic_read(0x390), 0U);
    EXPECT_EQ(apic.next_deadline(), Timeline::never);
}

TEST_F(LocalApicTest, Periodic) {
    board.apic_write(0x3e0, 0xb);
    board.apic_write(0x320, 0x20040);
    board.apic_write(0x380, 5000);
    for (unsigned period = 0; period < 5; ++period) {
        board.pass(4999);
        EXPECT_FALSE(apic.has_interrupt());
        board.pass(1);
        EXPECT_EQ(board.apic_read(0x390), 5000U);
        EXPECT_EQ(apic.acknowledge(), 0x40);
        board.apic_write(0xb0, 0);
    }
    board.apic_write(0x380, 0);
    board.pass(20000);
    EXPECT_FALSE(apic.has_interrupt());
}

TEST_F(LocalApicTest, TinyPeriodsAreBounded) {
    board.apic_write(0x3e0, 0xb);
    board.apic_write(0x320, 0x20040);
    board.apic_write(0x380, 3);
    board.timeline.now += 3;
    apic.advance_to(board.timeline.now);
    EXPECT_EQ(apic.acknowledge(), 0x40);
    board.apic_write(0xb0, 0);
    EXPECT_EQ(apic.next_deadline(), 3U + 1002U) << "the least multiple of 3 ns that is a microsecond";
    board.timeline.now += 1;
    EXPECT_EQ(board.apic_read(0x390), 2U) << "the count is exact";
    board.timeline.now += 1000 * second;
    apic.advance_to(board.timeline.now);
    EXPECT_GT(apic.state().timer_expires, board.timeline.now);
    EXPECT_EQ(apic.next_deadline(), Timeline::never) << "requested already: another one changes nothing";
    EXPECT_EQ(apic.acknowledge(), 0x40);
    EXPECT_GT(apic.next_deadline(), board.timeline.now);
    EXPECT_NE(apic.next_deadline(), Timeline::never);
}

TEST_F(LocalApicTest, AMaskedTimerCountsSilently) {
    board.apic_write(0x3e0, 0xb);
    board.apic_write(0x320, 0x10040);
    board.apic_write(0x380, 5000);
    EXPECT_EQ(apic.next_deadline(), Timeline::never);
    board.pass(6000);
    board.apic_write(0x320, 0x40);
    EXPECT_FALSE(apic.has_interrupt()) << "it expired while it was masked";
    EXPECT_EQ(board.apic_read(0x390), 0U);
}

// "TSC-Deadline Mode".
TEST_F(LocalApicTest, TscDeadline) {
    apic.set_tsc_offset(1'000'000);
    apic.set_tsc_deadline(1'000'100);
    EXPECT_EQ(apic.tsc_deadline(), 0U) << "ignored in another mode";
    board.apic_write(0x320, 0x40040);
    board.apic_write(0x380, 77);
    EXPECT_EQ(board.apic_read(0x390), 0U);
    apic.set_tsc_deadline(1'000'100);
    EXPECT_EQ(apic.tsc_deadline(), 1'000'100U);
    board.pass(99);
    EXPECT_FALSE(apic.has_interrupt());
    board.pass(1);
    EXPECT_EQ(apic.acknowledge(), 0x40);
    EXPECT_EQ(apic.tsc_deadline(), 0U);
    board.apic_write(0xb0, 0);
    apic.set_tsc_deadline(5);
    EXPECT_EQ(apic.acknowledge(), 0x40) << "a deadline of the past expires at once";
    board.apic_write(0xb0, 0);
    apic.set_tsc_deadline(2'000'000);
    apic.set_tsc_deadline(0);
    EXPECT_EQ(apic.next_deadline(), Timeline::never) << "0 disarms";
    apic.set_tsc_deadline(2'000'000);
    board.apic_write(0x320, 0x40);
    EXPECT_EQ(apic.tsc_deadline(), 0U) << "so does leaving the mode";
}

}  // namespace
}  // namespace hyperstep::devices_test
