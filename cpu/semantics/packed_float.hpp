#pragma once
#include <type_traits>

#include "cpu/host_float.hpp"
#include "cpu/packed_forms.hpp"
#include "cpu/soft_float.hpp"

// The operations of floats in vector registers, for 16 bytes. SDM volume 2, the instructions by name.
namespace hyperstep::cpu::packed {

using f32 = std::uint32_t;  ///< bit pattern of a single
using f64 = std::uint64_t;

/// How many lanes an operation is on. `scalar`: the lowest; the others are the first source's.
enum class Lanewise : std::uint8_t { packed, scalar };

template <class T, Lanewise lanewise>
struct FloatOperation : PackedOperation {
    static constexpr unsigned memory_bytes = lanewise == Lanewise::scalar ? sizeof(T) : 16;
};

/// `function(a, b, place)` in every lane, or in the lowest.
template <class T, Lanewise lanewise, class Function>
Packed<16> in_lanes(const Packed<16>& a, const Packed<16>& b, Function&& function) {
    const auto left = lanes_of<T>(a);
    const auto right = lanes_of<T>(b);
    Lanes<T, 16> result = left;
    constexpr std::size_t count = lanewise == Lanewise::scalar ? 1 : result.size();
    for (std::size_t i = 0; i < count; ++i) result[i] = function(left[i], right[i], i);
    return pack(result);
}

using HostOperation = host_float::Operation;

template <class T>
T soft_arithmetic(HostOperation operation, FloatEnvironment& environment, T a, T b) {
    switch (operation) {
        case HostOperation::add: return soft_float::add(environment, a, b);
        case HostOperation::subtract: return soft_float::subtract(environment, a, b);
        case HostOperation::multiply: return soft_float::multiply(environment, a, b);
        case HostOperation::divide: return soft_float::divide(environment, a, b);
        default: return soft_float::square_root(environment, b);
    }
}

template <class T, Lanewise lanewise>
inline constexpr host_float::Shape host_shape = lanewise == Lanewise::packed
                                                    ? (sizeof(T) == 4 ? host_float::Shape::packed_single
                                                                      : host_float::Shape::packed_double)
                                                    : (sizeof(T) == 4 ? host_float::Shape::scalar_single
                                                                      : host_float::Shape::scalar_double);

/// ADD, SUB, MUL, DIV, SQRT: on the host, unless only integers can tell which exceptions there are.
template <class T, Lanewise lanewise, HostOperation operation>
struct HostArithmetic : FloatOperation<T, lanewise> {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        if (host_float::usable(environment)) [[likely]]
            return host_float::compute<operation, host_shape<T, lanewise>>(environment, a, b);
        return in_lanes<T, lanewise>(a, b, [&](T left, T right, std::size_t /*place*/) {
            return soft_arithmetic(operation, environment, left, right);
        });
    }
};

/// A function of soft_float in each lane.
template <class T, Lanewise lanewise, T (*function)(FloatEnvironment&, T, T)>
struct EachFloat : FloatOperation<T, lanewise> {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        return in_lanes<T, lanewise>(
            a, b, [&](T left, T right, std::size_t) { return function(environment, left, right); });
    }
};

/// CMPPS and its kin: 32 predicates, of which the legacy encodings have the first eight. SDM "CMPPD", table
/// of comparison predicates.
template <class T, Lanewise lanewise, unsigned predicates>
struct Compare : FloatOperation<T, lanewise> {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned immediate) {
        const unsigned predicate = immediate & (predicates - 1);
        return in_lanes<T, lanewise>(a, b, [&](T left, T right, std::size_t) {
            const auto relation = soft_float::compare(environment, left, right, comparison(predicate));
            return holds(predicate, relation) ? static_cast<T>(~T{0}) : T{0};
        });
    }

private:
    /// Of the first sixteen those on order signal at QNaNs; of the others it is the reverse.
    static soft_float::Comparison comparison(unsigned predicate) {
        const unsigned low = predicate & 3U;
        const bool on_order = low == 1 || low == 2;
        const bool reversed = (predicate & 16U) != 0;
        return on_order != reversed ? soft_float::Comparison::signaling : soft_float::Comparison::quiet;
    }
    static bool holds(unsigned predicate, soft_float::Relation relation) {
        using enum soft_float::Relation;
        const bool lt = relation == less;
        const bool eq = relation == equal;
        const bool gt = relation == greater;
        const bool un = relation == unordered;
        switch (predicate & 15U) {
            case 0: return eq;           // EQ
            case 1: return lt;           // LT
            case 2: return lt || eq;     // LE
            case 3: return un;           // UNORD
            case 4: return !eq;          // NEQ, unordered too
            case 5: return !lt;          // NLT
            case 6: return !(lt || eq);  // NLE
            case 7: return !un;          // ORD
            case 8: return eq || un;     // EQ_U
            case 9: return !(gt || eq);  // NGE
            case 10: return !gt;         // NGT
            case 11: return false;       // FALSE
            case 12: return lt || gt;    // NEQ_O
            case 13: return gt || eq;    // GE
            case 14: return gt;          // GT
            default: return true;        // TRUE
        }
    }
};

