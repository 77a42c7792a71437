#pragma once
#include <bit>
#include <concepts>
#include <cstdint>

#include "base/x86_registers.hpp"

// The status flags of arithmetic. SDM "EFLAGS Cross-Reference".
namespace hyperstep::cpu {

namespace flag {
using x86::Rflags;
inline constexpr std::uint64_t cf = Rflags::cf.mask;
inline constexpr std::uint64_t pf = Rflags::pf.mask;
inline constexpr std::uint64_t af = Rflags::af.mask;
inline constexpr std::uint64_t zf = Rflags::zf.mask;
inline constexpr std::uint64_t sf = Rflags::sf.mask;
inline constexpr std::uint64_t of = Rflags::of.mask;
inline constexpr std::uint64_t status = cf | pf | af | zf | sf | of;
}  // namespace flag

template <std::unsigned_integral T>
inline constexpr unsigned bits_of = sizeof(T) * 8;

template <std::unsigned_integral T>
constexpr bool top_bit(T value) {
    return (value >> (bits_of<T> - 1) & 1) != 0;
}

/// `mask` or 0, without a branch that a processor would have to guess.
constexpr std::uint64_t flag_if(bool condition, std::uint64_t mask) {
    return static_cast<std::uint64_t>(condition) * mask;
}

/// SF, ZF and PF of a result.
template <std::unsigned_integral T>
constexpr std::uint64_t result_flags(T value) {
    const bool even = __builtin_parity(static_cast<std::uint8_t>(value)) == 0;
    return flag_if(value == 0, flag::zf) | flag_if(top_bit(value), flag::sf) | flag_if(even, flag::pf);
}

/// A value and the status flags that belong to it.
template <std::unsigned_integral T>
struct Arithmetic {
    T value = 0;
    std::uint64_t flags = 0;
};

/// a + b + carry.
template <std::unsigned_integral T>
constexpr Arithmetic<T> add(T a, T b, bool carry = false) {
    const T sum = static_cast<T>(a + b + (carry ? 1 : 0));
    // The carries out of each bit; their top two decide CF and OF.
    const T carries = static_cast<T>((a & b) | ((a | b) & ~sum));
    const bool overflow = top_bit(static_cast<T>((a ^ sum) & (b ^ sum)));
    return {sum,
            result_flags(sum) | flag_if(top_bit(carries), flag::cf) | flag_if((carries & 8) != 0, flag::af) |
                flag_if(overflow, flag::of)};
}

/// a - b - borrow.
template <std::unsigned_integral T>
constexpr Arithmetic<T> subtract(T a, T b, bool borrow = false) {
    const T difference = static_cast<T>(a - b - (borrow ? 1 : 0));
    const T borrows = static_cast<T>((~a & b) | ((~a | b) & difference));
    const bool overflow = top_bit(static_cast<T>((a ^ b) & (a ^ difference)));
    return {difference,
            result_flags(difference) | flag_if(top_bit(borrows), flag::cf) |
                flag_if((borrows & 8) != 0, flag::af) | flag_if(overflow, flag::of)};
}

static_assert(add<std::uint8_t>(0x7f, 1).flags == (flag::of | flag::sf | flag::af));
static_assert(add<std::uint8_t>(0xff, 1).flags == (flag::cf | flag::zf | flag::pf | flag::af));
static_assert(subtract<std::uint8_t>(0, 1).flags == (flag::cf | flag::sf | flag::pf | flag::af));

/// `flags` with the status flags replaced.
constexpr std::uint64_t with_status(std::uint64_t flags, std::uint64_t status) {
    return (flags & ~flag::status) | status;
}

/// The condition codes that Jcc, SETcc and CMOVcc encode. SDM "EFLAGS Condition Codes".
constexpr bool condition_holds(unsigned code, std::uint64_t flags) {
    const bool sf = (flags & flag::sf) != 0;
    const bool of = (flags & flag::of) != 0;
    const bool zf = (flags & flag::zf) != 0;
    bool holds = false;
    switch (code >> 1 & 7) {
        case 0: holds = of; break;
        case 1: holds = (flags & flag::cf) != 0; break;
        case 2: holds = zf; break;
        case 3: holds = (flags & (flag::cf | flag::zf)) != 0; break;
        case 4: holds = sf; break;
        case 5: holds = (flags & flag::pf) != 0; break;
        case 6: holds = sf != of; break;
        default: holds = zf || sf != of; break;
    }
    return holds != ((code & 1) != 0);
}

}  // namespace hyperstep::cpu
