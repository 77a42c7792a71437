#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Moves of data between registers and memory.
namespace hyperstep::cpu {
namespace {

template <class T>
struct Mov {
    static Outcome register_register(Cpu& cpu, const Op& op) {
        write_gpr<T>(cpu.state, op.reg[0], read_gpr<T>(cpu.state, op.reg[1]));
        return {};
    }
    static Outcome register_immediate(Cpu& cpu, const Op& op) {
        write_gpr<T>(cpu.state, op.reg[0], static_cast<T>(op.immediate));
        return {};
    }
    static Outcome register_memory(Cpu& cpu, const Op& op) {
        const auto value = load_operand<T>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        write_gpr<T>(cpu.state, op.reg[0], *value);
        return {};
    }
    static Outcome memory_register(Cpu& cpu, const Op& op) {
        return store_operand<T>(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
    }
    static Outcome memory_immediate(Cpu& cpu, const Op& op) {
        return store_operand<T>(cpu, op, static_cast<T>(op.immediate));
    }
    /// The forms with a whole address in the instruction (A0 to A3).
    static Outcome accumulator_moffs(Cpu& cpu, const Op& op) {
        const auto value = load<T>(cpu, op.segment, op.immediate & mask_of_bytes(op.address_bytes));
        if (!value) return tl::unexpected{value.error()};
        write_gpr<T>(cpu.state, rax, *value);
        return {};
    }
    static Outcome moffs_accumulator(Cpu& cpu, const Op& op) {
        return store<T>(
            cpu, op.segment, op.immediate & mask_of_bytes(op.address_bytes), read_gpr<T>(cpu.state, rax));
    }

    static Handler select(const Form& form) {
        using enum OperandKind;
        if (form.opcode >= 0xa0 && form.opcode <= 0xa3 && !form.has_modrm)
            return form.is(memory, gpr) ? moffs_accumulator : accumulator_moffs;
        if (form.is(gpr, gpr)) return register_register;
        if (form.is(gpr, immediate)) return register_immediate;
        if (form.is(gpr, memory)) return register_memory;
        if (form.is(memory, gpr)) return memory_register;
        if (form.is(memory, immediate)) return memory_immediate;
        return nullptr;
    }
};

Handler select_mov(const Form& form) {
    switch (form.operand_bytes) {
        case 1: return Mov<std::uint8_t>::select(form);
        case 2: return Mov<std::uint16_t>::select(form);
        case 4: return Mov<std::uint32_t>::select(form);
        default: return Mov<std::uint64_t>::select(form);
    }
}

// ---- moves that extend, test or reorder ----

template <class T, class S, OperandKind from>
Outcome move_zero_extended(Cpu& cpu, const Op& op) {
    const auto value = operand<S, from, 1>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    write_gpr<T>(cpu.state, op.reg[0], static_cast<T>(*value));
    return {};
}
template <class T, class S, OperandKind from>
Outcome move_sign_extended(Cpu& cpu, const Op& op) {
    const auto value = operand<S, from, 1>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    write_gpr<T>(cpu.state, op.reg[0], static_cast<T>(static_cast<std::make_signed_t<S>>(*value)));
    return {};
}

enum class Extension : std::uint8_t { zero, sign };

template <Extension extension>
Handler select_extended(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto to) {
        return by_bytes(form.bits[1] / 8U, [&](auto size) {
            return by_location(form.kind[1], [](auto from) -> Handler {
                using T = decltype(to);
                using S = decltype(size);
                if constexpr (extension == Extension::zero)
                    return move_zero_extended<T, S, decltype(from)::value>;
                else
                    return move_sign_extended<T, S, decltype(from)::value>;
            });
        });
    });
}

/// The source is read, and a 32-bit destination loses its upper half, whether or not the condition holds.
template <unsigned code, class T, OperandKind from>
Outcome move_if(Cpu& cpu, const Op& op) {
    const auto value = operand<T, from, 1>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    const bool holds = condition_holds(code, cpu.state.rflags);
    write_gpr<T>(cpu.state, op.reg[0], holds ? *value : read_gpr<T>(cpu.state, op.reg[0]));
    return {};
}
template <unsigned code>
Handler select_move_if(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[1], [](auto from) -> Handler {
            return move_if<code, decltype(size), decltype(from)::value>;
        });
    });
}

template <unsigned code, OperandKind to>
Outcome set_if(Cpu& cpu, const Op& op) {
    const std::uint8_t value = condition_holds(code, cpu.state.rflags) ? 1 : 0;
    if constexpr (to == OperandKind::memory) return store_operand(cpu, op, value);
    write_gpr(cpu.state, op.reg[0], value);
    return {};
}
template <unsigned code>
Handler select_set_if(const Form& form) {
    return by_location(form.kind[0], [](auto to) -> Handler { return set_if<code, decltype(to)::value>; });
}

template <class T>
Outcome load_effective_address(Cpu& cpu, const Op& op) {
    write_gpr(cpu.state, op.reg[0], static_cast<T>(effective_offset(cpu, op)));
    return {};
}
Handler select_lea(const Form& form) {
    return by_word_bytes(form.operand_bytes,
                         [](auto size) -> Handler { return load_effective_address<decltype(size)>; });
}