/// HADD, HSUB: the pairs of the first source, then those of the second.
template <class T, HostOperation operation>
struct HorizontalFloat : PackedOperation {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        const auto left = lanes_of<T>(a);
        const auto right = lanes_of<T>(b);
        Lanes<T, 16> even;
        Lanes<T, 16> odd;
        constexpr std::size_t half = even.size() / 2;
        for (std::size_t i = 0; i < half; ++i) {
            even[i] = left[2 * i];
            odd[i] = left[2 * i + 1];
            even[half + i] = right[2 * i];
            odd[half + i] = right[2 * i + 1];
        }
        return HostArithmetic<T, Lanewise::packed, operation>::apply(environment, pack(even), pack(odd), 0);
    }
};

/// ADDSUB: even lanes are subtracted, odd ones added.
template <class T>
struct AddSubtract : PackedOperation {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        return in_lanes<T, Lanewise::packed>(a, b, [&](T left, T right, std::size_t place) {
            return place % 2 == 0 ? soft_float::subtract(environment, left, right)
                                  : soft_float::add(environment, left, right);
        });
    }
};

/// ROUND: bits 1:0 of the immediate are a rounding, unless bit 2 asks for MXCSR's; bit 3 suppresses #P.
template <class T, Lanewise lanewise>
struct Round : FloatOperation<T, lanewise> {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned immediate) {
        const auto inexact =
            (immediate & 8U) != 0 ? soft_float::Inexact::suppressed : soft_float::Inexact::reported;
        FloatEnvironment rounding = environment;
        if ((immediate & 4U) == 0) rounding.set_rounding(static_cast<Rounding>(immediate & 3U));
        const Packed<16> result = in_lanes<T, lanewise>(
            a, b, [&](T, T x, std::size_t) { return soft_float::round_to_integral(rounding, x, inexact); });
        environment.raised |= rounding.raised;
        return result;
    }
};

/// DPPS, DPPD: the products that the immediate's high bits choose, summed by pairs, to the lanes that its low
/// bits choose. An unmasked exception of the products ends it before the sums.
template <class T>
struct DotProduct : PackedOperation {
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned immediate) {
        const auto left = lanes_of<T>(a);
        const auto right = lanes_of<T>(b);
        Lanes<T, 16> products{};
        for (std::size_t i = 0; i < products.size(); ++i)
            if ((immediate >> (4 + i) & 1U) != 0)
                products[i] = soft_float::multiply(environment, left[i], right[i]);
        Lanes<T, 16> result{};
        if (stops(environment)) return pack(result);
        T sum = soft_float::add(environment, products[0], products[1]);
        if constexpr (products.size() == 4) {
            const T upper = soft_float::add(environment, products[2], products[3]);
            if (stops(environment)) return pack(result);
            sum = soft_float::add(environment, sum, upper);
        }
        for (std::size_t i = 0; i < result.size(); ++i)
            if ((immediate >> i & 1U) != 0) result[i] = sum;
        return pack(result);
    }

private:
    static bool stops(const FloatEnvironment& environment) {
        return (environment.raised & ~(environment.mxcsr >> simd::mask_shift) & simd::all) != 0;
    }
};

/// RCP, RSQRT.
template <Lanewise lanewise, f32 (*function)(f32)>
struct Approximate : FloatOperation<f32, lanewise> {
    template <unsigned bytes>
    static Packed<16> apply(const Packed<16>& a, const Packed<16>& b, unsigned /*immediate*/) {
        return in_lanes<f32, lanewise>(a, b, [](f32, f32 x, std::size_t) { return function(x); });
    }
};

// ---- conversions between packed values
// ---------------------------------------------------------------------------

/// Lanes of From to lanes of To by `function(environment, x)`. Narrower results clear the upper half.
template <class From, class To, To (*function)(FloatEnvironment&, From)>
struct ConvertLanes : PackedOperation {
    static constexpr bool widens = sizeof(To) > sizeof(From);
    static constexpr unsigned memory_bytes = widens ? 8 : 16;
    static constexpr unsigned result_bytes = sizeof(To) < sizeof(From) ? 8 : 16;
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& /*a*/,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        const auto from = lanes_of<From>(b);
        Lanes<To, 16> result{};
        constexpr std::size_t count = std::min(from.size(), result.size());
        for (std::size_t i = 0; i < count; ++i) result[i] = function(environment, from[i]);
        return pack(result);
    }
};
/// The lowest lane of From to the lowest of To; above it is the first source.
template <class From, class To, To (*function)(FloatEnvironment&, From)>
struct ConvertLowest : PackedOperation {
    static constexpr unsigned memory_bytes = sizeof(From);
    static Packed<16> apply(FloatEnvironment& environment,
                            const Packed<16>& a,
                            const Packed<16>& b,
                            unsigned /*immediate*/) {
        auto result = lanes_of<To>(a);
        result[0] = function(environment, lanes_of<From>(b)[0]);
        return pack(result);
    }
};

template <class To>
To from_signed(FloatEnvironment& environment, std::int32_t x) {
    return soft_float::from_integer<To>(environment, x);
}
/// In MXCSR's rounding.
template <class Int, class From>
Int rounded(FloatEnvironment& environment, From x) {
    return soft_float::to_integer<Int>(environment, x);
}
/// Toward zero: the CVTT instructions.
template <class Int, class From>
Int truncated(FloatEnvironment& environment, From x) {
    FloatEnvironment toward_zero = environment;
    toward_zero.set_rounding(Rounding::zero);
    const Int result = soft_float::to_integer<Int>(toward_zero, x);
    environment.raised |= toward_zero.raised;
    return result;
}

}  // namespace hyperstep::cpu::packed
