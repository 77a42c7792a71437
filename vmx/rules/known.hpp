#pragma once
#include <cstdint>

#include "base/bits.hpp"

namespace hyperstep::vmx {

/// Kleene's three truth values: what can be said when something that matters may be unknown.
enum class Truth : std::uint8_t { no, yes, unknown };

constexpr Truth truth(bool b) {
    return b ? Truth::yes : Truth::no;
}
constexpr Truth operator!(Truth a) {
    if (a == Truth::unknown) return a;
    return a == Truth::yes ? Truth::no : Truth::yes;
}
// Both sides are always evaluated: a recording view then sees every read of a predicate.
constexpr Truth operator&&(Truth a, Truth b) {
    if (a == Truth::no || b == Truth::no) return Truth::no;
    return a == Truth::yes && b == Truth::yes ? Truth::yes : Truth::unknown;
}
constexpr Truth operator||(Truth a, Truth b) {
    return !(!a && !b);
}

/// A number all of whose bits are known. The fast path of the entry checks computes with it.
struct ExactWord {
    using Bool = bool;
    std::uint64_t raw = 0;

    constexpr ExactWord() = default;
    constexpr ExactWord(std::uint64_t value) : raw{value} {}  // NOLINT(google-explicit-constructor): literals

    template <unsigned High, unsigned Low, class T>
    constexpr auto operator[](Bits<High, Low, T> /*range*/) const {
        if constexpr (High == Low)
            return ((raw >> Low) & 1) != 0;
        else
            return ExactWord{(raw & Bits<High, Low, T>::mask) >> Low};
    }
    friend constexpr ExactWord operator&(ExactWord a, ExactWord b) { return a.raw & b.raw; }
    friend constexpr ExactWord operator|(ExactWord a, ExactWord b) { return a.raw | b.raw; }
    friend constexpr ExactWord operator~(ExactWord a) { return ~a.raw; }
    friend constexpr ExactWord operator+(ExactWord a, ExactWord b) { return a.raw + b.raw; }
    friend constexpr ExactWord operator>>(ExactWord a, unsigned n) { return n < 64 ? a.raw >> n : 0; }
    friend constexpr ExactWord operator<<(ExactWord a, unsigned n) { return n < 64 ? a.raw << n : 0; }
    friend constexpr bool operator==(ExactWord a, ExactWord b) { return a.raw == b.raw; }
    friend constexpr bool operator!=(ExactWord a, ExactWord b) { return a.raw != b.raw; }
    friend constexpr bool operator<=(ExactWord a, ExactWord b) { return a.raw <= b.raw; }
    friend constexpr bool operator<(ExactWord a, ExactWord b) { return a.raw < b.raw; }
    friend constexpr bool operator>=(ExactWord a, ExactWord b) { return a.raw >= b.raw; }
    friend constexpr bool operator>(ExactWord a, ExactWord b) { return a.raw > b.raw; }
};

/// A number some of whose bits are known. Invariant: `value` has no bit outside `known`.
/// Every operation is sound (what it calls known holds for each completion of its operands), and bitwise
/// exact.
struct PartialWord {
    using Bool = Truth;
    std::uint64_t value = 0;
    std::uint64_t known = ~0ULL;

    constexpr PartialWord() = default;
    constexpr PartialWord(std::uint64_t v) : value{v} {}  // NOLINT(google-explicit-constructor): literals
    constexpr PartialWord(std::uint64_t v, std::uint64_t k) : value{v & k}, known{k} {}

    static constexpr PartialWord nothing_known() { return {0, 0}; }
    constexpr bool fully_known() const { return known == ~0ULL; }
    constexpr std::uint64_t least() const { return value; }
    constexpr std::uint64_t most() const { return value | ~known; }

