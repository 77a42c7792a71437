#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Shifts and rotates. SDM volume 2 "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD". The values of flags
// that the manual leaves undefined are in docs/UNDEFINED.md.
namespace hyperstep::cpu {
namespace {

__extension__ using Uint128 = unsigned __int128;

/// Counts are masked to five bits, or six for 64-bit operands.
template <class T>
constexpr unsigned masked(unsigned count) {
    return count & (sizeof(T) == 8 ? 63 : 31);
}
template <class T>
constexpr bool bit_of(T value, unsigned number) {
    return (value >> number & 1) != 0;
}
/// The bit below the top bit.
template <class T>
constexpr bool second_bit(T value) {
    return bit_of(value, bits_of<T> - 2);
}

// Each: apply<T>(value, count, flags), the count masked and not 0; an Arithmetic whose flags are complete.

struct Shl {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t /*flags*/) {
        const Uint128 wide = static_cast<Uint128>(value) << count;
        const T result = static_cast<T>(wide);
        const bool cf = (wide >> bits_of<T> & 1) != 0;
        return {result,
                result_flags(result) | flag_if(cf, flag::cf) | flag_if(cf != top_bit(result), flag::of)};
    }
};
struct Shr {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t /*flags*/) {
        const std::uint64_t wide = value;
        const T result = static_cast<T>(wide >> count);
        const bool cf = bit_of(wide, count - 1);
        return {result,
                result_flags(result) | flag_if(cf, flag::cf) |
                    flag_if(top_bit(result) != second_bit(result), flag::of)};
    }
};
struct Sar {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t /*flags*/) {
        const std::int64_t wide = static_cast<std::make_signed_t<T>>(value);
        const T result = static_cast<T>(wide >> count);
        const bool cf = (wide >> (count - 1) & 1) != 0;
        return {result, result_flags(result) | flag_if(cf, flag::cf)};
    }
};

/// Rotates change CF and OF only.
constexpr std::uint64_t rotate_flags(std::uint64_t flags, bool cf, bool of) {
    return (flags & (flag::status & ~(flag::cf | flag::of))) | flag_if(cf, flag::cf) | flag_if(of, flag::of);
}

struct Rol {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t flags) {
        const T result = std::rotl(value, static_cast<int>(count % bits_of<T>));
        const bool cf = bit_of(result, 0);
        return {result, rotate_flags(flags, cf, cf != top_bit(result))};
    }
};
struct Ror {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t flags) {
        const T result = std::rotr(value, static_cast<int>(count % bits_of<T>));
        return {result, rotate_flags(flags, top_bit(result), top_bit(result) != second_bit(result))};
    }
};

// Rotates through CF: of a number with one bit more, CF on top of it. A count of that many bits changes
// nothing.
struct Rcl {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t flags) {
        const unsigned bits = bits_of<T> + 1;
        const unsigned by = count % bits;
        if (by == 0) return {value, flags & flag::status};
        const Uint128 whole = static_cast<Uint128>(flags & flag::cf) << bits_of<T> | value;
        const Uint128 rotated = whole << by | whole >> (bits - by);
        const T result = static_cast<T>(rotated);
        const bool cf = (rotated >> bits_of<T> & 1) != 0;
        return {result, rotate_flags(flags, cf, cf != top_bit(result))};
    }
};
struct Rcr {
    template <class T>
    static Arithmetic<T> apply(T value, unsigned count, std::uint64_t flags) {
        const unsigned bits = bits_of<T> + 1;
        const unsigned by = count % bits;
        if (by == 0) return {value, flags & flag::status};
        const Uint128 whole = static_cast<Uint128>(flags & flag::cf) << bits_of<T> | value;
        const Uint128 rotated = whole >> by | whole << (bits - by);
        const T result = static_cast<T>(rotated);
        const bool cf = (rotated >> bits_of<T> & 1) != 0;
        return {result, rotate_flags(flags, cf, top_bit(result) != second_bit(result))};
    }
};

/// With a count of 0 the flags stay, but a 32-bit register loses its upper half, and memory is written.
template <class Operation, class T, OperandKind to, OperandKind from>
Outcome shift_in_form(Cpu& cpu, const Op& op) {
    const unsigned count = masked<T>(*operand<std::uint8_t, from, 1>(cpu, op));
    return modify<T, to>(cpu, op, [&](T old) -> Arithmetic<T> {
        if (count == 0) return {old, cpu.state.rflags & flag::status};
        return Operation::template apply<T>(old, count, cpu.state.rflags);
    });
}
template <class Operation>
Handler shift(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [&](auto to) {
            return by_register_or_immediate(form.kind[1], [](auto from) -> Handler {
                return shift_in_form<Operation, decltype(size), decltype(to)::value, decltype(from)::value>;
            });
        });
    });
}

