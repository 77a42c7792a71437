#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Decimal adjustments, which 64-bit mode does not have. SDM "Decimal Arithmetic Instructions". Which values
// the undefined flags get is in docs/UNDEFINED.md.
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t carries = flag::cf | flag::af;

std::uint8_t read_al(const Cpu& cpu) {
    return read_gpr<std::uint8_t>(cpu.state, rax);
}

/// DAA and DAS: `direction` is 1 or -1.
template <int direction>
Outcome adjust_packed(Cpu& cpu, const Op& /*op*/) {
    const std::uint8_t old = read_al(cpu);
    const std::uint64_t flags = cpu.state.rflags;
    unsigned correction = 0;
    std::uint64_t after = 0;
    if ((old & 0xf) > 9 || (flags & flag::af) != 0) {
        correction = 6;
        after |= flag::af;
        const bool borrows = direction < 0 ? old < 6 : old > 0xf9;
        if (borrows) after |= flag::cf;
    }
    if ((flags & flag::cf) != 0) after |= flag::cf;
    if (old > 0x99 || (flags & flag::cf) != 0) {
        correction += 0x60;
        after |= flag::cf;
    }
    const auto value = static_cast<std::uint8_t>(direction < 0 ? old - correction : old + correction);
    write_gpr(cpu.state, rax, value);
    set_status(cpu, after | result_flags(value));
    return {};
}

/// AAA and AAS: `direction` is 1 or -1.
template <int direction>
Outcome adjust_unpacked(Cpu& cpu, const Op& /*op*/) {
    const bool adjusts = (read_al(cpu) & 0xf) > 9 || (cpu.state.rflags & flag::af) != 0;
    unsigned accumulator = read_gpr<std::uint16_t>(cpu.state, rax);
    if (adjusts) accumulator = direction < 0 ? accumulator - 0x106 : accumulator + 0x106;
    const auto value = static_cast<std::uint16_t>(accumulator & 0xff0f);
    write_gpr(cpu.state, rax, value);
    set_status(cpu, (adjusts ? carries : 0) | result_flags(static_cast<std::uint8_t>(value)));
    return {};
}

/// AAM: #DE if the base is 0.
Outcome split_digits(Cpu& cpu, const Op& op) {
    const auto base = static_cast<std::uint8_t>(op.immediate);
    if (base == 0) return raise(Vector::de);
    const std::uint8_t old = read_al(cpu);
    const auto low = static_cast<std::uint8_t>(old % base);
    write_gpr(cpu.state, rax, static_cast<std::uint16_t>((old / base) << 8 | low));
    set_status(cpu, result_flags(low));
    return {};
}
/// AAD.
Outcome join_digits(Cpu& cpu, const Op& op) {
    const unsigned accumulator = read_gpr<std::uint16_t>(cpu.state, rax);
    const auto base = static_cast<std::uint8_t>(op.immediate);
    const auto value = static_cast<std::uint8_t>(accumulator + (accumulator >> 8) * base);
    write_gpr<std::uint16_t>(cpu.state, rax, value);
    set_status(cpu, result_flags(value));
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_DAA, Feature::always, only<adjust_packed<1>>},
    {ZYDIS_MNEMONIC_DAS, Feature::always, only<adjust_packed<-1>>},
    {ZYDIS_MNEMONIC_AAA, Feature::always, only<adjust_unpacked<1>>},
    {ZYDIS_MNEMONIC_AAS, Feature::always, only<adjust_unpacked<-1>>},
    {ZYDIS_MNEMONIC_AAM, Feature::always, only<split_digits>},
    {ZYDIS_MNEMONIC_AAD, Feature::always, only<join_digits>},
};

}  // namespace

std::span<const Row> decimal_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
