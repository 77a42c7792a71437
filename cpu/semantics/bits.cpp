#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Single bits, searches for bits, and fields of bits. SDM volume 2, the instructions by name. The values of
// flags that the manual leaves undefined are in docs/UNDEFINED.md.
namespace hyperstep::cpu {
namespace {

// ---- BT, BTS, BTR, BTC: what becomes of the bit ----

struct Keep {
    static constexpr Writes writes = Writes::flags_only;
    template <class T>
    static T apply(T value, T /*bit*/) {
        return value;
    }
};
struct Set {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static T apply(T value, T bit) {
        return static_cast<T>(value | bit);
    }
};
struct Reset {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static T apply(T value, T bit) {
        return static_cast<T>(value & ~bit);
    }
};
struct Complement {
    static constexpr Writes writes = Writes::destination;
    template <class T>
    static T apply(T value, T bit) {
        return static_cast<T>(value ^ bit);
    }
};

/// Only CF changes.
template <class T>
void set_carry_from(Cpu& cpu, T value, T bit) {
    cpu.state.rflags = (cpu.state.rflags & ~flag::cf) | flag_if((value & bit) != 0, flag::cf);
}

template <class Operation, class T, OperandKind from>
Outcome test_bit_of_register(Cpu& cpu, const Op& op) {
    const T number = *operand<T, from, 1>(cpu, op);
    const T bit = static_cast<T>(T{1} << (number % bits_of<T>));
    const T value = read_gpr<T>(cpu.state, op.reg[0]);
    // BT is the only one that leaves a 32-bit register's upper half alone.
    if constexpr (Operation::writes == Writes::destination)
        write_gpr(cpu.state, op.reg[0], Operation::apply(value, bit));
    set_carry_from(cpu, value, bit);
    return {};
}

/// A register counts bits from the operand's address on, in both directions; an immediate only within the
/// operand. SDM "Bit(BitBase, BitOffset)".
template <class Operation, class T, OperandKind from>
Outcome test_bit_of_memory(Cpu& cpu, const Op& op) {
    const T number = *operand<T, from, 1>(cpu, op);
    std::uint64_t offset = effective_offset(cpu, op);
    if constexpr (from == OperandKind::gpr) {
        const std::int64_t bits = static_cast<std::make_signed_t<T>>(number);
        const std::int64_t words = bits >> std::countr_zero(bits_of<T>);
        offset += static_cast<std::uint64_t>(words) * sizeof(T);
        offset &= mask_of_bytes(op.address_bytes);
    }
    const T bit = static_cast<T>(T{1} << (number % bits_of<T>));
    if constexpr (Operation::writes == Writes::destination) {
        const auto place = prepare_store<T>(cpu, op.segment, offset);
        if (!place) return tl::unexpected{place.error()};
        const T value = read<T>(cpu, *place);
        write<T>(cpu, *place, Operation::apply(value, bit));
        set_carry_from(cpu, value, bit);
    } else {
        const auto value = load<T>(cpu, op.segment, offset);
        if (!value) return tl::unexpected{value.error()};
        set_carry_from(cpu, *value, bit);
    }
    return {};
}

template <class Operation>
Handler bit_test(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) {
        return by_register_or_immediate(form.kind[1], [&](auto from) -> Handler {
            using T = decltype(size);
            if (form.is(OperandKind::gpr)) return test_bit_of_register<Operation, T, decltype(from)::value>;
            return test_bit_of_memory<Operation, T, decltype(from)::value>;
        });
    });
}

// ---- searches and counts ----

enum class Direction : std::uint8_t { forward, reverse };

/// BSF, BSR. A source of zero leaves the destination as it is, all 64 bits of it.
template <Direction direction, class T, OperandKind from>
Outcome scan_bits(Cpu& cpu, const Op& op) {
    const auto source = operand<T, from, 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    if (*source == 0) {
        cpu.state.rflags |= flag::zf;
        return {};
    }
    const int place = direction == Direction::forward
                          ? std::countr_zero(*source)
                          : static_cast<int>(bits_of<T>) - 1 - std::countl_zero(*source);
    write_gpr(cpu.state, op.reg[0], static_cast<T>(place));
    cpu.state.rflags &= ~flag::zf;
    return {};
}
template <Direction direction>
Handler select_scan(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[1], [](auto from) -> Handler {
            return scan_bits<direction, decltype(size), decltype(from)::value>;
        });
    });
}

/// LZCNT, TZCNT: ZF and CF change.
template <Direction direction>
struct CountZeros {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& /*op*/, T source) {
        const int count =
            direction == Direction::forward ? std::countr_zero(source) : std::countl_zero(source);
        const std::uint64_t kept = cpu.state.rflags & (flag::status & ~(flag::zf | flag::cf));
        return {static_cast<T>(count), kept | flag_if(count == 0, flag::zf) | flag_if(source == 0, flag::cf)};
    }
};
struct CountOnes {
    template <class T>
    static Arithmetic<T> apply(Cpu& /*cpu*/, const Op& /*op*/, T source) {
        return {static_cast<T>(std::popcount(source)), flag_if(source == 0, flag::zf)};
    }
};

// ---- BMI1 and BMI2. OF is cleared; CF is each instruction's own ----

