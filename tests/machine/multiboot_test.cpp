#include "machine/multiboot.hpp"

#include <gtest/gtest.h>

#include "machine/little_endian.hpp"
#include "tests/machine/image_builder.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint64_t magic = 0x1bad'b002;

Bytes with_header(std::size_t offset, std::uint32_t flags) {
    Bytes file{0x4000};
    file.put(offset, magic, 4);
    file.put(offset + 4, flags, 4);
    file.put(offset + 8, 0 - magic - flags, 4);
    return file;
}

TEST(MultibootHeader, IsFoundInTheFirst8KiBOnly) {
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{4}, std::size_t{0x1000}, std::size_t{8192 - 12}}) {
        const auto found = find_multiboot_header(with_header(offset, 3).span());
        ASSERT_TRUE(found && *found) << offset;
        EXPECT_EQ((*found)->file_offset, offset);
        EXPECT_EQ((*found)->flags, 3U);
    }
    for (const std::size_t offset : {std::size_t{2}, std::size_t{8192 - 8}, std::size_t{8192}})
        EXPECT_FALSE(find_multiboot_header(with_header(offset, 3).span())->has_value()) << offset;
}

TEST(MultibootHeader, NeedsItsChecksum) {
    Bytes file = with_header(0, 0);
    file.put(8, 0 - magic + 1, 4);
    EXPECT_FALSE(find_multiboot_header(file.span())->has_value());
}

TEST(MultibootHeader, ARequiredFeatureThatNobodyKnowsIsAProblem) {
    for (unsigned bit = 0; bit < 16; ++bit)
        EXPECT_EQ(find_multiboot_header(with_header(0, 1U << bit).span()).has_value(), bit <= 2) << bit;
    EXPECT_TRUE(find_multiboot_header(with_header(0, 1U << 20).span()).has_value());
}

/// Header at file offset 0x100 and address 0x100100.
struct AddressFields {
    std::uint32_t header = 0x10'0100, load = 0x10'0000, load_end = 0x10'1000, bss_end = 0x10'2000,
                  entry = 0x10'0200;
    ImageExpected<AddressFieldImage> image(std::uint64_t file_bytes = 0x2000) const {
        return address_field_image({.file_offset = 0x100,
                                    .flags = MultibootHeader::address_fields,
                                    .header_address = header,
                                    .load_address = load,
                                    .load_end = load_end,
                                    .bss_end = bss_end,
                                    .entry = entry},
                                   file_bytes);
    }
};

TEST(AddressFieldsOfAHeader, SayWhereTheFileGoes) {
    const auto image = AddressFields{}.image();
    ASSERT_TRUE(image);
    EXPECT_EQ(image->physical, 0x10'0000U);
    EXPECT_EQ(image->file_offset, 0U);
    EXPECT_EQ(image->file_bytes, 0x1000U);
    EXPECT_EQ(image->memory_bytes, 0x2000U);
    EXPECT_EQ(image->entry, 0x10'0200U);
    const auto part = AddressFields{.load = 0x10'0080}.image();
    EXPECT_EQ(part->file_offset, 0x80U);
    EXPECT_EQ(part->file_bytes, 0xf80U);
}

TEST(AddressFieldsOfAHeader, ZeroMeansToTheEndOfTheFileAndNoBss) {
    const auto image = AddressFields{.load_end = 0, .bss_end = 0}.image();
    EXPECT_EQ(image->file_bytes, 0x2000U);
    EXPECT_EQ(image->memory_bytes, 0x2000U);
}

TEST(AddressFieldsOfAHeader, ContradictionsAreProblems) {
    EXPECT_FALSE(AddressFields{.load = 0x10'0104}.image());
    EXPECT_FALSE(AddressFields{.load = 0x0f'ffff}.image());
    EXPECT_FALSE(AddressFields{.load_end = 0x0f'ffff}.image());
    EXPECT_FALSE(AddressFields{.load_end = 0x10'2001}.image());
    EXPECT_FALSE(AddressFields{.bss_end = 0x10'0fff}.image());
    EXPECT_FALSE(AddressFields{.entry = 0x10'2000}.image());
    EXPECT_FALSE(AddressFields{.entry = 0x0f'ffff}.image());
    EXPECT_TRUE(AddressFields{.entry = 0x10'1fff}.image());
}

/// The block as a kernel reads it.
class Information : public testing::Test {
protected:
    static constexpr std::uint32_t at = 0x9'0000;
    MemoryMap memory = MemoryMap::of(5ULL << 30).value();
    std::vector<BootModule> modules{{0x20'0000, 0x20'0005, "first"}, {0x20'1000, 0x20'1000, ""}};
    std::vector<std::uint8_t> block = multiboot_information(at, memory, "image one two", modules);

    std::uint32_t word(std::uint64_t address) {
        return number_at<std::uint32_t>(std::as_bytes(std::span{block}), address - at).value_or(0xdead);
    }
    std::uint64_t quad(std::uint64_t address) {
        return word(address) | static_cast<std::uint64_t>(word(address + 4)) << 32;
    }
    std::string text(std::uint64_t address) { return reinterpret_cast<const char*>(&block[address - at]); }
};

TEST_F(Information, HasTheFieldsThatItsFlagsSay) {
    EXPECT_EQ(word(at), 0x24dU);  // memory, command line, modules, map, loader's name
    EXPECT_EQ(word(at + 4), 639U);
    EXPECT_EQ(word(at + 8), (3U << 20) - 1024 - 64);
    EXPECT_EQ(text(word(at + 16)), "image one two");
    EXPECT_EQ(text(word(at + 64)), "hyperstep");
}

TEST_F(Information, ListsTheModules) {
    ASSERT_EQ(word(at + 20), 2U);
    const std::uint32_t list = word(at + 24);
    EXPECT_EQ(word(list), 0x20'0000U);
    EXPECT_EQ(word(list + 4), 0x20'0005U);
    EXPECT_EQ(text(word(list + 8)), "first");
    EXPECT_EQ(word(list + 16), 0x20'1000U);
    EXPECT_EQ(text(word(list + 24)), "");
}

TEST_F(Information, TheMapHasAllRamAndNoOverlap) {
    const std::uint32_t length = word(at + 44), map = word(at + 48);
    std::uint64_t ram = 0, end = 0;
    for (std::uint32_t entry = 0; entry < length; entry += word(map + entry) + 4) {
        ASSERT_EQ(word(map + entry), 20U);
        const std::uint64_t first = quad(map + entry + 4), bytes = quad(map + entry + 12);
        EXPECT_GE(first, end);
        end = first + bytes;
        if (word(map + entry + 20) == 1) ram += bytes;
    }
    EXPECT_EQ(end, 6ULL << 30);
    // 5 GiB without 640 KiB to 1 MiB, the EBDA and the ACPI tables.
    EXPECT_EQ(ram, (5ULL << 30) - (384 + 1 + 64) * 1024);
}

}  // namespace
}  // namespace hyperstep::machine
