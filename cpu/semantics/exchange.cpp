#include <Zydis/Mnemonic.h>
#include <array>

#include "cpu/semantics/forms.hpp"

// Instructions that read an operand and replace it, and may be locked. One processor of a machine runs at a
// time, so every instruction is atomic; LOCK on any other is #UD, which decoding knows.
namespace hyperstep::cpu {
namespace {

template <class T, OperandKind to>
Outcome exchange(Cpu& cpu, const Op& op) {
    const T value = read_gpr<T>(cpu.state, op.reg[1]);
    if constexpr (to == OperandKind::gpr) {
        const T old = read_gpr<T>(cpu.state, op.reg[0]);
        write_gpr(cpu.state, op.reg[0], value);
        write_gpr(cpu.state, op.reg[1], old);
    } else {
        const auto place = prepare_operand<T>(cpu, op);
        if (!place) return tl::unexpected{place.error()};
        const T old = read<T>(cpu, *place);
        write(cpu, *place, value);
        write_gpr(cpu.state, op.reg[1], old);
    }
    return {};
}

template <class T, OperandKind to>
Outcome exchange_add(Cpu& cpu, const Op& op) {
    const T value = read_gpr<T>(cpu.state, op.reg[1]);
    if constexpr (to == OperandKind::gpr) {
        const T old = read_gpr<T>(cpu.state, op.reg[0]);
        const Arithmetic<T> sum = add(old, value);
        write_gpr(cpu.state, op.reg[1], old);
        write_gpr(cpu.state, op.reg[0], sum.value);
        set_status(cpu, sum.flags);
    } else {
        const auto place = prepare_operand<T>(cpu, op);
        if (!place) return tl::unexpected{place.error()};
        const T old = read<T>(cpu, *place);
        const Arithmetic<T> sum = add(old, value);
        write(cpu, *place, sum.value);
        write_gpr(cpu.state, op.reg[1], old);
        set_status(cpu, sum.flags);
    }
    return {};
}

/// Memory is written whether or not the values are equal. Of the accumulator and a register destination only
/// the one that gets a new value is touched, its upper half included.
template <class T, OperandKind to>
Outcome compare_exchange(Cpu& cpu, const Op& op) {
    const T value = read_gpr<T>(cpu.state, op.reg[1]);
    const T expected = read_gpr<T>(cpu.state, rax);
    T old = 0;
    if constexpr (to == OperandKind::gpr) {
        old = read_gpr<T>(cpu.state, op.reg[0]);
        if (old == expected) write_gpr(cpu.state, op.reg[0], value);
    } else {
        const auto place = prepare_operand<T>(cpu, op);
        if (!place) return tl::unexpected{place.error()};
        old = read<T>(cpu, *place);
        write(cpu, *place, old == expected ? value : old);
    }
    if (old != expected) write_gpr(cpu.state, rax, old);
    set_status(cpu, subtract(expected, old).flags);
    return {};
}

/// CMPXCHG8B and CMPXCHG16B, with pairs of T. The 16 bytes must be aligned: #GP(0).
template <class T>
Outcome compare_exchange_pair(Cpu& cpu, const Op& op) {
    using Pair = std::array<T, 2>;
    const auto linear =
        linear_address(cpu, op.segment, effective_offset(cpu, op), sizeof(Pair), mmu::Access::write);
    if (!linear) return tl::unexpected{linear.error()};
    if (sizeof(Pair) == 16 && *linear % 16 != 0) return general_protection();
    const auto place = translate(cpu, *linear, sizeof(Pair), mmu::Access::write, Accessor::program);
    if (!place) return tl::unexpected{place.error()};
    const Pair old = read<Pair>(cpu, *place);
    const Pair expected{read_gpr<T>(cpu.state, rax), read_gpr<T>(cpu.state, rdx)};
    const Pair value{read_gpr<T>(cpu.state, rbx), read_gpr<T>(cpu.state, rcx)};
    write(cpu, *place, old == expected ? value : old);
    if (old == expected) {
        cpu.state.rflags |= flag::zf;
    } else {
        write_gpr(cpu.state, rax, old[0]);
        write_gpr(cpu.state, rdx, old[1]);
        cpu.state.rflags &= ~flag::zf;
    }
    return {};
}

template <template <class, OperandKind> class Choice>
Handler by_size_and_location(const Form& form) {
    return by_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [](auto to) -> Handler {
            return Choice<decltype(size), decltype(to)::value>::handler;
        });
    });
}
template <class T, OperandKind to>
struct Exchange {
    static constexpr Handler handler = exchange<T, to>;
};
template <class T, OperandKind to>
struct ExchangeAdd {
    static constexpr Handler handler = exchange_add<T, to>;
};
template <class T, OperandKind to>
struct CompareExchange {
    static constexpr Handler handler = compare_exchange<T, to>;
};

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_XCHG, Feature::always, by_size_and_location<Exchange>},
    {ZYDIS_MNEMONIC_XADD, Feature::always, by_size_and_location<ExchangeAdd>},
    {ZYDIS_MNEMONIC_CMPXCHG, Feature::always, by_size_and_location<CompareExchange>},
    {ZYDIS_MNEMONIC_CMPXCHG8B, Feature::cx8, only<compare_exchange_pair<std::uint32_t>>},
    {ZYDIS_MNEMONIC_CMPXCHG16B, Feature::cx16, only<compare_exchange_pair<std::uint64_t>>},
};

}  // namespace

std::span<const Row> exchange_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
