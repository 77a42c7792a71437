#include "cpu/soft_float.hpp"

#include <cstdlib>
#include <limits>
#include <utility>

#include "cpu/soft_float_parts.hpp"

namespace hyperstep::cpu::soft_float {
namespace {

template <class T, class... Rest>
void note_denormals(FloatEnvironment& environment, T first, Rest... rest) {
    if (is_denormal(first) || (is_denormal(rest) || ...)) environment.raised |= simd::denormal;
}

/// The first NaN among operands of which one is a NaN, quieted.
template <class T>
T first_nan(FloatEnvironment& environment, std::initializer_list<T> operands) {
    T result = 0;
    bool found = false;
    for (const T each : operands) {
        if (is_signaling(each)) environment.raised |= simd::invalid;
        if (!found && is_nan(each)) {
            result = quieted(each);
            found = true;
        }
    }
    return result;
}

/// A number in 128 bits: significand * 2^(exponent - 127); bit 127 is set.
struct WideNumber {
    bool negative = false;
    int exponent = 0;
    Wide significand = 0;
};

WideNumber product_of(const Number& a, const Number& b) {
    WideNumber product{a.negative != b.negative,
                       a.exponent + b.exponent + 1,
                       static_cast<Wide>(a.significand) * b.significand};
    const int zeros = product.significand == 0 ? 0 : leading_zeros(product.significand);
    product.significand <<= zeros;
    product.exponent -= zeros;
    return product;
}

/// The sum of two numbers other than zero. A significand of 0 if they cancel.
WideNumber sum_of(WideNumber a, WideNumber b) {
    if (b.exponent > a.exponent || (b.exponent == a.exponent && b.significand > a.significand))
        std::swap(a, b);
    // One bit of room for a carry: the lowest bits are zeros, for no product has 127.
    WideNumber sum{a.negative, a.exponent + 1, a.significand >> 1U};
    const Wide smaller =
        shift_right_sticky(b.significand >> 1U, static_cast<unsigned>(a.exponent - b.exponent));
    if (a.negative == b.negative)
        sum.significand += smaller;
    else
        sum.significand -= smaller;
    if (sum.significand == 0) return sum;
    const int zeros = leading_zeros(sum.significand);
    sum.significand <<= zeros;
    sum.exponent -= zeros;
    return sum;
}

Wide square_root_of(Wide value, bool& exact) {
    Wide root = 0;
    Wide rest = 0;
    for (int i = 63; i >= 0; --i) {
        rest = rest << 2U | (value >> (2 * static_cast<unsigned>(i)) & 3U);
        const Wide trial = root << 2U | 1U;
        root <<= 1U;
        if (rest >= trial) {
            rest -= trial;
            root |= 1U;
        }
    }
    exact = rest == 0;
    return root;
}

}  // namespace

template <class T>
T multiply_add(FloatEnvironment& environment, T a, T b, T c, Negated negated) {
    if (is_nan(a) || is_nan(b) || is_nan(c)) return first_nan(environment, {a, b, c});
    a = as_operand(environment, a);
    b = as_operand(environment, b);
    c = as_operand(environment, c);
    const bool product_negative = (is_negative(a) != is_negative(b)) != negated.product;
    const bool addend_negative = is_negative(c) != negated.addend;
    if ((is_infinite(a) && is_zero(b)) || (is_zero(a) && is_infinite(b))) return invalid<T>(environment);
    const bool product_infinite = is_infinite(a) || is_infinite(b);
    if (product_infinite && is_infinite(c) && product_negative != addend_negative)
        return invalid<T>(environment);
    note_denormals(environment, a, b, c);
    if (product_infinite) return signed_infinity<T>(product_negative);
    if (is_infinite(c)) return signed_infinity<T>(addend_negative);

    WideNumber product = product_of(take_apart(a), take_apart(b));
    product.negative = product_negative;
    const Number part = take_apart(c);
    const WideNumber addend{addend_negative, part.exponent, static_cast<Wide>(part.significand) << 64U};
    if (product.significand == 0 && addend.significand == 0) {
        const bool negative =
            product_negative == addend_negative ? product_negative : environment.rounding() == Rounding::down;
        return signed_zero<T>(negative);
    }
    const WideNumber sum = product.significand == 0  ? addend
                           : addend.significand == 0 ? product
                                                     : sum_of(product, addend);
    if (sum.significand == 0) return signed_zero<T>(environment.rounding() == Rounding::down);
    return round_to_format<T>(environment, sum.negative, sum.exponent, sum.significand);
}

template <class T>
T add(FloatEnvironment& environment, T a, T b) {
    return multiply_add<T>(environment, a, FloatFormat<T>::one, b);
}
template <class T>
T subtract(FloatEnvironment& environment, T a, T b) {
    return multiply_add<T>(environment, a, FloatFormat<T>::one, b, {.addend = true});
}
template <class T>
T multiply(FloatEnvironment& environment, T a, T b) {
    // A zero of the product's sign changes no product, not even a zero.
    return multiply_add<T>(environment, a, b, signed_zero<T>(is_negative(a) != is_negative(b)));
}

template <class T>
T divide(FloatEnvironment& environment, T a, T b) {
    if (is_nan(a) || is_nan(b)) return first_nan(environment, {a, b});
    a = as_operand(environment, a);
    b = as_operand(environment, b);
    const bool negative = is_negative(a) != is_negative(b);
    if ((is_infinite(a) && is_infinite(b)) || (is_zero(a) && is_zero(b))) return invalid<T>(environment);
    if (is_zero(b) && !is_infinite(a)) {
        environment.raised |= simd::divide_by_zero;
        return signed_infinity<T>(negative);
    }
    note_denormals(environment, a, b);
    if (is_infinite(a)) return signed_infinity<T>(negative);
    if (is_infinite(b) || is_zero(a)) return signed_zero<T>(negative);
    const Number numerator = take_apart(a);
    const Number denominator = take_apart(b);
    const Wide wide = static_cast<Wide>(numerator.significand) << 63U;
    Wide quotient = (wide / denominator.significand) << 63U;
    if (wide % denominator.significand != 0) quotient |= 1U;
    const int zeros = leading_zeros(quotient);
    // The quotient's bit 126 stands for 2^0.
    return round_to_format<T>(
        environment, negative, numerator.exponent - denominator.exponent + 1 - zeros, quotient << zeros);
}

template <class T>
T square_root(FloatEnvironment& environment, T a) {
    if (is_nan(a)) return first_nan(environment, {a});
    a = as_operand(environment, a);
    if (is_zero(a)) return a;
    if (is_negative(a)) return invalid<T>(environment);
    if (is_infinite(a)) return a;
    note_denormals(environment, a);
    const Number number = take_apart(a);
    // An even exponent: the radicand is in [1, 4), with 126 bits below its units.
    const bool odd = (number.exponent & 1) != 0;
    const Wide radicand = static_cast<Wide>(number.significand) << (odd ? 64U : 63U);
    bool exact = false;
    Wide root = square_root_of(radicand, exact) << 64U;
    if (!exact) root |= 1U;
    return round_to_format<T>(environment, false, (number.exponent - (odd ? 1 : 0)) / 2, root);
}

template <class To, class From>
To convert(FloatEnvironment& environment, From x) {
    if (is_nan(x)) {
        if (is_signaling(x)) environment.raised |= simd::invalid;
        constexpr int shift = static_cast<int>(FloatFormat<To>::fraction_bits) -
                              static_cast<int>(FloatFormat<From>::fraction_bits);
        const auto fraction = static_cast<std::uint64_t>(x & FloatFormat<From>::fraction);
        const auto moved = shift >= 0 ? fraction << (shift & 63) : fraction >> (-shift & 63);
        return quieted(static_cast<To>(signed_infinity<To>(is_negative(x)) | static_cast<To>(moved)));
    }
    // DAZ does not concern half precision, nor do denormal halves raise #D. SDM "VCVTPH2PS".
    if constexpr (sizeof(From) > 2) {
        x = as_operand(environment, x);
        note_denormals(environment, x);
    }
    if (is_infinite(x)) return signed_infinity<To>(is_negative(x));
    if (is_zero(x)) return signed_zero<To>(is_negative(x));
    const Number number = take_apart(x);
    return round_to_format<To>(
        environment, number.negative, number.exponent, static_cast<Wide>(number.significand) << 64U);
}

template <class To>
To from_integer(FloatEnvironment& environment, std::int64_t x) {
    if (x == 0) return 0;
    const bool negative = x < 0;
    const std::uint64_t absolute =
        negative ? 0 - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x);
    const int zeros = std::countl_zero(absolute);
    return round_to_format<To>(
        environment, negative, 63 - zeros, static_cast<Wide>(absolute << zeros) << 64U);
}

