#pragma once
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "cpu/packed_forms.hpp"

// The operations of packed integers, for 8 and for 16 bytes. SDM volume 2, the instructions by name.
namespace hyperstep::cpu::packed {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

// ---- one lane
// ----------------------------------------------------------------------------------------------------

/// The result in a lane of T, the bits above it dropped.
template <class T, class Wide>
constexpr T truncate(Wide value) {
    return static_cast<T>(value);
}
template <class T, class Wide>
constexpr T saturate(Wide value) {
    return static_cast<T>(
        std::clamp<Wide>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}
template <class T>
constexpr T ones_if(bool condition) {
    return condition ? static_cast<T>(~T{0}) : T{0};
}

template <class T>
constexpr T add(T a, T b) {
    return truncate<T>(u64{a} + u64{b});
}
template <class T>
constexpr T subtract(T a, T b) {
    return truncate<T>(u64{a} - u64{b});
}
template <class T>
constexpr T add_saturated(T a, T b) {
    return saturate<T>(int{a} + int{b});
}
template <class T>
constexpr T subtract_saturated(T a, T b) {
    return saturate<T>(int{a} - int{b});
}
constexpr u64 bit_and(u64 a, u64 b) {
    return a & b;
}
constexpr u64 bit_and_not(u64 a, u64 b) {
    return ~a & b;
}
constexpr u64 bit_or(u64 a, u64 b) {
    return a | b;
}
constexpr u64 bit_xor(u64 a, u64 b) {
    return a ^ b;
}
template <class T>
constexpr T average(T a, T b) {
    return truncate<T>((u32{a} + u32{b} + 1) >> 1U);
}
template <class T>
constexpr T maximum(T a, T b) {
    return std::max(a, b);
}
template <class T>
constexpr T minimum(T a, T b) {
    return std::min(a, b);
}
template <class T>
constexpr T equal(T a, T b) {
    return ones_if<T>(a == b);
}
template <class T>
constexpr T greater(T a, T b) {
    return ones_if<T>(a > b);
}
template <class T>
constexpr T multiply_low(T a, T b) {
    return truncate<T>(static_cast<u64>(s64{a} * s64{b}));
}
template <class T>
constexpr T multiply_high(T a, T b) {
    return truncate<T>((int{a} * int{b}) >> 16U);
}
constexpr u16 multiply_high_unsigned(u16 a, u16 b) {
    return truncate<u16>((u32{a} * u32{b}) >> 16U);
}
constexpr s16 multiply_high_rounded(s16 a, s16 b) {
    return truncate<s16>((((int{a} * int{b}) >> 14U) + 1) >> 1U);
}
template <class T>
constexpr T negate(T a) {
    return truncate<T>(u64{0} - static_cast<u64>(a));
}
template <class T>
constexpr T with_sign(T a, T b) {
    return b < 0 ? negate(a) : b == 0 ? T{0} : a;
}
template <class T>
constexpr T absolute(T /*unused*/, T b) {
    return b < 0 ? negate(b) : b;
}

/// The same function in every lane of T.
template <class T, T (*function)(T, T)>
struct Each : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<T>(a);
        const auto right = lanes_of<T>(b);
        Lanes<T, bytes> result;
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = function(left[i], right[i]);
        return pack(result);
    }
};

// ---- neighbouring lanes
// ------------------------------------------------------------------------------------------

/// Each lane of the result is of two lanes beside each other of To's half size.
template <class From, class FromB, class To, To (*function)(From, FromB, From, FromB)>
struct EachPair : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<From>(a);
        const auto right = lanes_of<FromB>(b);
        Lanes<To, bytes> result;
        for (std::size_t i = 0; i < result.size(); ++i)
            result[i] = function(left[2 * i], right[2 * i], left[2 * i + 1], right[2 * i + 1]);
        return pack(result);
    }
};
/// PMADDWD: only -32768 four times does not fit, and wraps.
constexpr s32 multiply_add_words(s16 a0, s16 b0, s16 a1, s16 b1) {
    return truncate<s32>(s64{a0} * b0 + s64{a1} * b1);
}
constexpr s16 multiply_add_bytes(u8 a0, s8 b0, u8 a1, s8 b1) {
    return saturate<s16>(int{a0} * b0 + int{a1} * b1);
}
constexpr u64 multiply_even_unsigned(u32 a0, u32 b0, u32 /*a1*/, u32 /*b1*/) {
    return u64{a0} * b0;
}
constexpr s64 multiply_even(s32 a0, s32 b0, s32 /*a1*/, s32 /*b1*/) {
    return s64{a0} * b0;
}

