#pragma once
#include <cstdint>

#include "cpu/simd_exceptions.hpp"

// Floating-point arithmetic in integers, exact on every host: results, NaNs and exceptions as SDM "SSE and
// SSE2 Floating-Point Exceptions" and "NaNs" have them. T is the bit pattern: 16, 32 or 64 bits
// (cpu/float_format.hpp). If an exception is not masked, its flag is raised as the processor would; the
// result has no meaning then.
namespace hyperstep::cpu::soft_float {

__extension__ using Wide = unsigned __int128;

/// Which parts of a fused multiply-add are negated. A NaN keeps its sign.
struct Negated {
    bool product = false;
    bool addend = false;
};

/// a * b + c, rounded once. Of several NaNs the first of a, b, c counts.
template <class T>
T multiply_add(FloatEnvironment& environment, T a, T b, T c, Negated negated = {});
template <class T>
T add(FloatEnvironment& environment, T a, T b);
template <class T>
T subtract(FloatEnvironment& environment, T a, T b);
template <class T>
T multiply(FloatEnvironment& environment, T a, T b);
template <class T>
T divide(FloatEnvironment& environment, T a, T b);
template <class T>
T square_root(FloatEnvironment& environment, T a);

/// From one format to another.
template <class To, class From>
To convert(FloatEnvironment& environment, From x);
template <class To>
To from_integer(FloatEnvironment& environment, std::int64_t x);
/// To a signed integer of Int's size, in the environment's rounding. The integer indefinite (the least
/// integer) and #I if it does not fit.
template <class Int, class From>
Int to_integer(FloatEnvironment& environment, From x);

/// Whether a result that is rounded to an integer reports that it was not one.
enum class Inexact : std::uint8_t { reported, suppressed };
/// ROUNDSS and its kin: a float that is integral, in the environment's rounding.
template <class T>
T round_to_integral(FloatEnvironment& environment, T x, Inexact inexact);

/// MINSS, MAXSS: the second operand if either is a NaN, or both are zero.
template <class T>
T minimum(FloatEnvironment& environment, T a, T b);
template <class T>
T maximum(FloatEnvironment& environment, T a, T b);

enum class Relation : std::uint8_t { less, equal, greater, unordered };
/// Which NaNs are an invalid operation.
enum class Comparison : std::uint8_t { quiet, signaling };
template <class T>
Relation compare(FloatEnvironment& environment, T a, T b, Comparison comparison);

/// 1 / x and 1 / sqrt(x) with a relative error below 2^-12.5: RCPSS, RSQRTSS. Their results are rounded to 12
/// bits of fraction. (The manual asks for 1.5 * 2^-12.) No exception is reported.
std::uint32_t reciprocal(std::uint32_t x);
std::uint32_t reciprocal_square_root(std::uint32_t x);

}  // namespace hyperstep::cpu::soft_float
