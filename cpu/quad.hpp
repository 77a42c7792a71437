#pragma once
#include "cpu/state.hpp"

// Numbers of 113 bits, on which the transcendental x87 instructions compute. The compiler's run-time library
// has their arithmetic in integers, rounded to nearest.
namespace hyperstep::cpu {

__extension__ using Quad = __float128;

/// A finite number; what is neither zero, normal nor denormal may not be given.
Quad to_quad(const Float80& value);

/// The number rounded towards zero to 64 bits, and whether more bits followed. Zero for zero. Below the
/// smallest denormal the value is 0 with `inexact`. Beyond the greatest: infinity's exponent.
struct Truncated {
    Float80 value;
    bool inexact = false;
    bool tiny = false;  ///< below the smallest normal number
};
Truncated truncate(Quad value);

Quad sine(Quad angle);                 ///< |angle| <= pi/4
Quad cosine(Quad angle);               ///< |angle| <= pi/4
Quad arctangent(Quad ratio);           ///< 0 <= ratio <= 1
Quad exponential_minus_1(Quad power);  ///< of e; |power| <= 1
/// log2(1 + z), of 1 + z from sqrt(1/2) to sqrt(2).
Quad log2_of_1_plus(Quad z);
Quad pi();
Quad ln_2();

}  // namespace hyperstep::cpu