/// PHADD, PHSUB: the pairs of the first source, then those of the second.
template <class T, T (*function)(T, T)>
struct Horizontal : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<T>(a);
        const auto right = lanes_of<T>(b);
        Lanes<T, bytes> result;
        constexpr std::size_t half = result.size() / 2;
        for (std::size_t i = 0; i < half; ++i) {
            result[i] = function(left[2 * i], left[2 * i + 1]);
            result[half + i] = function(right[2 * i], right[2 * i + 1]);
        }
        return pack(result);
    }
};

/// PSADBW: the sum of the differences of eight bytes.
struct SumOfDifferences : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<u8>(a);
        const auto right = lanes_of<u8>(b);
        Packed<bytes> result{};
        for (std::size_t i = 0; i < bytes; ++i)
            result[i / 8] += static_cast<u64>(std::abs(int{left[i]} - int{right[i]}));
        return result;
    }
};

// ---- moving lanes
// ------------------------------------------------------------------------------------------------

/// PACKSS, PACKUS: lanes of the half size, saturated.
template <class From, class To>
struct Narrow : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<From>(a);
        const auto right = lanes_of<From>(b);
        Lanes<To, bytes> result;
        for (std::size_t i = 0; i < left.size(); ++i) {
            result[i] = saturate<To>(left[i]);
            result[left.size() + i] = saturate<To>(right[i]);
        }
        return pack(result);
    }
};

enum class Part : std::uint8_t { low, high };
/// PUNPCKL, PUNPCKH: lanes of the low or high halves, in turn.
template <class T, Part part>
struct Interleave : PackedOperation {
    static constexpr unsigned mmx_memory_bytes = part == Part::low ? 4 : 8;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto left = lanes_of<T>(a);
        const auto right = lanes_of<T>(b);
        Lanes<T, bytes> result;
        constexpr std::size_t from = part == Part::high ? result.size() / 2 : 0;
        for (std::size_t i = 0; i < result.size() / 2; ++i) {
            result[2 * i] = left[from + i];
            result[2 * i + 1] = right[from + i];
        }
        return pack(result);
    }
};

struct ShuffleBytes : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto from = lanes_of<u8>(a);
        const auto choice = lanes_of<u8>(b);
        Lanes<u8, bytes> result;
        for (std::size_t i = 0; i < bytes; ++i)
            result[i] = (choice[i] & 0x80U) != 0 ? u8{0} : from[choice[i] & (bytes - 1)];
        return pack(result);
    }
};

/// PSHUFD, PSHUFW, PSHUFLW, PSHUFHW: four lanes from `first` on, each chosen by two bits of the immediate.
template <class T, unsigned first>
struct ShuffleFour : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned immediate) {
        const auto from = lanes_of<T>(b);
        auto result = from;
        if constexpr (first + 4 <= result.size())
            for (std::size_t i = 0; i < 4; ++i) result[first + i] = from[first + (immediate >> (2 * i) & 3U)];
        return pack(result);
    }
};

/// SHUFPS: two lanes of the first source, then two of the second.
struct ShuffleSingles : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        const auto left = lanes_of<u32>(a);
        const auto right = lanes_of<u32>(b);
        return pack(std::array{left[immediate & 3U],
                               left[immediate >> 2U & 3U],
                               right[immediate >> 4U & 3U],
                               right[immediate >> 6U & 3U]});
    }
};
struct ShuffleDoubles : PackedOperation {
    static constexpr unsigned immediate_shift = 2;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        return {a[immediate & 1U], b[immediate >> 1U & 1U]};
    }
};
/// MOVSLDUP, MOVSHDUP: the even (0) or odd (1) lanes, each twice.
template <class T, unsigned which>
struct Duplicate : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto from = lanes_of<T>(b);
        Lanes<T, bytes> result;
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = from[i / 2 * 2 + which];
        return pack(result);
    }
};
/// MOVDDUP. Of 128 bits it reads 64 of memory, of 256 bits all 256, 16 bytes a half.
template <unsigned read_bytes>
struct DuplicateDouble : PackedOperation {
    static constexpr unsigned memory_bytes = read_bytes;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned /*immediate*/) {
        return {b[0], b[0]};
    }
};