template <std::unsigned_integral T>
T reversed(T value) {
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    return static_cast<T>(__builtin_bswap64(value));
}

/// The 16-bit form is undefined; processors clear the register's low half (docs/UNDEFINED.md).
template <class T>
Outcome byte_swap(Cpu& cpu, const Op& op) {
    const T value = read_gpr<T>(cpu.state, op.reg[0]);
    write_gpr<T>(cpu.state, op.reg[0], sizeof(T) == 2 ? T{0} : reversed(value));
    return {};
}
Handler select_bswap(const Form& form) {
    return by_word_bytes(form.operand_bytes, [](auto size) -> Handler { return byte_swap<decltype(size)>; });
}

template <class T>
Outcome load_reversed(Cpu& cpu, const Op& op) {
    const auto value = load_operand<T>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    write_gpr(cpu.state, op.reg[0], reversed(*value));
    return {};
}
template <class T>
Outcome store_reversed(Cpu& cpu, const Op& op) {
    return store_operand(cpu, op, reversed(read_gpr<T>(cpu.state, op.reg[1])));
}
Handler select_movbe(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) -> Handler {
        using T = decltype(size);
        return form.is(OperandKind::gpr) ? load_reversed<T> : store_reversed<T>;
    });
}

// ---- the accumulator ----

Outcome translate_byte(Cpu& cpu, const Op& op) {
    const std::uint64_t offset = cpu.state.gpr[rbx] + read_gpr<std::uint8_t>(cpu.state, rax);
    const auto value = load<std::uint8_t>(cpu, op.segment, offset & mask_of_bytes(op.address_bytes));
    if (!value) return tl::unexpected{value.error()};
    write_gpr(cpu.state, rax, *value);
    return {};
}

/// CBW, CWDE, CDQE: the accumulator is extended within itself.
template <class T, class S>
Outcome extend_accumulator(Cpu& cpu, const Op& /*op*/) {
    const auto low = static_cast<std::make_signed_t<S>>(read_gpr<S>(cpu.state, rax));
    write_gpr(cpu.state, rax, static_cast<T>(low));
    return {};
}
/// CWD, CDQ, CQO: the accumulator's sign fills rDX.
template <class T>
Outcome extend_into_rdx(Cpu& cpu, const Op& /*op*/) {
    write_gpr<T>(cpu.state, rdx, static_cast<T>(top_bit(read_gpr<T>(cpu.state, rax)) ? ~T{0} : T{0}));
    return {};
}

constexpr std::uint64_t flags_in_ah = flag::sf | flag::zf | flag::af | flag::pf | flag::cf;
constexpr std::uint8_t ah = 16;

Outcome load_ah_from_flags(Cpu& cpu, const Op& /*op*/) {
    write_gpr(cpu.state, ah, static_cast<std::uint8_t>((cpu.state.rflags & flags_in_ah) | 2));
    return {};
}
Outcome store_ah_into_flags(Cpu& cpu, const Op& /*op*/) {
    const std::uint64_t value = read_gpr<std::uint8_t>(cpu.state, ah);
    cpu.state.rflags = (cpu.state.rflags & ~flags_in_ah) | (value & flags_in_ah);
    return {};
}
template <Handler handler>
Handler outside_64_bit_mode(const Form& form) {
    return form.code_bytes == 8 ? nullptr : handler;
}

/// SALC (D6), which the manual reserves and every processor has outside 64-bit mode: AL becomes CF.
Outcome set_al_from_carry(Cpu& cpu, const Op& /*op*/) {
    write_gpr<std::uint8_t>(cpu.state, rax, (cpu.state.rflags & flag::cf) != 0 ? 0xff : 0);
    return {};
}