// SHLD and SHRD. Of 16 bits, counts beyond 16 are undefined: the destination follows the source around.
struct Shld {
    template <class T>
    static Arithmetic<T> apply(T value, T filler, unsigned count) {
        Uint128 wide = static_cast<Uint128>(value) << bits_of<T> | filler;
        if constexpr (sizeof(T) == 2) wide = wide << bits_of<T> | value;
        constexpr unsigned top = (sizeof(T) == 2 ? 3 : 2) * bits_of<T>;
        const T result = static_cast<T>(wide >> (top - bits_of<T> - count));
        const bool cf = (wide >> (top - count) & 1) != 0;
        return {result,
                result_flags(result) | flag_if(cf, flag::cf) | flag_if(cf != top_bit(result), flag::of)};
    }
};
struct Shrd {
    template <class T>
    static Arithmetic<T> apply(T value, T filler, unsigned count) {
        Uint128 wide = static_cast<Uint128>(filler) << bits_of<T> | value;
        if constexpr (sizeof(T) == 2) wide |= static_cast<Uint128>(value) << 2 * bits_of<T>;
        const T result = static_cast<T>(wide >> count);
        const bool cf = (wide >> (count - 1) & 1) != 0;
        return {result,
                result_flags(result) | flag_if(cf, flag::cf) |
                    flag_if(top_bit(result) != second_bit(result), flag::of)};
    }
};

template <class Operation, class T, OperandKind to, OperandKind from>
Outcome double_shift_in_form(Cpu& cpu, const Op& op) {
    const unsigned count = masked<T>(*operand<std::uint8_t, from, 2>(cpu, op));
    return modify<T, to>(cpu, op, [&](T old) -> Arithmetic<T> {
        if (count == 0) return {old, cpu.state.rflags & flag::status};
        return Operation::template apply<T>(old, read_gpr<T>(cpu.state, op.reg[1]), count);
    });
}
template <class Operation>
Handler double_shift(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [&](auto to) {
            return by_register_or_immediate(form.kind[2], [](auto from) -> Handler {
                return double_shift_in_form<Operation,
                                            decltype(size),
                                            decltype(to)::value,
                                            decltype(from)::value>;
            });
        });
    });
}

// BMI2: the count in a register or an immediate, and no flags.
struct Sarx {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const unsigned count = masked<T>(read_gpr<std::uint8_t>(cpu.state, op.reg[2]));
        return {static_cast<T>(static_cast<std::make_signed_t<T>>(source) >> count), cpu.state.rflags};
    }
};
struct Shlx {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const unsigned count = masked<T>(read_gpr<std::uint8_t>(cpu.state, op.reg[2]));
        return {static_cast<T>(source << count), cpu.state.rflags};
    }
};
struct Shrx {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const unsigned count = masked<T>(read_gpr<std::uint8_t>(cpu.state, op.reg[2]));
        return {static_cast<T>(source >> count), cpu.state.rflags};
    }
};
struct Rorx {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const auto count = static_cast<int>(masked<T>(static_cast<std::uint8_t>(op.immediate)));
        return {std::rotr(source, count), cpu.state.rflags};
    }
};

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_SHL, Feature::always, shift<Shl>},
    {ZYDIS_MNEMONIC_SHR, Feature::always, shift<Shr>},
    {ZYDIS_MNEMONIC_SAR, Feature::always, shift<Sar>},
    {ZYDIS_MNEMONIC_ROL, Feature::always, shift<Rol>},
    {ZYDIS_MNEMONIC_ROR, Feature::always, shift<Ror>},
    {ZYDIS_MNEMONIC_RCL, Feature::always, shift<Rcl>},
    {ZYDIS_MNEMONIC_RCR, Feature::always, shift<Rcr>},
    {ZYDIS_MNEMONIC_SHLD, Feature::always, double_shift<Shld>},
    {ZYDIS_MNEMONIC_SHRD, Feature::always, double_shift<Shrd>},
    {ZYDIS_MNEMONIC_SARX, Feature::bmi2, register_of_source<Sarx>},
    {ZYDIS_MNEMONIC_SHLX, Feature::bmi2, register_of_source<Shlx>},
    {ZYDIS_MNEMONIC_SHRX, Feature::bmi2, register_of_source<Shrx>},
    {ZYDIS_MNEMONIC_RORX, Feature::bmi2, register_of_source<Rorx>},
};

}  // namespace

std::span<const Row> shifts_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