struct AndNot {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const T value = static_cast<T>(~read_gpr<T>(cpu.state, op.reg[1]) & source);
        return {value, result_flags(value)};
    }
};
struct LowestSetBit {
    template <class T>
    static Arithmetic<T> apply(Cpu& /*cpu*/, const Op& /*op*/, T source) {
        const T value = static_cast<T>((0 - source) & source);
        return {value, result_flags(value) | flag_if(source != 0, flag::cf)};
    }
};
struct ResetLowestSetBit {
    template <class T>
    static Arithmetic<T> apply(Cpu& /*cpu*/, const Op& /*op*/, T source) {
        const T value = static_cast<T>((source - 1) & source);
        return {value, result_flags(value) | flag_if(source == 0, flag::cf)};
    }
};
struct MaskToLowestSetBit {
    template <class T>
    static Arithmetic<T> apply(Cpu& /*cpu*/, const Op& /*op*/, T source) {
        const T value = static_cast<T>((source - 1) ^ source);
        return {value, result_flags(value) | flag_if(source == 0, flag::cf)};
    }
};
/// The control is start and length, a byte each.
struct ExtractField {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const auto control = read_gpr<std::uint16_t>(cpu.state, op.reg[2]);
        const unsigned start = control & 0xff;
        const unsigned length = control >> 8;
        T value = start < bits_of<T> ? static_cast<T>(source >> start) : T{0};
        if (length < bits_of<T>) value &= static_cast<T>((T{1} << length) - 1);
        return {value, result_flags(value)};
    }
};
struct ZeroHighBits {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T source) {
        const unsigned first = read_gpr<std::uint8_t>(cpu.state, op.reg[2]);
        const bool beyond = first >= bits_of<T>;
        const T value = beyond ? source : static_cast<T>(source & ((T{1} << first) - 1));
        return {value, result_flags(value) | flag_if(beyond, flag::cf)};
    }
};

/// PDEP, PEXT: the mask is the second source; no flags.
struct Deposit {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T mask) {
        T from = read_gpr<T>(cpu.state, op.reg[1]);
        T value = 0;
        for (; mask != 0; mask = static_cast<T>(mask & (mask - 1)), from = static_cast<T>(from >> 1))
            if ((from & 1) != 0) value |= static_cast<T>(mask & (0 - mask));
        return {value, cpu.state.rflags};
    }
};
struct Extract {
    template <class T>
    static Arithmetic<T> apply(Cpu& cpu, const Op& op, T mask) {
        const T from = read_gpr<T>(cpu.state, op.reg[1]);
        T value = 0;
        for (T bit = 1; mask != 0; mask = static_cast<T>(mask & (mask - 1)), bit = static_cast<T>(bit << 1))
            if ((from & mask & (0 - mask)) != 0) value |= bit;
        return {value, cpu.state.rflags};
    }
};

// ---- CRC32, with the polynomial 11EDC6F41, bits reflected ----

template <class S>
std::uint32_t crc_of(std::uint32_t crc, S source) {
    constexpr std::uint32_t reflected = 0x82f6'3b78;
    for (unsigned byte = 0; byte < sizeof(S); ++byte) {
        crc ^= static_cast<std::uint8_t>(source >> (8 * byte));
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? reflected : 0);
    }
    return crc;
}
template <class S, OperandKind from>
Outcome accumulate_crc(Cpu& cpu, const Op& op) {
    const auto source = operand<S, from, 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    write_gpr(cpu.state, op.reg[0], crc_of(read_gpr<std::uint32_t>(cpu.state, op.reg[0]), *source));
    return {};
}
Handler select_crc32(const Form& form) {
    return by_bytes(form.bits[1] / 8U, [&](auto size) {
        return by_location(form.kind[1], [](auto from) -> Handler {
            return accumulate_crc<decltype(size), decltype(from)::value>;
        });
    });
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_BT, Feature::always, bit_test<Keep>},
    {ZYDIS_MNEMONIC_BTS, Feature::always, bit_test<Set>},
    {ZYDIS_MNEMONIC_BTR, Feature::always, bit_test<Reset>},
    {ZYDIS_MNEMONIC_BTC, Feature::always, bit_test<Complement>},
    {ZYDIS_MNEMONIC_BSF, Feature::always, select_scan<Direction::forward>},
    {ZYDIS_MNEMONIC_BSR, Feature::always, select_scan<Direction::reverse>},
    {ZYDIS_MNEMONIC_TZCNT, Feature::bmi1, register_of_source<CountZeros<Direction::forward>>},
    {ZYDIS_MNEMONIC_LZCNT, Feature::lzcnt, register_of_source<CountZeros<Direction::reverse>>},
    {ZYDIS_MNEMONIC_POPCNT, Feature::popcnt, register_of_source<CountOnes>},
    {ZYDIS_MNEMONIC_ANDN, Feature::bmi1, register_of_source<AndNot, 2>},
    {ZYDIS_MNEMONIC_BLSI, Feature::bmi1, register_of_source<LowestSetBit>},
    {ZYDIS_MNEMONIC_BLSR, Feature::bmi1, register_of_source<ResetLowestSetBit>},
    {ZYDIS_MNEMONIC_BLSMSK, Feature::bmi1, register_of_source<MaskToLowestSetBit>},
    {ZYDIS_MNEMONIC_BEXTR, Feature::bmi1, register_of_source<ExtractField>},
    {ZYDIS_MNEMONIC_BZHI, Feature::bmi2, register_of_source<ZeroHighBits>},
    {ZYDIS_MNEMONIC_PDEP, Feature::bmi2, register_of_source<Deposit, 2>},
    {ZYDIS_MNEMONIC_PEXT, Feature::bmi2, register_of_source<Extract, 2>},
    {ZYDIS_MNEMONIC_CRC32, Feature::sse4_2, select_crc32},
};

}  // namespace

std::span<const Row> bits_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
