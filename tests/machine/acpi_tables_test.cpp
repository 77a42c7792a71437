#include "machine/acpi_tables.hpp"

#include <map>
#include <numeric>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "machine/little_endian.hpp"

namespace hyperstep::machine {
namespace {

using Content = std::span<const std::uint8_t>;

std::uint64_t number(Content bytes, std::size_t at, unsigned count) {
    std::uint64_t value = 0;
    for (unsigned i = count; i-- > 0;) value = value << 8 | bytes[at + i];
    return value;
}
std::uint8_t sum(Content bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), std::uint8_t{0}, [](std::uint8_t a, std::uint8_t b) {
        return static_cast<std::uint8_t>(a + b);
    });
}

/// The tables as an operating system finds them: from the RSDP on.
class AcpiTree : public testing::TestWithParam<unsigned> {
protected:
    MemoryMap memory = MemoryMap::of(256ULL << 20).value();
    AcpiTables made = acpi_tables(memory, GetParam(), {});
    std::map<std::string, Content> found;

    Content at(std::uint64_t address) {
        if (address == made.control_address) return made.control;
        const Content all{made.tables};
        const Content rest = all.subspan(address - made.tables_address);
        return rest.first(number(rest, 4, 4));
    }
    void SetUp() override {
        const Content root{made.root};
        for (const auto& [offset, width] : {std::pair{16U, 4U}, std::pair{24U, 8U}}) {
            const Content list = at(number(root, offset, width));
            for (std::size_t entry = 36; entry < list.size(); entry += width) {
                const Content table = at(number(list, entry, width));
                found[std::string(table.begin(), table.begin() + 4)] = table;
            }
            EXPECT_EQ(sum(list), 0);
            EXPECT_EQ(list.size(), 36 + 3 * width);
        }
        const Content fadt = found["FACP"];
        found["DSDT"] = at(number(fadt, 40, 4));
    }
};
INSTANTIATE_TEST_SUITE_P(Processors, AcpiTree, testing::Values(1U, 2U, 64U));

TEST_P(AcpiTree, EveryChecksumIsZero) {
    ASSERT_EQ(found.size(), 4U);
    for (const auto& [name, table] : found) EXPECT_EQ(sum(table), 0) << name;
    EXPECT_EQ(sum(Content{made.root}.first(20)), 0);
    EXPECT_EQ(sum(made.root), 0);
}

TEST_P(AcpiTree, TheRootIsWhereSystemsLook) {
    EXPECT_GE(made.root_address, 0xe'0000U);
    EXPECT_LT(made.root_address, 0x10'0000U);
    EXPECT_EQ(made.root_address % 16, 0U);
    EXPECT_EQ(std::string(made.root.begin(), made.root.begin() + 8), "RSD PTR ");
    EXPECT_LE(made.tables.size(), MemoryMap::acpi_bytes - MemoryMap::nvs_bytes);
}

TEST_P(AcpiTree, TheFadtNamesThePortsOfTheHardware) {
    const Content fadt = found["FACP"];
    ASSERT_EQ(fadt.size(), 268U);
    EXPECT_EQ(number(fadt, 46, 2), 9U);              // SCI_INT
    EXPECT_EQ(number(fadt, 56, 4), 0x600U);          // PM1a_EVT_BLK
    EXPECT_EQ(number(fadt, 64, 4), 0x604U);          // PM1a_CNT_BLK
    EXPECT_EQ(number(fadt, 76, 4), 0x608U);          // PM_TMR_BLK
    EXPECT_EQ(number(fadt, 88, 1), 4U);              // PM1_EVT_LEN
    EXPECT_EQ(number(fadt, 91, 1), 4U);              // PM_TMR_LEN
    EXPECT_EQ(number(fadt, 108, 1), 0x32U);          // CENTURY
    EXPECT_NE(number(fadt, 112, 4) & 1U << 10, 0U);  // RESET_REG_SUP
    EXPECT_EQ(number(fadt, 116, 1), 1U);             // RESET_REG: system I/O
    EXPECT_EQ(number(fadt, 120, 8), 0xcf9U);
    EXPECT_EQ(number(fadt, 128, 1), 6U);  // RESET_VALUE
    EXPECT_EQ(number(fadt, 36, 4), made.control_address);
    EXPECT_EQ(number(fadt, 132, 8), made.control_address);
    EXPECT_EQ(number(fadt, 212, 8), 0x608U);  // X_PM_TMR_BLK
}

TEST_P(AcpiTree, TheFacsIsAlignedAndInNonVolatileMemory) {
    EXPECT_EQ(made.control_address % 64, 0U);
    EXPECT_EQ(made.control.size(), 64U);
    EXPECT_EQ(number(made.control, 4, 4), 64U);
}

TEST_P(AcpiTree, TheMadtListsEveryProcessorTheIoApicAndTheOverrides) {
    const Content madt = found["APIC"];
    EXPECT_EQ(number(madt, 36, 4), 0xfee0'0000U);
    std::map<unsigned, unsigned> kinds;
    for (std::size_t at = 44; at < madt.size(); at += madt[at + 1]) {
        ASSERT_GT(madt[at + 1], 0);
        if (madt[at] == 0) {
            EXPECT_EQ(madt[at + 3], kinds[0]);
        }
        if (madt[at] == 1) {
            EXPECT_EQ(number(madt, at + 4, 4), 0xfec0'0000U);
        }
        if (madt[at] == 2 && madt[at + 3] == 0) {
            EXPECT_EQ(number(madt, at + 4, 4), 2U);
        }
        ++kinds[madt[at]];
    }
    EXPECT_EQ(kinds, (std::map<unsigned, unsigned>{{0, GetParam()}, {1, 1}, {2, 2}, {4, 1}}));
}

TEST_P(AcpiTree, TheDsdtHasTheSleepStates) {
    const Content dsdt = found["DSDT"];
    const std::string text(dsdt.begin(), dsdt.end());
    const std::size_t s5 = text.find("_S5_");
    ASSERT_NE(s5, std::string::npos);
    // PackageOp, PkgLength that counts itself, four elements, each a byte constant.
    EXPECT_EQ(text.substr(s5 + 4, 11), std::string("\x12\x0a\x04\x0a\x00\x0a\x00\x0a\x00\x0a\x00", 11));
    EXPECT_EQ(s5 + 15, text.size());
    EXPECT_NE(text.find("_S3_"), std::string::npos);
}

}  // namespace
}  // namespace hyperstep::machine
