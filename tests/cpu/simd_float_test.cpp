#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "cpu/float_format.hpp"
#include "cpu/host_float.hpp"
#include "cpu/soft_float.hpp"

namespace hyperstep::cpu {
namespace {

/// Patterns at which something changes, and arbitrary ones between.
template <class T>
std::vector<T> samples() {
    using Format = FloatFormat<T>;
    std::vector<T> all{0,
                       1,
                       Format::fraction,
                       static_cast<T>(Format::fraction + 1),
                       Format::one,
                       Format::greatest,
                       Format::infinity,
                       static_cast<T>(Format::infinity | 1),
                       static_cast<T>(Format::infinity | Format::quiet | 5),
                       static_cast<T>(Format::one + 1),
                       static_cast<T>(Format::one - 1)};
    std::uint64_t state = 0x1234'5678'9abc'def1;
    for (int i = 0; i < 20; ++i) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        all.push_back(static_cast<T>(state));
        // Near one, and near the least normal number.
        all.push_back(static_cast<T>(Format::one + (state & Format::fraction)));
        all.push_back(static_cast<T>(state & (Format::fraction * 4 + 3)));
    }
    const std::size_t count = all.size();
    for (std::size_t i = 0; i < count; ++i) all.push_back(static_cast<T>(all[i] | Format::sign));
    return all;
}

template <class T, host_float::Operation operation, host_float::Shape shape, class Soft>
void compare_with_host(Soft&& soft) {
    const auto numbers = samples<T>();
    for (std::uint32_t mode = 0; mode < 16; ++mode) {
        const std::uint32_t mxcsr =
            0x1f80 | (mode & 3U) << 13U | (mode & 4U) << 13U | (mode & 8U) << 3U;  // RC, FTZ, DAZ
        for (const T a : numbers)
            for (const T b : numbers) {
                FloatEnvironment host{mxcsr};
                FloatEnvironment ours{mxcsr};
                const auto expected =
                    static_cast<T>(host_float::compute<operation, shape>(host, {a, 0}, {b, 0})[0]);
                const T result = soft(ours, a, b);
                ASSERT_EQ(result, expected) << std::hex << a << ' ' << b << ' ' << mxcsr;
                ASSERT_EQ(ours.raised, host.raised) << std::hex << a << ' ' << b << ' ' << mxcsr;
            }
    }
}

#define COMPARED_WITH_HOST(name, operation, function)                                        \
    TEST(SoftFloat, name##IsAsOnTheHost) {                                                   \
        compare_with_host<std::uint32_t,                                                     \
                          host_float::Operation::operation,                                  \
                          host_float::Shape::scalar_single>(                                 \
            [](FloatEnvironment& e, std::uint32_t a, std::uint32_t b) { return function; }); \
        compare_with_host<std::uint64_t,                                                     \
                          host_float::Operation::operation,                                  \
                          host_float::Shape::scalar_double>(                                 \
            [](FloatEnvironment& e, std::uint64_t a, std::uint64_t b) { return function; }); \
    }
COMPARED_WITH_HOST(Addition, add, soft_float::add(e, a, b))
COMPARED_WITH_HOST(Subtraction, subtract, soft_float::subtract(e, a, b))
COMPARED_WITH_HOST(Multiplication, multiply, soft_float::multiply(e, a, b))
COMPARED_WITH_HOST(Division, divide, soft_float::divide(e, a, b))
COMPARED_WITH_HOST(SquareRoot, square_root, (static_cast<void>(a), soft_float::square_root(e, b)))

/// SDM "RCPSS": |relative error| <= 1.5 * 2^-12. Ours is below 2^-12.5, over every significand.
TEST(SoftFloat, ApproximationsKeepTheirBound) {
    const double bound = std::exp2(-12.5);
    for (std::uint32_t fraction = 0; fraction < 1U << 24U; fraction += 31) {
        // Two binades: the root's behaviour depends on the exponent's parity.
        const std::uint32_t x = 0x3f80'0000 + fraction;
        const double value = std::bit_cast<float>(x);
        const double reciprocal = std::bit_cast<float>(soft_float::reciprocal(x));
        const double root = std::bit_cast<float>(soft_float::reciprocal_square_root(x));
        ASSERT_LT(std::abs(reciprocal * value - 1), bound) << x;
        ASSERT_LT(std::abs(root * std::sqrt(value) - 1), bound) << x;
    }
}

TEST(SoftFloat, ApproximationsOfSpecialValues) {
    struct Row {
        std::uint32_t x, reciprocal, root;
    };
    // SDM "RCPPS", "RSQRTPS".
    constexpr Row table[] = {
        {0x0000'0000, 0x7f80'0000, 0x7f80'0000},
        {0x8000'0000, 0xff80'0000, 0xff80'0000},
        {0x0000'0001, 0x7f80'0000, 0x7f80'0000},
        {0x807f'ffff, 0xff80'0000, 0xff80'0000},
        {0x7f80'0000, 0x0000'0000, 0x0000'0000},
        {0xff80'0000, 0x8000'0000, 0xffc0'0000},
        {0x7f80'0001, 0x7fc0'0001, 0x7fc0'0001},
        {0xffc0'0005, 0xffc0'0005, 0xffc0'0005},
        {0xbf80'0000, 0xbf80'0000, 0xffc0'0000},
        {0x7f7f'ffff, 0x0000'0000, 0x1f80'0000},
        {0x3f80'0000, 0x3f80'0000, 0x3f80'0000},
        {0x4080'0000, 0x3e80'0000, 0x3f00'0000},
    };
    for (const Row& row : table) {
        EXPECT_EQ(soft_float::reciprocal(row.x), row.reciprocal) << std::hex << row.x;
        EXPECT_EQ(soft_float::reciprocal_square_root(row.x), row.root) << std::hex << row.x;
    }
}

/// SDM "VCVTPS2PH", rounding by the immediate; the least and the greatest halves.
TEST(SoftFloat, Halves) {
    const auto half = [](std::uint32_t x, Rounding rounding, std::uint32_t flags) {
        FloatEnvironment environment;
        environment.set_rounding(rounding);
        const auto result = soft_float::convert<std::uint16_t>(environment, x);
        EXPECT_EQ(environment.raised, flags) << std::hex << x;
        return result;
    };
    EXPECT_EQ(half(0x3f80'0000, Rounding::nearest, 0), 0x3c00);
    EXPECT_EQ(half(0x477f'e000, Rounding::nearest, 0), 0x7bff);
    EXPECT_EQ(half(0x477f'f000, Rounding::nearest, 0x28), 0x7c00);
    EXPECT_EQ(half(0x477f'f000, Rounding::zero, 0x20), 0x7bff);
    EXPECT_EQ(half(0x3380'0000, Rounding::nearest, 0), 0x0001);
    EXPECT_EQ(half(0x3300'0000, Rounding::nearest, 0x30), 0x0000);
    EXPECT_EQ(half(0x3300'0000, Rounding::up, 0x30), 0x0001);
    EXPECT_EQ(half(0x7f80'0001, Rounding::nearest, 1), 0x7e00);
}

}  // namespace
}  // namespace hyperstep::cpu
