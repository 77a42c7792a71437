#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Addition, subtraction, logic, comparison. SDM volume 2, the instructions by name.
namespace hyperstep::cpu {
namespace {

struct Add {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        return add(a, b);
    }
};
struct Adc {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t flags) {
        return add(a, b, (flags & flag::cf) != 0);
    }
};
struct Sub {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        return subtract(a, b);
    }
};
struct Sbb {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t flags) {
        return subtract(a, b, (flags & flag::cf) != 0);
    }
};
struct Cmp {
    static constexpr Writes writes = Writes::flags_only;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        return subtract(a, b);
    }
};
/// AF is undefined after the logical instructions; as on Intel processors it is cleared.
struct And {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        const T value = static_cast<T>(a & b);
        return {value, result_flags(value)};
    }
};
struct Or {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        const T value = static_cast<T>(a | b);
        return {value, result_flags(value)};
    }
};
struct Xor {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t /*flags*/) {
        const T value = static_cast<T>(a ^ b);
        return {value, result_flags(value)};
    }
};
struct Test {
    static constexpr Writes writes = Writes::flags_only;
    template <class T>
    static Arithmetic<T> apply(T a, T b, std::uint64_t flags) {
        return And::apply(a, b, flags);
    }
};

// INC and DEC leave CF alone.
struct Inc {
    template <class T>
    static Arithmetic<T> apply(T value, std::uint64_t flags) {
        const auto result = add<T>(value, 1);
        return {result.value, (result.flags & ~flag::cf) | (flags & flag::cf)};
    }
};
struct Dec {
    template <class T>
    static Arithmetic<T> apply(T value, std::uint64_t flags) {
        const auto result = subtract<T>(value, 1);
        return {result.value, (result.flags & ~flag::cf) | (flags & flag::cf)};
    }
};
struct Neg {
    template <class T>
    static Arithmetic<T> apply(T value, std::uint64_t /*flags*/) {
        return subtract<T>(0, value);
    }
};
struct Not {
    template <class T>
    static Arithmetic<T> apply(T value, std::uint64_t flags) {
        return {static_cast<T>(~value), flags & flag::status};
    }
};

/// ADCX and ADOX: addition with one flag as carry in and out; the others are left alone.
template <std::uint64_t carry_flag>
struct AddWithCarryFlag {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const std::uint64_t flags = cpu.state.rflags & flag::status;
        const auto sum = add(read_gpr<T>(cpu.state, op.reg[0]), source, (flags & carry_flag) != 0);
        const bool carry = (sum.flags & flag::cf) != 0;
        return {sum.value, (flags & ~carry_flag) | (carry ? carry_flag : 0)};
    }
};

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_ADD, Feature::always, two_operands<Add>},
    {ZYDIS_MNEMONIC_ADC, Feature::always, two_operands<Adc>},
    {ZYDIS_MNEMONIC_SUB, Feature::always, two_operands<Sub>},
    {ZYDIS_MNEMONIC_SBB, Feature::always, two_operands<Sbb>},
    {ZYDIS_MNEMONIC_CMP, Feature::always, two_operands<Cmp>},
    {ZYDIS_MNEMONIC_AND, Feature::always, two_operands<And>},
    {ZYDIS_MNEMONIC_OR, Feature::always, two_operands<Or>},
    {ZYDIS_MNEMONIC_XOR, Feature::always, two_operands<Xor>},
    {ZYDIS_MNEMONIC_TEST, Feature::always, two_operands<Test>},
    {ZYDIS_MNEMONIC_INC, Feature::always, one_operand<Inc>},
    {ZYDIS_MNEMONIC_DEC, Feature::always, one_operand<Dec>},
    {ZYDIS_MNEMONIC_NEG, Feature::always, one_operand<Neg>},
    {ZYDIS_MNEMONIC_NOT, Feature::always, one_operand<Not>},
    {ZYDIS_MNEMONIC_ADCX, Feature::adx, register_of_source<AddWithCarryFlag<flag::cf>>},
    {ZYDIS_MNEMONIC_ADOX, Feature::adx, register_of_source<AddWithCarryFlag<flag::of>>},
};

}  // namespace

std::span<const Row> arithmetic_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
