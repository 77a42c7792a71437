#include "base/address.hpp"

#include <concepts>
#include <cstdint>
#include <set>
#include <type_traits>

#include <gtest/gtest.h>

namespace hyperstep {
namespace {

// The three spaces never mix.
template <class A, class B>
concept Mix = std::convertible_to<A, B> || std::constructible_from<B, A> ||
    std::equality_comparable_with<A, B> || requires(A a, B b) {
    a - b;
} || requires(A a, B b) {
    a < b;
};
static_assert(!Mix<Gva, Gpa> && !Mix<Gpa, Hpa> && !Mix<Gva, Hpa>);
static_assert(!Mix<Gpa, Gva> && !Mix<Hpa, Gpa> && !Mix<Hpa, Gva>);
// A number becomes an address only where somebody says so, and an address never becomes a number by itself.
static_assert(!std::convertible_to<std::uint64_t, Gpa> && std::constructible_from<Gpa, std::uint64_t>);
static_assert(!std::convertible_to<Gpa, std::uint64_t>);
static_assert(sizeof(Gpa) == 8 && std::is_trivially_copyable_v<Gpa>);

static_assert(bytes_in(PageSize::size_4k) == 0x1000);
static_assert(bytes_in(PageSize::size_2m) == 0x20'0000);
static_assert(bytes_in(PageSize::size_1g) == 0x4000'0000);

TEST(Address, FindsItsPage) {
    struct Row {
        std::uint64_t address;
        PageSize size;
        std::uint64_t start, offset, number;
    };
    const Row rows[] = {
        // address              size               start                  offset      number
        {0, PageSize::size_4k, 0, 0, 0},
        {0xfff, PageSize::size_4k, 0, 0xfff, 0},
        {0x1000, PageSize::size_4k, 0x1000, 0, 1},
        {0xffff'ffff'ffff'ffff, PageSize::size_4k, 0xffff'ffff'ffff'f000, 0xfff, 0xf'ffff'ffff'ffff},
        {0x1f'ffff, PageSize::size_2m, 0, 0x1f'ffff, 0},
        {0x20'0001, PageSize::size_2m, 0x20'0000, 1, 1},
        {0x7fff'ffff, PageSize::size_1g, 0x4000'0000, 0x3fff'ffff, 1},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.address);
        const Gpa a{row.address};
        EXPECT_EQ(a.page_start(row.size), Gpa{row.start});
        EXPECT_EQ(a.page_offset(row.size), row.offset);
        EXPECT_EQ(a.page_number(row.size), row.number);
        EXPECT_EQ(a.is_page_aligned(row.size), row.offset == 0);
    }
}

TEST(Address, MovesByBytesAndWraps) {
    const Gva top{0xffff'ffff'ffff'ffff};
    EXPECT_EQ(top + 1, Gva{0});
    EXPECT_EQ(Gva{0} - 1, top);
    EXPECT_EQ(Gva{0x2000} - Gva{0x1ff0}, 0x10U);
    EXPECT_EQ(Gva{0} - top, 1U);
    Gva a{8};
    a += 8;
    EXPECT_EQ(a, Gva{16});
}

TEST(Address, Orders) {
    EXPECT_LT(Hpa{1}, Hpa{2});
    EXPECT_GT(Hpa{0x8000'0000'0000'0000}, Hpa{0x7fff'ffff'ffff'ffff}) << "unsigned";
    const std::set<Hpa> sorted{Hpa{3}, Hpa{1}, Hpa{2}};
    EXPECT_EQ(sorted.begin()->raw(), 1U);
}

TEST(Address, CountsThePagesOfAnAccess) {
    EXPECT_EQ(pages_touched(Gva{0x1ffc}, 4), 1U);
    EXPECT_EQ(pages_touched(Gva{0x1ffd}, 4), 2U);
    EXPECT_EQ(pages_touched(Gva{0x1fff}, 0x1002), 3U);
    EXPECT_EQ(pages_touched(Gva{0x1000}, 0x1000), 1U);
    EXPECT_EQ(pages_touched(Gva{0x1000}, 0), 0U);
    EXPECT_EQ(pages_touched(Gva{0xffff'ffff'ffff'ffff}, 2), 2U) << "the access wraps to page 0";
    EXPECT_EQ(pages_touched(Gva{0x1f'fffe}, 4, PageSize::size_2m), 2U);
}

}  // namespace
}  // namespace hyperstep
