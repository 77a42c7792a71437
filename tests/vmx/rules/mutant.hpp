#pragma once
#include <cstdint>
#include <string>

#include "vmx/rules/state.hpp"

// A view through which predicates do one thing wrong. Each operation that a predicate performs passes through
// these types and is counted; the one with the planned number is done differently.
namespace hyperstep::vmx {

struct Mutation {
    enum class Kind : std::uint8_t {
        none,
        swap_field,  ///< the neighbouring slot is read instead
        other_bit,   ///< bit n+1 is read instead of bit n; a range starts one bit higher
        comparison,  ///< == for !=, < for <=, and the other way round
        condition,   ///< AND for OR and the other way round; the converse of an implication
        negation,    ///< NOT left out
        shift,       ///< one bit further
        choice,      ///< the other branch of select
        mask,        ///< AND with a constant that lacks its lowest bit
        width,       ///< an address may be one bit wider
    };
    std::uint64_t at = ~0ULL;  ///< which operation, from 0

    // Filled in as a predicate runs:
    std::uint64_t count = 0;  ///< operations done so far
    Kind done = Kind::none;   ///< what was done differently

    bool now(Kind kind) {
        if (count++ != at) return false;
        done = kind;
        return true;
    }
};

inline thread_local Mutation* current_mutation = nullptr;
inline bool mutate(Mutation::Kind kind) {
    return current_mutation->now(kind);
}

/// A bool whose operators are counted; both sides are always evaluated, so that counts do not depend on the
/// state.
struct MutantBool {
    bool value = false;
    friend MutantBool operator!(MutantBool a) {
        return {mutate(Mutation::Kind::negation) ? a.value : !a.value};
    }
    friend MutantBool operator&&(MutantBool a, MutantBool b) {
        return {mutate(Mutation::Kind::condition) ? a.value || b.value : a.value && b.value};
    }
    friend MutantBool operator||(MutantBool a, MutantBool b) {
        return {mutate(Mutation::Kind::condition) ? a.value && b.value : a.value || b.value};
    }
};
inline MutantBool implies(MutantBool a, MutantBool b) {
    return {mutate(Mutation::Kind::condition) ? !b.value || a.value : !a.value || b.value};
}

struct MutantWord {
    using Bool = MutantBool;
    std::uint64_t raw = 0;

    MutantWord() = default;
    MutantWord(std::uint64_t value) : raw{value} {}  // NOLINT(google-explicit-constructor): literals

    template <unsigned High, unsigned Low, class T>
    auto operator[](Bits<High, Low, T> /*range*/) const {
        const bool other = mutate(Mutation::Kind::other_bit);
        if constexpr (High == Low)
            return MutantBool{((raw >> (other ? (Low + 1) % 64 : Low)) & 1) != 0};
        else
            return MutantWord{(raw & Bits<High, Low, T>::mask) >> (other ? Low + 1 : Low)};
    }
    friend MutantWord operator&(MutantWord a, MutantWord b) {
        if (mutate(Mutation::Kind::mask)) return a.raw & (b.raw & (b.raw - 1));
        return a.raw & b.raw;
    }
    friend MutantWord operator|(MutantWord a, MutantWord b) { return a.raw | b.raw; }
    friend MutantWord operator~(MutantWord a) { return ~a.raw; }
    friend MutantWord operator+(MutantWord a, MutantWord b) { return a.raw + b.raw; }
    friend MutantWord operator>>(MutantWord a, unsigned n) {
        if (mutate(Mutation::Kind::shift)) ++n;
        return n < 64 ? a.raw >> n : 0;
    }
    friend MutantWord operator<<(MutantWord a, unsigned n) {
        if (mutate(Mutation::Kind::shift)) ++n;
        return n < 64 ? a.raw << n : 0;
    }
    friend MutantBool operator==(MutantWord a, MutantWord b) {
        return {(a.raw == b.raw) != mutate(Mutation::Kind::comparison)};
    }
    friend MutantBool operator!=(MutantWord a, MutantWord b) {
        return {(a.raw != b.raw) != mutate(Mutation::Kind::comparison)};
    }
    friend MutantBool operator<=(MutantWord a, MutantWord b) {
        return {mutate(Mutation::Kind::comparison) ? a.raw < b.raw : a.raw <= b.raw};
    }
    friend MutantBool operator<(MutantWord a, MutantWord b) {
        return {mutate(Mutation::Kind::comparison) ? a.raw <= b.raw : a.raw < b.raw};
    }
    friend MutantBool operator>=(MutantWord a, MutantWord b) { return b <= a; }
    friend MutantBool operator>(MutantWord a, MutantWord b) { return b < a; }
};

inline MutantBool select(MutantBool c, MutantBool a, MutantBool b) {
    return c.value != mutate(Mutation::Kind::choice) ? a : b;
}
inline MutantWord select(MutantBool c, MutantWord a, MutantWord b) {
    return c.value != mutate(Mutation::Kind::choice) ? a : b;
}
inline MutantBool fits_in(MutantWord word, MutantWord width) {
    const std::uint64_t n = width.raw + (mutate(Mutation::Kind::width) ? 1 : 0);
    return {n >= 64 || word.raw >> n == 0};
}

struct MutantView {
    using Word = MutantWord;
    using Bool = MutantBool;
    const State& state;
    Word operator[](Slot s) const {
        const bool swapped = mutate(Mutation::Kind::swap_field);
        return state[static_cast<Slot>((position(s) + (swapped ? 1 : 0)) % slot_count)].value;
    }
};

}  // namespace hyperstep::vmx
