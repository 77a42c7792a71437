#include <Zydis/Mnemonic.h>
#include <limits>

#include "cpu/semantics/forms.hpp"

// Multiplication and division. SDM volume 2 "MUL", "IMUL", "DIV", "IDIV", "MULX".
namespace hyperstep::cpu {
namespace {

__extension__ using Uint128 = unsigned __int128;
__extension__ using Int128 = __int128;

template <class T>
struct DoubleWidth;
template <>
struct DoubleWidth<std::uint8_t> {
    using Unsigned = std::uint16_t;
    using Signed = std::int16_t;
};
template <>
struct DoubleWidth<std::uint16_t> {
    using Unsigned = std::uint32_t;
    using Signed = std::int32_t;
};
template <>
struct DoubleWidth<std::uint32_t> {
    using Unsigned = std::uint64_t;
    using Signed = std::int64_t;
};
template <>
struct DoubleWidth<std::uint64_t> {
    using Unsigned = Uint128;
    using Signed = Int128;
};
template <class T>
using Wide = typename DoubleWidth<T>::Unsigned;
template <class T>
using SignedWide = typename DoubleWidth<T>::Signed;

template <class T>
SignedWide<T> sign_extended(T value) {
    return static_cast<SignedWide<T>>(static_cast<std::make_signed_t<T>>(value));
}

/// The double-width value in AH:AL, DX:AX, EDX:EAX, RDX:RAX.
template <class T>
Wide<T> read_accumulator_pair(const State& state) {
    if constexpr (sizeof(T) == 1)
        return read_gpr<std::uint16_t>(state, rax);
    else
        return static_cast<Wide<T>>(static_cast<Wide<T>>(read_gpr<T>(state, rdx)) << bits_of<T> |
                                    read_gpr<T>(state, rax));
}
template <class T>
void write_accumulator_pair(State& state, T low, T high) {
    if constexpr (sizeof(T) == 1) {
        write_gpr(state, rax, static_cast<std::uint16_t>(high << 8 | low));
    } else {
        write_gpr(state, rax, low);
        write_gpr(state, rdx, high);
    }
}

template <class T>
struct Product {
    T low = 0;
    T high = 0;
    std::uint64_t flags = 0;
};
/// CF and OF say whether the upper half matters; the others are undefined (docs/UNDEFINED.md).
template <class T>
std::uint64_t product_flags(T low, bool upper_half_matters) {
    return result_flags(low) | (upper_half_matters ? flag::cf | flag::of : 0);
}
template <class T>
Product<T> multiply_unsigned(T a, T b) {
    const Wide<T> product = static_cast<Wide<T>>(static_cast<Wide<T>>(a) * b);
    const T low = static_cast<T>(product);
    const T high = static_cast<T>(product >> bits_of<T>);
    return {low, high, product_flags(low, high != 0)};
}
template <class T>
Product<T> multiply_signed(T a, T b) {
    const auto product = static_cast<SignedWide<T>>(sign_extended(a) * sign_extended(b));
    const T low = static_cast<T>(product);
    const T high = static_cast<T>(product >> bits_of<T>);
    return {low, high, product_flags(low, product != sign_extended(low))};
}

enum class Sign : std::uint8_t { without, with };

template <Sign sign, class T>
Product<T> multiply(T a, T b) {
    if constexpr (sign == Sign::with)
        return multiply_signed(a, b);
    else
        return multiply_unsigned(a, b);
}

/// MUL, and IMUL with one operand.
template <Sign sign, class T, OperandKind from>
Outcome multiply_accumulator(Cpu& cpu, const Op& op) {
    const auto source = operand<T, from, 0>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const auto product = multiply<sign>(read_gpr<T>(cpu.state, rax), *source);
    write_accumulator_pair(cpu.state, product.low, product.high);
    set_status(cpu, product.flags);
    return {};
}

/// IMUL with two and three operands.
struct MultiplyByRegister {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const auto product = multiply_signed(read_gpr<T>(cpu.state, op.reg[0]), source);
        return {product.low, product.flags};
    }
};
struct MultiplyByImmediate {
    template <class T>
    static Arithmetic<T> apply(Cpu& /*cpu*/, const Op& op, T source) {
        const auto product = multiply_signed(source, static_cast<T>(op.immediate));
        return {product.low, product.flags};
    }
};

template <class T>
struct Division {
    T quotient = 0;
    T remainder = 0;
};
/// #DE if the divisor is 0 or the quotient does not fit.
template <class T>
Expected<Division<T>> divide_unsigned(Wide<T> dividend, T divisor) {
    if (divisor == 0) return raise(Vector::de);
    if (static_cast<T>(dividend >> bits_of<T>) >= divisor) return raise(Vector::de);
    return Division<T>{static_cast<T>(dividend / divisor), static_cast<T>(dividend % divisor)};
}
/// Of magnitudes, so that the most negative dividend is a number like any other. The quotient is rounded
/// toward zero; the remainder has the dividend's sign.
template <class T>
Expected<Division<T>> divide_signed(Wide<T> dividend, T divisor) {
    const bool negative_dividend = (dividend >> (2 * bits_of<T> - 1) & 1) != 0;
    const bool negative_divisor = top_bit(divisor);
    const auto dividend_size = static_cast<Wide<T>>(negative_dividend ? 0 - dividend : dividend);
    const auto divisor_size = static_cast<T>(negative_divisor ? 0 - divisor : divisor);
    const auto sizes = divide_unsigned<T>(dividend_size, divisor_size);
    if (!sizes) return sizes;
    const bool negative = negative_dividend != negative_divisor;
    const T most = static_cast<T>(std::numeric_limits<std::make_signed_t<T>>::max());
    if (sizes->quotient > static_cast<T>(negative ? most + 1U : most)) return raise(Vector::de);
    return Division<T>{static_cast<T>(negative ? 0 - sizes->quotient : sizes->quotient),
                       static_cast<T>(negative_dividend ? 0 - sizes->remainder : sizes->remainder)};
}

/// DIV and IDIV. Every status flag is undefined and stays as it was (docs/UNDEFINED.md).
template <Sign sign, class T, OperandKind from>
Outcome divide_accumulator(Cpu& cpu, const Op& op) {
    const auto divisor = operand<T, from, 0>(cpu, op);
    if (!divisor) return tl::unexpected{divisor.error()};
    const Wide<T> dividend = read_accumulator_pair<T>(cpu.state);
    const auto result =
        sign == Sign::with ? divide_signed<T>(dividend, *divisor) : divide_unsigned<T>(dividend, *divisor);
    if (!result) return tl::unexpected{result.error()};
    write_accumulator_pair(cpu.state, result->quotient, result->remainder);
    return {};
}

template <Sign sign>
Handler select_multiply_accumulator(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [](auto from) -> Handler {
            return multiply_accumulator<sign, decltype(size), decltype(from)::value>;
        });
    });
}
template <Sign sign>
Handler select_divide(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [](auto from) -> Handler {
            return divide_accumulator<sign, decltype(size), decltype(from)::value>;
        });
    });
}
Handler select_imul(const Form& form) {
    switch (form.operands) {
        case 1: return select_multiply_accumulator<Sign::with>(form);
        case 2: return register_of_source<MultiplyByRegister>(form);
        default: return register_of_source<MultiplyByImmediate>(form);
    }
}

/// MULX: no flags. If both destinations are one register, it gets the upper half.
template <class T, OperandKind from>
Outcome multiply_without_flags(Cpu& cpu, const Op& op) {
    const auto source = operand<T, from, 2>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const auto product = multiply_unsigned(read_gpr<T>(cpu.state, rdx), *source);
    write_gpr(cpu.state, op.reg[1], product.low);
    write_gpr(cpu.state, op.reg[0], product.high);
    return {};
}
Handler select_mulx(const Form& form) {
    return by_word_bytes(form.bits[0] / 8U, [&](auto size) {
        return by_location(form.kind[2], [](auto from) -> Handler {
            return multiply_without_flags<decltype(size), decltype(from)::value>;
        });
    });
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MUL, Feature::always, select_multiply_accumulator<Sign::without>},
    {ZYDIS_MNEMONIC_IMUL, Feature::always, select_imul},
    {ZYDIS_MNEMONIC_DIV, Feature::always, select_divide<Sign::without>},
    {ZYDIS_MNEMONIC_IDIV, Feature::always, select_divide<Sign::with>},
    {ZYDIS_MNEMONIC_MULX, Feature::bmi2, select_mulx},
};

}  // namespace

std::span<const Row> multiplication_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