template <class Int, class From>
Int to_integer(FloatEnvironment& environment, From x) {
    constexpr Int least = std::numeric_limits<Int>::min();
    constexpr int width = sizeof(Int) * 8;
    x = as_operand(environment, x);
    if (is_zero(x)) return 0;
    const bool special = is_nan(x) || is_infinite(x);
    const Number number = take_apart(x);
    if (special || number.exponent >= width) {
        environment.raised |= simd::invalid;
        return least;
    }
    Rounded rounded;
    if (number.exponent < -1)
        // Below a half: all of it is rest.
        rounded = {.kept = rounds_away(environment.rounding(), number.negative, false, 1) ? 1ULL : 0ULL,
                   .inexact = true};
    else
        rounded = round_off(environment.rounding(),
                            number.negative,
                            static_cast<Wide>(number.significand) << 63U,
                            static_cast<unsigned>(126 - number.exponent));
    const std::uint64_t limit = (1ULL << (width - 1)) - (number.negative ? 0 : 1);
    if (rounded.kept > limit) {
        environment.raised |= simd::invalid;
        return least;
    }
    if (rounded.inexact) environment.raised |= simd::precision;
    return static_cast<Int>(number.negative ? 0 - rounded.kept : rounded.kept);
}

template <class T>
T round_to_integral(FloatEnvironment& environment, T x, Inexact inexact) {
    using Format = FloatFormat<T>;
    if (is_nan(x)) return first_nan(environment, {x});
    x = as_operand(environment, x);
    if (is_infinite(x) || is_zero(x)) return x;
    const Number number = take_apart(x);
    if (number.exponent >= static_cast<int>(Format::fraction_bits)) return x;
    FloatEnvironment to_integer_exactly{environment.mxcsr};
    const std::int64_t integer = to_integer<std::int64_t>(to_integer_exactly, x);
    if (inexact == Inexact::reported) environment.raised |= to_integer_exactly.raised & simd::precision;
    if (integer == 0) return signed_zero<T>(number.negative);
    return from_integer<T>(to_integer_exactly, integer);
}

