#include "cpu/quad.hpp"

#include <bit>
#include <cmath>

namespace hyperstep::cpu {
namespace {

struct QuadBits {
    std::uint64_t low = 0;
    std::uint64_t high = 0;  ///< sign, 15 bits of exponent, 48 of the fraction
};

Quad from_bits(const QuadBits& bits) {
    return std::bit_cast<Quad>(bits);
}
QuadBits bits_of_quad(Quad value) {
    return std::bit_cast<QuadBits>(value);
}

/// A quotient of small integers.
Quad over(unsigned divisor) {
    return Quad{1} / static_cast<Quad>(divisor);
}

// ln 2 and pi to 113 bits, as sums of parts that a double holds exactly would need three; the bits are given
// instead. pi = 1.921fb54442d18469898cc51701b8 x 2, ln 2 = 1.62e42fefa39ef35793c7673007e6 / 2 (hexadecimal
// fractions).
constexpr QuadBits pi_bits{0x8469'898c'c517'01b8, 0x4000'921f'b544'42d1};
constexpr QuadBits ln_2_bits{0xf357'93c7'6730'07e6, 0x3ffe'62e4'2fef'a39e};

}  // namespace

Quad pi() {
    return from_bits(pi_bits);
}

Quad ln_2() {
    return from_bits(ln_2_bits);
}

Quad to_quad(const Float80& value) {
    const std::uint64_t sign = static_cast<std::uint64_t>(value.sign_exponent >> 15) << 63;
    std::uint64_t exponent = value.sign_exponent & 0x7fff;
    std::uint64_t significand = value.significand;
    if (significand == 0) return from_bits({0, sign});
    if (exponent == 0 && significand >> 63 != 0) exponent = 1;  // a pseudo-denormal
    // Both formats have their denormals at the same exponent: the fraction is what follows the integer bit.
    significand = exponent == 0 ? significand << 1 >> 1 : significand & ~(1ULL << 63);
    return from_bits({significand << 49, sign | exponent << 48 | significand >> 15});
}

Truncated truncate(Quad value) {
    const QuadBits bits = bits_of_quad(value);
    const std::uint64_t exponent = bits.high >> 48 & 0x7fff;
    const std::uint64_t fraction = (bits.high & 0xffff'ffff'ffff) << 15 | bits.low >> 49;  // 63 bits
    Truncated result;
    result.value.sign_exponent = static_cast<std::uint16_t>(bits.high >> 48);
    result.value.significand = exponent == 0 ? fraction : fraction | 1ULL << 63;
    result.inexact = (bits.low & ((1ULL << 49) - 1)) != 0;
    result.tiny = exponent == 0;
    return result;
}

Quad sine(Quad angle) {
    const Quad square = angle * angle;
    Quad sum = 0;
    for (unsigned k = 33; k >= 3; k -= 2) sum = (1 - sum) * square * over(k * (k - 1));
    return angle - angle * sum;
}

Quad cosine(Quad angle) {
    const Quad square = angle * angle;
    Quad sum = 0;
    for (unsigned k = 32; k >= 2; k -= 2) sum = (1 - sum) * square * over(k * (k - 1));
    return 1 - sum;
}

Quad arctangent(Quad ratio) {
    // Twice the half angle: tan(a/2) = t / (1 + sqrt(1 + t^2)).
    Quad t = ratio;
    for (int halving = 0; halving < 2; ++halving) {
        const Quad square = 1 + t * t;
        Quad root = std::sqrt(static_cast<double>(square));
        for (int i = 0; i < 2; ++i) root = (root + square / root) / 2;
        t = t / (1 + root);
    }
    const Quad square = t * t;
    Quad sum = 0;
    for (unsigned k = 57; k >= 3; k -= 2) sum = square * (over(k) - sum);
    return 4 * (t - t * sum);
}

Quad exponential_minus_1(Quad power) {
    Quad sum = 0;
    for (unsigned k = 32; k >= 2; --k) sum = (1 + sum) * power * over(k);
    return power + power * sum;
}

Quad log2_of_1_plus(Quad z) {
    // ln(1 + z) = 2 artanh(z / (2 + z)).
    const Quad t = z / (2 + z);
    const Quad square = t * t;
    Quad sum = 0;
    for (unsigned k = 53; k >= 3; k -= 2) sum = square * (over(k) + sum);
    return 2 * (t + t * sum) / ln_2();
}

}  // namespace hyperstep::cpu