    template <unsigned High, unsigned Low, class T>
    constexpr auto operator[](Bits<High, Low, T> /*range*/) const {
        constexpr std::uint64_t mask = Bits<High, Low, T>::mask;
        if constexpr (High == Low)
            return (known & mask) == 0 ? Truth::unknown : truth((value & mask) != 0);
        else
            return PartialWord{(value & mask) >> Low, (known & mask) >> Low | ~(mask >> Low)};
    }
    friend constexpr PartialWord operator&(PartialWord a, PartialWord b) {
        const std::uint64_t zeros = (a.known & ~a.value) | (b.known & ~b.value);
        return {a.value & b.value, (a.known & b.known) | zeros};
    }
    friend constexpr PartialWord operator|(PartialWord a, PartialWord b) {
        return {a.value | b.value, (a.known & b.known) | a.value | b.value};
    }
    friend constexpr PartialWord operator~(PartialWord a) { return {~a.value, a.known}; }
    friend constexpr PartialWord operator+(PartialWord a, PartialWord b) {
        if (a.fully_known() && b.fully_known()) return a.value + b.value;
        return nothing_known();
    }
    friend constexpr PartialWord operator>>(PartialWord a, unsigned n) {
        return n < 64 ? PartialWord{a.value >> n, ~(~a.known >> n)} : PartialWord{0};
    }
    friend constexpr PartialWord operator<<(PartialWord a, unsigned n) {
        return n < 64 ? PartialWord{a.value << n, ~(~a.known << n)} : PartialWord{0};
    }
    friend constexpr Truth operator==(PartialWord a, PartialWord b) {
        if (((a.value ^ b.value) & a.known & b.known) != 0) return Truth::no;
        return a.fully_known() && b.fully_known() ? Truth::yes : Truth::unknown;
    }
    friend constexpr Truth operator!=(PartialWord a, PartialWord b) { return !(a == b); }
    friend constexpr Truth operator<=(PartialWord a, PartialWord b) {
        if (a.most() <= b.least()) return Truth::yes;
        return a.least() > b.most() ? Truth::no : Truth::unknown;
    }
    friend constexpr Truth operator<(PartialWord a, PartialWord b) { return !(b <= a); }
    friend constexpr Truth operator>=(PartialWord a, PartialWord b) { return b <= a; }
    friend constexpr Truth operator>(PartialWord a, PartialWord b) { return !(a <= b); }
};

// ---- choices: the same spelling for both kinds of word -------------------------------------------------

constexpr bool select(bool condition, bool a, bool b) {
    return condition ? a : b;
}
constexpr ExactWord select(bool condition, ExactWord a, ExactWord b) {
    return condition ? a : b;
}
/// An unknown condition does not matter where both choices agree.
constexpr Truth select(Truth condition, Truth a, Truth b) {
    if (condition == Truth::unknown) return a == b ? a : Truth::unknown;
    return condition == Truth::yes ? a : b;
}
constexpr PartialWord select(Truth condition, PartialWord a, PartialWord b) {
    if (condition != Truth::unknown) return condition == Truth::yes ? a : b;
    return {a.value, a.known & b.known & ~(a.value ^ b.value)};
}

/// No bit of `word` at or above bit `width`. An unknown width lies between 36 and 52: no processor with
/// Intel 64 and VMX has fewer than 36 physical-address bits, and the architecture ends at 52.
constexpr bool fits_in(ExactWord word, ExactWord width) {
    return width.raw >= 64 || (word >> static_cast<unsigned>(width.raw)).raw == 0;
}
constexpr Truth fits_in(PartialWord word, PartialWord width) {
    if (width.fully_known()) {
        if (width.value >= 64) return Truth::yes;
        return (word >> static_cast<unsigned>(width.value)) == PartialWord{0};
    }
    const Truth widest = (word >> 52U) == PartialWord{0};
    const Truth narrowest = (word >> 36U) == PartialWord{0};
    if (widest == Truth::no) return Truth::no;
    return narrowest == Truth::yes ? Truth::yes : Truth::unknown;
}

constexpr bool implies(bool a, bool b) {
    return !a || b;
}
constexpr Truth implies(Truth a, Truth b) {
    return !a || b;
}

}  // namespace hyperstep::vmx
