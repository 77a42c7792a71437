#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"

// Addition, subtraction, logic, comparison. SDM volume 2, the instructions by name.
namespace hyperstep::cpu {
namespace {

enum class Writes : std::uint8_t { destination, flags_only };

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

// An operation in its operand forms. In each, the destination is operand 0.
template <class Operation, class T>
struct InForms {
    static Outcome register_register(Cpu& cpu, const Op& op) {
        return on_register(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
    }
    static Outcome register_immediate(Cpu& cpu, const Op& op) {
        return on_register(cpu, op, static_cast<T>(op.immediate));
    }
    static Outcome register_memory(Cpu& cpu, const Op& op) {
        const auto source = load_operand<T>(cpu, op);
        if (!source) return tl::unexpected{source.error()};
        return on_register(cpu, op, *source);
    }
    static Outcome memory_register(Cpu& cpu, const Op& op) {
        return on_memory(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
    }
    static Outcome memory_immediate(Cpu& cpu, const Op& op) {
        return on_memory(cpu, op, static_cast<T>(op.immediate));
    }

private:
    static Outcome on_register(Cpu& cpu, const Op& op, T source) {
        const auto result =
            Operation::template apply<T>(read_gpr<T>(cpu.state, op.reg[0]), source, cpu.state.rflags);
        if constexpr (Operation::writes == Writes::destination)
            write_gpr<T>(cpu.state, op.reg[0], result.value);
        cpu.state.rflags = with_status(cpu.state.rflags, result.flags);
        return {};
    }
    static Outcome on_memory(Cpu& cpu, const Op& op, T source) {
        if constexpr (Operation::writes == Writes::flags_only) {
            const auto old = load_operand<T>(cpu, op);
            if (!old) return tl::unexpected{old.error()};
            const auto result = Operation::template apply<T>(*old, source, cpu.state.rflags);
            cpu.state.rflags = with_status(cpu.state.rflags, result.flags);
        } else {
            const auto place = prepare_operand<T>(cpu, op);
            if (!place) return tl::unexpected{place.error()};
            const auto result = Operation::template apply<T>(read<T>(cpu, *place), source, cpu.state.rflags);
            write<T>(cpu, *place, result.value);
            cpu.state.rflags = with_status(cpu.state.rflags, result.flags);
        }
        return {};
    }
};

template <class Operation, class T>
Handler in_form(const Form& form) {
    using enum OperandKind;
    using Forms = InForms<Operation, T>;
    if (form.is(gpr, gpr)) return Forms::register_register;
    if (form.is(gpr, immediate)) return Forms::register_immediate;
    if (form.is(gpr, memory)) return Forms::register_memory;
    if (form.is(memory, gpr)) return Forms::memory_register;
    if (form.is(memory, immediate)) return Forms::memory_immediate;
    return nullptr;
}

template <class Operation>
Handler two_operands(const Form& form) {
    switch (form.operand_bytes) {
        case 1: return in_form<Operation, std::uint8_t>(form);
        case 2: return in_form<Operation, std::uint16_t>(form);
        case 4: return in_form<Operation, std::uint32_t>(form);
        default: return in_form<Operation, std::uint64_t>(form);
    }
}

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
};

}  // namespace

std::span<const Row> arithmetic_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
