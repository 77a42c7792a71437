#pragma once
#include <cstdint>
#include <type_traits>

namespace hyperstep {

/// Bits high..low of a word, numbered as the manuals print them. One bit reads as bool, more as T.
template <unsigned High, unsigned Low = High, class T = std::conditional_t<High == Low, bool, std::uint64_t>>
struct Bits {
    static_assert(Low <= High && High < 64, "write a range as Bits<high, low>");
    using Value = T;
    static constexpr unsigned high = High;
    static constexpr unsigned low = Low;
    /// The bits of the range, in place.
    static constexpr std::uint64_t mask = (~0ULL >> (63 - (High - Low))) << Low;

    static constexpr T get(std::uint64_t word) { return static_cast<T>((word & mask) >> Low); }
    /// `word` with the range replaced; bits of `value` beyond the range are dropped.
    static constexpr std::uint64_t put(std::uint64_t word, T value) {
        return (word & ~mask) | ((static_cast<std::uint64_t>(value) << Low) & mask);
    }
};

/// One architectural word. Each register derives a type of its own, so that a Cr0 never passes for a Cr4.
/// `reg[field]` reads a range; `reg.with(field, value)` is a changed copy.
template <class Self>
struct Register {
    std::uint64_t raw = 0;

    template <class Range>
    constexpr auto operator[](Range /*range*/) const {
        return Range::get(raw);
    }
    template <class Range>
    [[nodiscard]] constexpr Self with(Range /*range*/, typename Range::Value value) const {
        Self changed{};
        changed.raw = Range::put(raw, value);
        return changed;
    }
    friend constexpr bool operator==(const Register& a, const Register& b) { return a.raw == b.raw; }
};

}  // namespace hyperstep
