#pragma once
#include <bit>

#include "cpu/float_format.hpp"
#include "cpu/soft_float.hpp"

// What the operations of soft_float are made of: numbers taken apart, and rounding.
namespace hyperstep::cpu::soft_float {

/// A finite number other than zero: significand * 2^(exponent - 63), the significand's bit 63 being set. Zero
/// has a significand of 0.
struct Number {
    bool negative = false;
    int exponent = 0;
    std::uint64_t significand = 0;
};

template <class T>
Number take_apart(T x) {
    using Format = FloatFormat<T>;
    const auto fraction = static_cast<std::uint64_t>(x & Format::fraction);
    const int biased = static_cast<int>((x & Format::infinity) >> Format::fraction_bits);
    Number number{.negative = is_negative(x), .exponent = biased - Format::bias};
    constexpr unsigned shift = 63 - Format::fraction_bits;
    number.significand = fraction << shift;
    if (biased != 0) {
        number.significand |= 1ULL << 63U;
    } else if (fraction != 0) {
        const int zeros = std::countl_zero(number.significand);
        number.significand <<= zeros;
        number.exponent = Format::least_exponent - zeros;
    }
    return number;
}

inline int leading_zeros(Wide value) {
    const auto high = static_cast<std::uint64_t>(value >> 64U);
    return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<std::uint64_t>(value));
}
/// A right shift that keeps in bit 0 whether anything was lost.
inline Wide shift_right_sticky(Wide value, unsigned count) {
    if (count == 0) return value;
    if (count >= 128) return value != 0 ? 1 : 0;
    const Wide lost = value << (128 - count);
    return value >> count | (lost != 0 ? 1U : 0U);
}

/// Whether a value between two neighbours goes to the one of greater magnitude. `rest` is the part between
/// them, its top bit being one half.
inline bool rounds_away(Rounding rounding, bool negative, bool odd, Wide rest) {
    constexpr Wide half = Wide{1} << 127U;
    switch (rounding) {
        case Rounding::nearest: return rest > half || (rest == half && odd);
        case Rounding::down: return negative && rest != 0;
        case Rounding::up: return !negative && rest != 0;
        case Rounding::zero: break;
    }
    return false;
}

struct Rounded {
    std::uint64_t kept = 0;
    bool inexact = false;
};
/// The top bits of `significand`, all but `dropped` (1 to 127), rounded.
inline Rounded round_off(Rounding rounding, bool negative, Wide significand, unsigned dropped) {
    auto kept = static_cast<std::uint64_t>(significand >> dropped);
    const Wide rest = significand << (128 - dropped);
    if (rounds_away(rounding, negative, (kept & 1) != 0, rest)) ++kept;
    return {.kept = kept, .inexact = rest != 0};
}

template <class T>
T overflowed(FloatEnvironment& environment, bool negative, bool inexact) {
    environment.raised |= simd::overflow;
    if (inexact || environment.masked(simd::overflow)) environment.raised |= simd::precision;
    const Rounding rounding = environment.rounding();
    const bool to_infinity =
        rounding == Rounding::nearest || rounding == (negative ? Rounding::down : Rounding::up);
    return to_infinity ? signed_infinity<T>(negative)
                       : static_cast<T>(signed_zero<T>(negative) | FloatFormat<T>::greatest);
}

/// A tiny result: one that, rounded as if exponents had no bound, is below the least normal number. That
/// rounding's inexactness is #P if #U is not masked.
template <class T>
T underflowed(FloatEnvironment& environment, bool negative, int exponent, Wide significand, bool inexact) {
    using Format = FloatFormat<T>;
    if (!environment.masked(simd::underflow)) {
        environment.raised |= simd::underflow | (inexact ? simd::precision : 0);
        return signed_zero<T>(negative);
    }
    if (environment.flushes_to_zero()) {
        environment.raised |= simd::underflow | simd::precision;
        return signed_zero<T>(negative);
    }
    const auto down = static_cast<unsigned>(Format::least_exponent - exponent);
    const Wide shifted = shift_right_sticky(significand, down);
    const Rounded rounded = round_off(environment.rounding(), negative, shifted, 127 - Format::fraction_bits);
    if (rounded.inexact) environment.raised |= simd::underflow | simd::precision;
    // A carry into the place of the exponent makes the least normal number.
    return static_cast<T>(signed_zero<T>(negative) | static_cast<T>(rounded.kept));
}

/// significand * 2^(exponent - 127) in format T. Bit 127 of the significand is set; bit 0 may stand for all
/// that is below it.
template <class T>
T round_to_format(FloatEnvironment& environment, bool negative, int exponent, Wide significand) {
    using Format = FloatFormat<T>;
    const Rounded rounded =
        round_off(environment.rounding(), negative, significand, 127 - Format::fraction_bits);
    std::uint64_t kept = rounded.kept;
    int kept_exponent = exponent;
    if (kept >> (Format::fraction_bits + 1) != 0) {
        kept >>= 1U;
        ++kept_exponent;
    }
    if (kept_exponent < Format::least_exponent)
        return underflowed<T>(environment, negative, exponent, significand, rounded.inexact);
    if (kept_exponent > Format::greatest_exponent)
        return overflowed<T>(environment, negative, rounded.inexact);
    if (rounded.inexact) environment.raised |= simd::precision;
    const auto biased = static_cast<T>(kept_exponent + Format::bias);
    return static_cast<T>(signed_zero<T>(negative) | static_cast<T>(biased << Format::fraction_bits) |
                          (static_cast<T>(kept) & Format::fraction));
}

/// A denormal operand as zero if MXCSR.DAZ says so.
template <class T>
T as_operand(const FloatEnvironment& environment, T x) {
    return environment.denormals_are_zeros() && is_denormal(x) ? signed_zero<T>(is_negative(x)) : x;
}
template <class T>
T invalid(FloatEnvironment& environment) {
    environment.raised |= simd::invalid;
    return FloatFormat<T>::indefinite;
}

}  // namespace hyperstep::cpu::soft_float
