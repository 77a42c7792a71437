#pragma once
#include <concepts>
#include <cstdint>

// The IEEE 754 formats of SIMD arithmetic, as bit patterns: half, single and double in 16, 32 and 64 bits.
// SDM "Floating-Point Data Types".
namespace hyperstep::cpu {

template <std::unsigned_integral T>
struct FloatFormat {
    static constexpr unsigned fraction_bits = sizeof(T) == 2 ? 10 : sizeof(T) == 4 ? 23 : 52;
    static constexpr unsigned exponent_bits = sizeof(T) * 8 - 1 - fraction_bits;
    static constexpr int bias = (1 << (exponent_bits - 1)) - 1;
    static constexpr int least_exponent = 1 - bias;  ///< of normal numbers
    static constexpr int greatest_exponent = bias;
    static constexpr T sign = static_cast<T>(T{1} << (sizeof(T) * 8 - 1));
    static constexpr T fraction = static_cast<T>((T{1} << fraction_bits) - 1);
    static constexpr T infinity = static_cast<T>(static_cast<T>(~sign) & static_cast<T>(~fraction));
    static constexpr T quiet = static_cast<T>(T{1} << (fraction_bits - 1));
    /// SDM "QNaN Floating-Point Indefinite".
    static constexpr T indefinite = static_cast<T>(sign | infinity | quiet);
    static constexpr T one = static_cast<T>(static_cast<T>(bias) << fraction_bits);
    static constexpr T greatest = static_cast<T>(infinity - 1);
};

template <class T>
constexpr T magnitude(T x) {
    return static_cast<T>(x & static_cast<T>(~FloatFormat<T>::sign));
}
template <class T>
constexpr bool is_negative(T x) {
    return (x & FloatFormat<T>::sign) != 0;
}
template <class T>
constexpr bool is_nan(T x) {
    return magnitude(x) > FloatFormat<T>::infinity;
}
template <class T>
constexpr bool is_signaling(T x) {
    return is_nan(x) && (x & FloatFormat<T>::quiet) == 0;
}
template <class T>
constexpr bool is_infinite(T x) {
    return magnitude(x) == FloatFormat<T>::infinity;
}
template <class T>
constexpr bool is_zero(T x) {
    return magnitude(x) == 0;
}
template <class T>
constexpr bool is_denormal(T x) {
    return (x & FloatFormat<T>::infinity) == 0 && (x & FloatFormat<T>::fraction) != 0;
}
template <class T>
constexpr T quieted(T nan) {
    return static_cast<T>(nan | FloatFormat<T>::quiet);
}
template <class T>
constexpr T signed_zero(bool negative) {
    return negative ? FloatFormat<T>::sign : T{0};
}
template <class T>
constexpr T signed_infinity(bool negative) {
    return static_cast<T>(signed_zero<T>(negative) | FloatFormat<T>::infinity);
}

}  // namespace hyperstep::cpu
