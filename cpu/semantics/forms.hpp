#pragma once
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"

// The operand forms that instructions share: each is a handler of its own, chosen once, when an instruction
// is decoded.
namespace hyperstep::cpu {

/// `choose` is called with a value of the unsigned type that has so many bytes.
template <class Choose>
Handler by_bytes(unsigned bytes, Choose&& choose) {
    switch (bytes) {
        case 1: return choose(std::uint8_t{});
        case 2: return choose(std::uint16_t{});
        case 4: return choose(std::uint32_t{});
        case 8: return choose(std::uint64_t{});
        default: return nullptr;
    }
}
/// The same for instructions that have no 8-bit form.
template <class Choose>
Handler by_word_bytes(unsigned bytes, Choose&& choose) {
    switch (bytes) {
        case 2: return choose(std::uint16_t{});
        case 4: return choose(std::uint32_t{});
        case 8: return choose(std::uint64_t{});
        default: return nullptr;
    }
}

template <OperandKind kind>
using Kind = std::integral_constant<OperandKind, kind>;

/// `choose` is called with the Kind of an operand that is a register or in memory.
template <class Choose>
Handler by_location(OperandKind kind, Choose&& choose) {
    switch (kind) {
        case OperandKind::gpr: return choose(Kind<OperandKind::gpr>{});
        case OperandKind::memory: return choose(Kind<OperandKind::memory>{});
        default: return nullptr;
    }
}
/// `choose` is called with the Kind of an operand that is a register or an immediate.
template <class Choose>
Handler by_register_or_immediate(OperandKind kind, Choose&& choose) {
    switch (kind) {
        case OperandKind::gpr: return choose(Kind<OperandKind::gpr>{});
        case OperandKind::immediate: return choose(Kind<OperandKind::immediate>{});
        default: return nullptr;
    }
}

/// The value of operand `place`.
template <std::unsigned_integral T, OperandKind kind, unsigned place>
Expected<T> operand(Cpu& cpu, const Op& op) {
    if constexpr (kind == OperandKind::gpr)
        return read_gpr<T>(cpu.state, op.reg[place]);
    else if constexpr (kind == OperandKind::memory)
        return load_operand<T>(cpu, op);
    else
        return static_cast<T>(op.immediate);
}

/// Finds where a value will be read: for a load whose instruction can still fault. A device's register must
/// not be read before that.
template <class T>
Expected<Place> prepare_load(Cpu& cpu, unsigned segment, std::uint64_t offset) {
    if (std::byte* host = access_detail::quick<sizeof(T), mmu::Access::read>(cpu, segment, offset)) [[likely]]
        return Place{.host = host, .first_bytes = sizeof(T), .bytes = sizeof(T)};
    return locate(cpu, segment, offset, sizeof(T), mmu::Access::read);
}

inline void set_status(Cpu& cpu, std::uint64_t status) {
    cpu.state.rflags = with_status(cpu.state.rflags, status);
}

/// Replaces operand 0, a register or in memory, by the result of `change(old)`, an Arithmetic, whose flags
/// become the status flags.
template <std::unsigned_integral T, OperandKind kind, class Change>
Outcome modify(Cpu& cpu, const Op& op, Change&& change) {
    if constexpr (kind == OperandKind::gpr) {
        const Arithmetic<T> result = change(read_gpr<T>(cpu.state, op.reg[0]));
        write_gpr<T>(cpu.state, op.reg[0], result.value);
        set_status(cpu, result.flags);
    } else {
        const auto place = prepare_operand<T>(cpu, op);
        if (!place) return tl::unexpected{place.error()};
        const Arithmetic<T> result = change(read<T>(cpu, *place));
        write<T>(cpu, *place, result.value);
        set_status(cpu, result.flags);
    }
    return {};
}

/// Whether an operation with two operands replaces the first.
enum class Writes : std::uint8_t { destination, flags_only };

/// Operation::apply<T>(destination, source, flags) gives an Arithmetic.
template <class Operation, class T, OperandKind to, OperandKind from>
Outcome two_operands_in_form(Cpu& cpu, const Op& op) {
    const auto source = operand<T, from, 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    if constexpr (Operation::writes == Writes::destination) {
        return modify<T, to>(
            cpu, op, [&](T old) { return Operation::template apply<T>(old, *source, cpu.state.rflags); });
    } else {
        const auto old = operand<T, to, 0>(cpu, op);
        if (!old) return tl::unexpected{old.error()};
        set_status(cpu, Operation::template apply<T>(*old, *source, cpu.state.rflags).flags);
        return {};
    }
}
template <class Operation>
Handler two_operands(const Form& form) {
    using enum OperandKind;
    return by_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        if (form.is(gpr, gpr)) return two_operands_in_form<Operation, T, gpr, gpr>;
        if (form.is(gpr, immediate)) return two_operands_in_form<Operation, T, gpr, immediate>;
        if (form.is(gpr, memory)) return two_operands_in_form<Operation, T, gpr, memory>;
        if (form.is(memory, gpr)) return two_operands_in_form<Operation, T, memory, gpr>;
        if (form.is(memory, immediate)) return two_operands_in_form<Operation, T, memory, immediate>;
        return nullptr;
    });
}

/// Operation::apply<T>(operand, flags) gives an Arithmetic.
template <class Operation, class T, OperandKind kind>
Outcome one_operand_in_form(Cpu& cpu, const Op& op) {
    return modify<T, kind>(
        cpu, op, [&](T old) { return Operation::template apply<T>(old, cpu.state.rflags); });
}
template <class Operation>
Handler one_operand(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [](auto kind) -> Handler {
            return one_operand_in_form<Operation, decltype(size), decltype(kind)::value>;
        });
    });
}

/// A register becomes a function of a register or memory operand: Operation::apply<T>(cpu, op, source) gives
/// an Arithmetic.
template <class Operation, class T, OperandKind from, unsigned place>
Outcome register_of_source_in_form(Cpu& cpu, const Op& op) {
    const auto source = operand<T, from, place>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const Arithmetic<T> result = Operation::template apply<T>(cpu, op, *source);
    write_gpr<T>(cpu.state, op.reg[0], result.value);
    set_status(cpu, result.flags);
    return {};
}
/// `place`: of the source. 16, 32 and 64 bits; which, the destination says: with VEX it is not the operand
/// size.
template <class Operation, unsigned place = 1>
Handler register_of_source(const Form& form) {
    return by_word_bytes(form.bits[0] / 8U, [&](auto size) {
        return by_location(form.kind[place], [](auto from) -> Handler {
            return register_of_source_in_form<Operation, decltype(size), decltype(from)::value, place>;
        });
    });
}

}  // namespace hyperstep::cpu
