#pragma once
#include "cpu/packed.hpp"
#include "cpu/simd_exceptions.hpp"

// The five operations that IEEE 754 defines to the last bit, by the host's own SSE2 instructions. Every x86
// processor gives the same results and flags for them; `environment` is loaded for one instruction and the
// host's MXCSR restored. All exceptions are masked meanwhile: the flags are right only if overflow and
// underflow are masked in `environment` too.
namespace hyperstep::cpu::host_float {

enum class Operation : std::uint8_t { add, subtract, multiply, divide, square_root };
enum class Shape : std::uint8_t { packed_single, packed_double, scalar_single, scalar_double };

/// Scalar shapes keep the upper lanes of a. The square root is of b.
template <Operation operation, Shape shape>
Packed<16> compute(FloatEnvironment& environment, const Packed<16>& a, const Packed<16>& b);

/// Whether compute() may be used.
inline bool usable(const FloatEnvironment& environment) {
    constexpr std::uint32_t masks = (simd::overflow | simd::underflow) << simd::mask_shift;
    return (environment.mxcsr & masks) == masks;
}

}  // namespace hyperstep::cpu::host_float