template <class T>
Relation compare(FloatEnvironment& environment, T a, T b, Comparison comparison) {
    if (is_nan(a) || is_nan(b)) {
        if (comparison == Comparison::signaling || is_signaling(a) || is_signaling(b))
            environment.raised |= simd::invalid;
        return Relation::unordered;
    }
    a = as_operand(environment, a);
    b = as_operand(environment, b);
    note_denormals(environment, a, b);
    if (is_zero(a) && is_zero(b)) return Relation::equal;
    if (a == b) return Relation::equal;
    bool less = false;
    if (is_negative(a) != is_negative(b))
        less = is_negative(a);
    else
        less = (magnitude(a) < magnitude(b)) != is_negative(a);
    return less ? Relation::less : Relation::greater;
}

template <class T>
T minimum(FloatEnvironment& environment, T a, T b) {
    const Relation relation = compare(environment, a, b, Comparison::signaling);
    return as_operand(environment, relation == Relation::less ? a : b);
}
template <class T>
T maximum(FloatEnvironment& environment, T a, T b) {
    const Relation relation = compare(environment, a, b, Comparison::signaling);
    return as_operand(environment, relation == Relation::greater ? a : b);
}

namespace {
/// A significand (bit 63 set) rounded to 12 bits of fraction, in single precision; a tiny result is zero.
std::uint32_t approximation(bool negative, int exponent, std::uint64_t significand) {
    constexpr unsigned dropped = 63 - 12;
    std::uint64_t kept = (significand >> dropped) + (significand >> (dropped - 1) & 1U);
    if (kept >> 13U != 0) {
        kept >>= 1U;
        ++exponent;
    }
    if (exponent < FloatFormat<std::uint32_t>::least_exponent) return signed_zero<std::uint32_t>(negative);
    const auto biased = static_cast<std::uint32_t>(exponent + FloatFormat<std::uint32_t>::bias);
    const auto fraction = static_cast<std::uint32_t>(kept << 11U) & FloatFormat<std::uint32_t>::fraction;
    return signed_zero<std::uint32_t>(negative) | biased << 23U | fraction;
}
}  // namespace

