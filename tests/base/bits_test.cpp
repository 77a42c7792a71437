#include "base/bits.hpp"

#include <cstdint>
#include <type_traits>

#include <gtest/gtest.h>

namespace hyperstep {
namespace {

enum class Speed : std::uint8_t { slow = 0, fast = 3 };

struct Control : Register<Control> {
    static constexpr Bits<0> enable{};
    static constexpr Bits<7, 4> vector{};
    static constexpr Bits<9, 8, Speed> speed{};
    static constexpr Bits<63> top{};
};
struct Other : Register<Other> {};

static_assert(std::is_same_v<decltype(Bits<5>::get(0)), bool>);
static_assert(std::is_same_v<decltype(Bits<5, 4>::get(0)), std::uint64_t>);
static_assert(Bits<63, 0>::mask == 0xffff'ffff'ffff'ffff);
static_assert(Bits<0>::mask == 1);
static_assert(Bits<63>::mask == 0x8000'0000'0000'0000);
static_assert(Bits<47, 12>::mask == 0x0000'ffff'ffff'f000);
static_assert(!std::is_convertible_v<Control, Other>);

TEST(Bits, GetsTheRangeAsTheManualNumbersIt) {
    EXPECT_EQ((Bits<15, 8>::get(0x1234)), 0x12U);
    EXPECT_EQ((Bits<3, 0>::get(0x1234)), 0x4U);
    EXPECT_EQ((Bits<63, 60>::get(0xf000'0000'0000'0000)), 0xfU);
    EXPECT_TRUE(Bits<2>::get(0b0100));
    EXPECT_FALSE(Bits<2>::get(0b1011));
}

TEST(Bits, PutTouchesNothingElse) {
    EXPECT_EQ((Bits<15, 8>::put(0xffff'ffff, 0x00)), 0xffff'00ffU);
    EXPECT_EQ((Bits<15, 8>::put(0, 0xab)), 0xab00U);
    EXPECT_EQ((Bits<15, 8>::put(0, 0x1ab)), 0xab00U) << "bits beyond the range are dropped";
    EXPECT_EQ(Bits<63>::put(0, true), 0x8000'0000'0000'0000U);
    EXPECT_EQ((Bits<63, 0>::put(1, 2)), 2U);
}

TEST(Register, ReadsAndChangesNamedRanges) {
    constexpr Control zero{};
    constexpr Control set =
        zero.with(Control::enable, true).with(Control::vector, 9).with(Control::speed, Speed::fast);
    static_assert(set.raw == 0x391);
    EXPECT_TRUE(set[Control::enable]);
    EXPECT_EQ(set[Control::vector], 9U);
    EXPECT_EQ(set[Control::speed], Speed::fast);
    EXPECT_FALSE(set[Control::top]);
    EXPECT_EQ(set.with(Control::vector, 0).raw, 0x301U);
    EXPECT_EQ(zero.raw, 0U) << "with() leaves its object alone";
    EXPECT_NE(set, zero);
}

}  // namespace
}  // namespace hyperstep