/// PALIGNR: the sources as one value of twice the size, shifted right by bytes.
struct AlignRight : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        const auto high = lanes_of<u8>(a);
        const auto low = lanes_of<u8>(b);
        Lanes<u8, bytes> result{};
        for (std::size_t i = 0; i < bytes; ++i) {
            const std::size_t from = i + immediate;
            if (from < bytes)
                result[i] = low[from];
            else if (from < std::size_t{2} * bytes)
                result[i] = high[from - bytes];
        }
        return pack(result);
    }
};

/// PBLENDW, BLENDPS, BLENDPD: a bit of the immediate for each lane of T.
template <class T, unsigned shift = 0>
struct BlendByImmediate : PackedOperation {
    static constexpr unsigned immediate_shift = shift;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        auto result = lanes_of<T>(a);
        const auto other = lanes_of<T>(b);
        for (std::size_t i = 0; i < result.size(); ++i)
            if ((immediate >> i & 1U) != 0) result[i] = other[i];
        return pack(result);
    }
};

/// PMOVSX, PMOVZX: the low lanes, made wider.
template <class From, class To>
struct Widen : PackedOperation {
    static constexpr unsigned memory_bytes = 16 * sizeof(From) / sizeof(To);
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto from = lanes_of<From>(b);
        Lanes<To, bytes> result;
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<To>(from[i]);
        return pack(result);
    }
};

// ---- shifts
// ------------------------------------------------------------------------------------------------------

template <class T>
constexpr T shift_left(T value, u64 count) {
    return count >= sizeof(T) * 8 ? T{0} : truncate<T>(static_cast<u64>(value) << count);
}
template <class T>
constexpr T shift_right(T value, u64 count) {
    return count >= sizeof(T) * 8 ? T{0} : truncate<T>(value >> count);
}
/// Of a signed T.
template <class T>
constexpr T shift_right_signed(T value, u64 count) {
    return truncate<T>(value >> std::min<u64>(count, sizeof(T) * 8 - 1));
}

/// Every lane by the count in the low quadword of the second source.
template <class T, T (*function)(T, u64)>
struct ShiftByCount : PackedOperation {
    static constexpr bool shared_source = true;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        auto result = lanes_of<T>(a);
        for (T& lane : result) lane = function(lane, b[0]);
        return pack(result);
    }
};
template <class T, T (*function)(T, u64)>
struct ShiftByImmediate : PackedOperation {
    static constexpr bool in_place = true;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned immediate) {
        auto result = lanes_of<T>(b);
        for (T& lane : result) lane = function(lane, immediate);
        return pack(result);
    }
};
/// Every lane by the lane of the second source.
template <class T, T (*function)(T, u64)>
struct ShiftEach : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        auto result = lanes_of<T>(a);
        const auto counts = lanes_of<std::make_unsigned_t<T>>(b);
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = function(result[i], counts[i]);
        return pack(result);
    }
};
/// PSLLDQ, PSRLDQ: the whole by bytes.
template <Part toward>
struct ShiftWhole : PackedOperation {
    static constexpr bool in_place = true;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned immediate) {
        const auto from = lanes_of<u8>(b);
        Lanes<u8, bytes> result{};
        for (std::size_t i = immediate; i < bytes; ++i) {
            if constexpr (toward == Part::high)
                result[i] = from[i - immediate];
            else
                result[i - immediate] = from[i];
        }
        return pack(result);
    }
};

// ---- of SSE4.1
// ---------------------------------------------------------------------------------------------------

/// MPSADBW: sums of the differences of four bytes, at eight places.
struct MultipleSums : PackedOperation {
    static constexpr unsigned immediate_shift = 3;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        const auto left = lanes_of<u8>(a);
        const auto right = lanes_of<u8>(b);
        const std::size_t left_at = (immediate >> 2U & 1U) * 4;
        const std::size_t right_at = (immediate & 3U) * 4;
        Lanes<u16, bytes> result{};
        for (std::size_t i = 0; i < 8; ++i) {
            int sum = 0;
            for (std::size_t k = 0; k < 4; ++k)
                sum += std::abs(int{left[left_at + i + k]} - int{right[right_at + k]});
            result[i] = truncate<u16>(sum);
        }
        return pack(result);
    }
};

/// PHMINPOSUW: the least word, and where it first is.
struct LeastWord : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto words = lanes_of<u16>(b);
        const auto least = std::min_element(words.begin(), words.end());
        return {static_cast<u64>(least - words.begin()) << 16U | *least, 0};
    }
};

}  // namespace hyperstep::cpu::packed