std::uint32_t reciprocal(std::uint32_t x) {
    if (is_nan(x)) return quieted(x);
    if (is_zero(x) || is_denormal(x)) return signed_infinity<std::uint32_t>(is_negative(x));
    if (is_infinite(x)) return signed_zero<std::uint32_t>(is_negative(x));
    const Number number = take_apart(x);
    // 2^126 / significand is in (2^62, 2^63].
    const Wide quotient = (Wide{1} << 126U) / number.significand;
    const int zeros = std::countl_zero(static_cast<std::uint64_t>(quotient));
    return approximation(number.negative,
                         -number.exponent + (zeros == 0 ? 0 : -1),
                         static_cast<std::uint64_t>(quotient) << zeros);
}

std::uint32_t reciprocal_square_root(std::uint32_t x) {
    if (is_nan(x)) return quieted(x);
    if (is_zero(x) || is_denormal(x)) return signed_infinity<std::uint32_t>(is_negative(x));
    if (is_negative(x)) return FloatFormat<std::uint32_t>::indefinite;
    if (is_infinite(x)) return 0;
    const Number number = take_apart(x);
    const bool odd = (number.exponent & 1) != 0;
    bool exact = false;
    // The root of a radicand in [1, 4), with 63 bits below its units; a reciprocal in (1/2, 1].
    const Wide root = square_root_of(static_cast<Wide>(number.significand) << (odd ? 64U : 63U), exact);
    const Wide quotient = (Wide{1} << 126U) / root;
    const int exponent = -(number.exponent - (odd ? 1 : 0)) / 2;
    const int zeros = std::countl_zero(static_cast<std::uint64_t>(quotient));
    return approximation(
        false, exponent + (zeros == 0 ? 0 : -1), static_cast<std::uint64_t>(quotient) << zeros);
}

#define INSTANTIATE(T)                                                       \
    template T multiply_add<T>(FloatEnvironment&, T, T, T, Negated);         \
    template T add<T>(FloatEnvironment&, T, T);                              \
    template T subtract<T>(FloatEnvironment&, T, T);                         \
    template T multiply<T>(FloatEnvironment&, T, T);                         \
    template T divide<T>(FloatEnvironment&, T, T);                           \
    template T square_root<T>(FloatEnvironment&, T);                         \
    template T from_integer<T>(FloatEnvironment&, std::int64_t);             \
    template std::int32_t to_integer<std::int32_t, T>(FloatEnvironment&, T); \
    template std::int64_t to_integer<std::int64_t, T>(FloatEnvironment&, T); \
    template T round_to_integral<T>(FloatEnvironment&, T, Inexact);          \
    template T minimum<T>(FloatEnvironment&, T, T);                          \
    template T maximum<T>(FloatEnvironment&, T, T);                          \
    template Relation compare<T>(FloatEnvironment&, T, T, Comparison)
INSTANTIATE(std::uint32_t);
INSTANTIATE(std::uint64_t);
#undef INSTANTIATE
template std::uint64_t convert<std::uint64_t, std::uint32_t>(FloatEnvironment&, std::uint32_t);
template std::uint32_t convert<std::uint32_t, std::uint64_t>(FloatEnvironment&, std::uint64_t);
template std::uint32_t convert<std::uint32_t, std::uint16_t>(FloatEnvironment&, std::uint16_t);
template std::uint16_t convert<std::uint16_t, std::uint32_t>(FloatEnvironment&, std::uint32_t);

}  // namespace hyperstep::cpu::soft_float
