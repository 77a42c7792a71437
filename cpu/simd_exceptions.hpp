#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

// MXCSR, and the exceptions of SIMD floating-point arithmetic. SDM "MXCSR Control and Status Register",
// "SSE, SSE2, and SSE3 Exceptions".
namespace hyperstep::cpu {

/// The six exceptions as bits of MXCSR 5:0. Their masks are seven bits above.
namespace simd {
inline constexpr std::uint32_t invalid = 1;
inline constexpr std::uint32_t denormal = 2;
inline constexpr std::uint32_t divide_by_zero = 4;
inline constexpr std::uint32_t overflow = 8;
inline constexpr std::uint32_t underflow = 16;
inline constexpr std::uint32_t precision = 32;
inline constexpr std::uint32_t all = 63;
/// Those that are found before the result is computed.
inline constexpr std::uint32_t before_computation = invalid | denormal | divide_by_zero;
inline constexpr unsigned mask_shift = 7;
inline constexpr std::uint32_t denormals_are_zeros = 1U << 6U;
inline constexpr unsigned rounding_shift = 13;
inline constexpr std::uint32_t flush_to_zero = 1U << 15U;
}  // namespace simd

/// As MXCSR.RC and the immediates of ROUND encode it.
enum class Rounding : std::uint8_t { nearest, down, up, zero };

/// In what an operation computes, and the exceptions that it found.
struct FloatEnvironment {
    std::uint32_t mxcsr = 0x1f80;
    std::uint32_t raised = 0;  ///< bits of `simd`

    Rounding rounding() const { return static_cast<Rounding>(mxcsr >> simd::rounding_shift & 3U); }
    void set_rounding(Rounding mode) {
        mxcsr = (mxcsr & ~(3U << simd::rounding_shift)) | static_cast<std::uint32_t>(mode)
                                                              << simd::rounding_shift;
    }
    bool masked(std::uint32_t exception) const { return (mxcsr >> simd::mask_shift & exception) != 0; }
    bool denormals_are_zeros() const { return (mxcsr & simd::denormals_are_zeros) != 0; }
    /// Flush-to-zero is ignored while underflow is unmasked.
    bool flushes_to_zero() const { return (mxcsr & simd::flush_to_zero) != 0 && masked(simd::underflow); }
};

/// Sets the flags of MXCSR. #XM if an exception that was found is not masked; #UD instead if CR4.OSXMMEXCPT
/// is 0. If an unmasked one is of those before the computation, the others have not been looked for.
inline Outcome signal_exceptions(Cpu& cpu, const FloatEnvironment& environment) {
    std::uint32_t raised = environment.raised;
    const std::uint32_t unmasked = raised & ~(cpu.state.mxcsr >> simd::mask_shift) & simd::all;
    if (unmasked == 0) [[likely]] {
        cpu.state.mxcsr |= raised;
        return {};
    }
    if ((unmasked & simd::before_computation) != 0) raised &= simd::before_computation;
    cpu.state.mxcsr |= raised;
    return cpu.cr4()[Cr4::osxmmexcpt] ? raise(Vector::xm) : undefined_opcode();
}

}  // namespace hyperstep::cpu
