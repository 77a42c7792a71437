#include "machine/elf.hpp"

#include <gtest/gtest.h>

#include "tests/machine/image_builder.hpp"

namespace hyperstep::machine {
namespace {

class Elf : public testing::TestWithParam<unsigned> {
protected:
    ElfOffsets at{GetParam()};
    Bytes file = elf_image({.bits = GetParam(), .more_memory = 0x100, .code = {1, 2, 3}});

    std::string field_of_problem() {
        const auto image = parse_elf(file.span());
        return image ? "none" : image.error().field;
    }
};
INSTANTIATE_TEST_SUITE_P(Classes, Elf, testing::Values(32U, 64U));

TEST_P(Elf, SegmentAndEntryAreAsTheHeadersSay) {
    const auto image = parse_elf(file.span());
    ASSERT_TRUE(image);
    ASSERT_EQ(image->segments.size(), 1U);
    const ElfSegment& segment = image->segments.front();
    EXPECT_EQ(segment.physical, 0x10'0000U);
    EXPECT_EQ(segment.file_offset, 0x1000U);
    EXPECT_EQ(segment.file_bytes, 3U);
    EXPECT_EQ(segment.memory_bytes, 0x103U);
    EXPECT_EQ(image->physical_entry().value(), 0x10'0000U);
}

TEST_P(Elf, ALinearEntryPointMovesWithItsSegment) {
    file.put(at.linear(), 0xc010'0000, at.native());
    file.put(at.entry(), 0xc010'0002, at.native());
    EXPECT_EQ(parse_elf(file.span())->physical_entry().value(), 0x10'0002U);
    file.put(at.entry(), 0x10'0001, at.native());
    EXPECT_EQ(parse_elf(file.span())->physical_entry().value(), 0x10'0001U);
    file.put(at.entry(), 0x5000, at.native());
    EXPECT_EQ(parse_elf(file.span())->physical_entry().error().field, "e_entry");
}

TEST_P(Elf, ABrokenFieldIsNamed) {
    struct Case {
        std::size_t offset;
        std::uint64_t value;
        unsigned bytes;
        const char* field;
    };
    const std::uint64_t most = at.wide ? ~0ULL : 0xffff'ffffULL;
    const Case cases[] = {
        {0, 0x7e, 1, "e_ident"},
        {4, 3, 1, "EI_CLASS"},
        {5, 2, 1, "EI_DATA"},
        {at.type(), 1, 2, "e_type"},
        {at.type(), 3, 2, "e_type"},
        {at.machine(), 183, 2, "e_machine"},
        {at.header_offset(), 0x2000, at.native(), "e_phoff"},
        {at.header_offset(), most, at.native(), "e_phoff"},
        {at.header_bytes(), 8, 2, "e_phentsize"},
        {at.header_count(), 0xfffe, 2, "e_phoff"},
        {at.header_count(), 0xffff, 2, "e_phnum"},
        {at.header_count(), 0, 2, "program headers"},
        {at.first_header(), 4, 4, "program headers"},
        {at.file_offset(), 0x1002, at.native(), "program header 0"},
        {at.file_offset(), most, at.native(), "program header 0"},
        {at.file_size(), most, at.native(), "program header 0"},
        {at.memory_size(), 2, at.native(), "program header 0"},
    };
    const Bytes good = file;
    for (const Case& each : cases) {
        file = good;
        file.put(each.offset, each.value, each.bytes);
        EXPECT_EQ(field_of_problem(), each.field) << "offset " << each.offset << " value " << each.value;
    }
    file = good;
    EXPECT_EQ(field_of_problem(), "none");
}

TEST_P(Elf, EveryTruncationIsAProblem) {
    for (std::size_t length = 0; length < file.size(); length += length < 0x100 ? 1 : 61) {
        Bytes cut = file;
        cut.cut(length);
        EXPECT_FALSE(parse_elf(cut.span())) << length;
    }
}

TEST(Elf64, AddressesDoNotWrap) {
    const ElfOffsets at{64};
    Bytes file = elf_image({.bits = 64});
    file.put(at.memory_size(), ~0ULL, 8);
    EXPECT_FALSE(parse_elf(file.span()));
    file.put(at.memory_size(), ~0ULL - 0x10'0000, 8);
    EXPECT_TRUE(parse_elf(file.span()));
}

/// Two symbols: "start" at 0x100000 without a size, "f" at 0x100010, a function of 0x20 bytes.
Bytes with_symbols(unsigned bits) {
    const bool wide = bits == 64;
    Bytes file = elf_image({.bits = bits});
    const std::size_t symbols = 0x2000, strings = 0x2100, headers = 0x2200;
    const std::size_t stride = wide ? 24 : 16, header = wide ? 64 : 40;
    file.put_text(strings + 1, "start");
    file.put_text(strings + 7, "f");
    const auto symbol =
        [&](std::size_t index, unsigned name, std::uint64_t address, unsigned bytes, unsigned type) {
            const std::size_t at = symbols + index * stride;
            file.put(at, name, 4);
            file.put(at + (wide ? 4 : 12), 0x10 | type, 1);
            file.put(at + (wide ? 6 : 14), 1, 2);
            file.put(at + (wide ? 8 : 4), address, wide ? 8 : 4);
            file.put(at + (wide ? 16 : 8), bytes, wide ? 8 : 4);
        };
    symbol(1, 1, 0x10'0000, 0, 0);
    symbol(2, 7, 0x10'0010, 0x20, 2);
    const auto section =
        [&](std::size_t index, unsigned type, std::size_t offset, std::size_t bytes, unsigned link) {
            const std::size_t at = headers + index * header;
            file.put(at + 4, type, 4);
            file.put(at + (wide ? 24 : 16), offset, wide ? 8 : 4);
            file.put(at + (wide ? 32 : 20), bytes, wide ? 8 : 4);
            file.put(at + (wide ? 40 : 24), link, 4);
        };
    section(1, 2, symbols, 3 * stride, 2);
    section(2, 3, strings, 0x10, 0);
    file.put(headers + 3 * header - 1, 0, 1);
    file.put(wide ? 40 : 32, headers, wide ? 8 : 4);
    file.put(wide ? 58 : 46, header, 2);
    file.put(wide ? 60 : 48, 3, 2);
    return file;
}

TEST_P(Elf, SymbolsHaveNamesAddressesAndSizes) {
    const Bytes named = with_symbols(GetParam());
    const auto symbols = elf_symbols(named.span());
    ASSERT_TRUE(symbols) << symbols.error().sentence();
    ASSERT_EQ(symbols->size(), 2U);
    EXPECT_EQ((*symbols)[0].name, "start");
    EXPECT_EQ((*symbols)[1].name, "f");
    EXPECT_EQ((*symbols)[1].address, 0x10'0010U);
    EXPECT_EQ((*symbols)[1].bytes, 0x20U);
    EXPECT_TRUE(elf_symbols(file.span())->empty());
}

}  // namespace
}  // namespace hyperstep::machine