/// BOUND: an index, signed, against the two bounds in memory.
template <class T>
Outcome check_bounds(Cpu& cpu, const Op& op) {
    using Signed = std::make_signed_t<T>;
    const std::uint64_t offset = effective_offset(cpu, op);
    const auto lower = load<T>(cpu, op.segment, offset);
    if (!lower) return tl::unexpected{lower.error()};
    const auto upper = load<T>(cpu, op.segment, (offset + sizeof(T)) & mask_of_bytes(op.address_bytes));
    if (!upper) return tl::unexpected{upper.error()};
    const auto index = static_cast<Signed>(read_gpr<T>(cpu.state, op.reg[0]));
    if (index < static_cast<Signed>(*lower) || index > static_cast<Signed>(*upper)) return raise(Vector::br);
    return {};
}
Handler select_bound(const Form& form) {
    return form.operand_bytes == 2 ? check_bounds<std::uint16_t> : check_bounds<std::uint32_t>;
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOV, Feature::always, select_mov},
    {ZYDIS_MNEMONIC_MOVZX, Feature::always, select_extended<Extension::zero>},
    {ZYDIS_MNEMONIC_MOVSX, Feature::always, select_extended<Extension::sign>},
    {ZYDIS_MNEMONIC_MOVSXD, Feature::always, select_extended<Extension::sign>},
    {ZYDIS_MNEMONIC_LEA, Feature::always, select_lea},
    {ZYDIS_MNEMONIC_BSWAP, Feature::always, select_bswap},
    {ZYDIS_MNEMONIC_MOVBE, Feature::movbe, select_movbe},
    {ZYDIS_MNEMONIC_XLAT, Feature::always, only<translate_byte>},
    {ZYDIS_MNEMONIC_CBW, Feature::always, only<extend_accumulator<std::uint16_t, std::uint8_t>>},
    {ZYDIS_MNEMONIC_CWDE, Feature::always, only<extend_accumulator<std::uint32_t, std::uint16_t>>},
    {ZYDIS_MNEMONIC_CDQE, Feature::always, only<extend_accumulator<std::uint64_t, std::uint32_t>>},
    {ZYDIS_MNEMONIC_CWD, Feature::always, only<extend_into_rdx<std::uint16_t>>},
    {ZYDIS_MNEMONIC_CDQ, Feature::always, only<extend_into_rdx<std::uint32_t>>},
    {ZYDIS_MNEMONIC_CQO, Feature::always, only<extend_into_rdx<std::uint64_t>>},
    {ZYDIS_MNEMONIC_LAHF, Feature::always, outside_64_bit_mode<load_ah_from_flags>},
    {ZYDIS_MNEMONIC_LAHF, Feature::lahf_64, only<load_ah_from_flags>},
    {ZYDIS_MNEMONIC_SAHF, Feature::always, outside_64_bit_mode<store_ah_into_flags>},
    {ZYDIS_MNEMONIC_SAHF, Feature::lahf_64, only<store_ah_into_flags>},
    {ZYDIS_MNEMONIC_SALC, Feature::always, only<set_al_from_carry>},
    {ZYDIS_MNEMONIC_BOUND, Feature::always, select_bound},
    {ZYDIS_MNEMONIC_CMOVO, Feature::cmov, select_move_if<0>},
    {ZYDIS_MNEMONIC_CMOVNO, Feature::cmov, select_move_if<1>},
    {ZYDIS_MNEMONIC_CMOVB, Feature::cmov, select_move_if<2>},
    {ZYDIS_MNEMONIC_CMOVNB, Feature::cmov, select_move_if<3>},
    {ZYDIS_MNEMONIC_CMOVZ, Feature::cmov, select_move_if<4>},
    {ZYDIS_MNEMONIC_CMOVNZ, Feature::cmov, select_move_if<5>},
    {ZYDIS_MNEMONIC_CMOVBE, Feature::cmov, select_move_if<6>},
    {ZYDIS_MNEMONIC_CMOVNBE, Feature::cmov, select_move_if<7>},
    {ZYDIS_MNEMONIC_CMOVS, Feature::cmov, select_move_if<8>},
    {ZYDIS_MNEMONIC_CMOVNS, Feature::cmov, select_move_if<9>},
    {ZYDIS_MNEMONIC_CMOVP, Feature::cmov, select_move_if<10>},
    {ZYDIS_MNEMONIC_CMOVNP, Feature::cmov, select_move_if<11>},
    {ZYDIS_MNEMONIC_CMOVL, Feature::cmov, select_move_if<12>},
    {ZYDIS_MNEMONIC_CMOVNL, Feature::cmov, select_move_if<13>},
    {ZYDIS_MNEMONIC_CMOVLE, Feature::cmov, select_move_if<14>},
    {ZYDIS_MNEMONIC_CMOVNLE, Feature::cmov, select_move_if<15>},
    {ZYDIS_MNEMONIC_SETO, Feature::always, select_set_if<0>},
    {ZYDIS_MNEMONIC_SETNO, Feature::always, select_set_if<1>},
    {ZYDIS_MNEMONIC_SETB, Feature::always, select_set_if<2>},
    {ZYDIS_MNEMONIC_SETNB, Feature::always, select_set_if<3>},
    {ZYDIS_MNEMONIC_SETZ, Feature::always, select_set_if<4>},
    {ZYDIS_MNEMONIC_SETNZ, Feature::always, select_set_if<5>},
    {ZYDIS_MNEMONIC_SETBE, Feature::always, select_set_if<6>},
    {ZYDIS_MNEMONIC_SETNBE, Feature::always, select_set_if<7>},
    {ZYDIS_MNEMONIC_SETS, Feature::always, select_set_if<8>},
    {ZYDIS_MNEMONIC_SETNS, Feature::always, select_set_if<9>},
    {ZYDIS_MNEMONIC_SETP, Feature::always, select_set_if<10>},
    {ZYDIS_MNEMONIC_SETNP, Feature::always, select_set_if<11>},
    {ZYDIS_MNEMONIC_SETL, Feature::always, select_set_if<12>},
    {ZYDIS_MNEMONIC_SETNL, Feature::always, select_set_if<13>},
    {ZYDIS_MNEMONIC_SETLE, Feature::always, select_set_if<14>},
    {ZYDIS_MNEMONIC_SETNLE, Feature::always, select_set_if<15>},
};

}  // namespace

std::span<const Row> transfer_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
