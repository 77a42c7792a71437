#include <Zydis/Mnemonic.h>

#include "cpu/descriptors.hpp"
#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"
#include "cpu/privilege.hpp"
#include "cpu/segment_loads.hpp"

// GDTR, IDTR, LDTR, TR, and questions about descriptors: LAR, LSL, VERR, VERW, ARPL.
namespace hyperstep::cpu {
namespace {

Outcome require_protected_mode(const Cpu& cpu) {
    if (!cpu.protected_mode()) return undefined_opcode();
    return {};
}
/// SDM "User-Mode Instruction Prevention".
Outcome require_not_prevented(const Cpu& cpu) {
    if (cpu.cr4()[Cr4::umip] && cpu.cpl != 0) return general_protection();
    return {};
}

// ---- GDTR and IDTR

Outcome load_table_register(Cpu& cpu, const Op& op, TableRegister& to) {
    HS_TRY(require_most_privileged(cpu));
    const std::uint64_t offset = effective_offset(cpu, op);
    HS_TRY(intercept(cpu, InterceptPoint::gdtr_idtr_access, {.op = &op, .address = offset}));
    const auto limit = load<std::uint16_t>(cpu, op.segment, offset);
    if (!limit) return tl::unexpected{limit.error()};
    const std::uint64_t second = (offset + 2) & mask_of_bytes(op.address_bytes);
    if (cpu.mode == Mode::long_64) {
        const auto base = load<std::uint64_t>(cpu, op.segment, second);
        if (!base) return tl::unexpected{base.error()};
        if (!is_canonical(cpu, *base)) return general_protection();
        to = {.base = *base, .limit = *limit};
        return {};
    }
    const auto base = load<std::uint32_t>(cpu, op.segment, second);
    if (!base) return tl::unexpected{base.error()};
    to = {.base = op.operand_bytes == 2 ? *base & 0xff'ffff : *base, .limit = *limit};
    return {};
}

/// All 32 bits of the base are stored also with a 16-bit operand.
Outcome store_table_register(Cpu& cpu, const Op& op, const TableRegister& from) {
    HS_TRY(require_not_prevented(cpu));
    const std::uint64_t offset = effective_offset(cpu, op);
    HS_TRY(intercept(cpu, InterceptPoint::gdtr_idtr_access, {.op = &op, .address = offset, .is_read = true}));
    const std::uint64_t second = (offset + 2) & mask_of_bytes(op.address_bytes);
    const auto limit = prepare_store<std::uint16_t>(cpu, op.segment, offset);
    if (!limit) return tl::unexpected{limit.error()};
    if (cpu.mode == Mode::long_64)
        HS_TRY(store<std::uint64_t>(cpu, op.segment, second, from.base));
    else
        HS_TRY(store(cpu, op.segment, second, static_cast<std::uint32_t>(from.base)));
    write(cpu, *limit, from.limit);
    return {};
}

template <TableRegister State::*which>
Outcome load_table(Cpu& cpu, const Op& op) {
    return load_table_register(cpu, op, cpu.state.*which);
}
template <TableRegister State::*which>
Outcome store_table(Cpu& cpu, const Op& op) {
    return store_table_register(cpu, op, cpu.state.*which);
}

// ---- LDTR and TR

template <Segment State::*which>
Outcome store_selector(Cpu& cpu, const Op& op) {
    HS_TRY(require_protected_mode(cpu));
    HS_TRY(require_not_prevented(cpu));
    const bool in_memory = op.has(op_flag::has_memory);
    const std::uint64_t offset = in_memory ? effective_offset(cpu, op) : 0;
    HS_TRY(intercept(cpu, InterceptPoint::ldtr_tr_access, {.op = &op, .address = offset, .is_read = true}));
    const std::uint16_t selector = (cpu.state.*which).selector;
    if (in_memory) return store(cpu, op.segment, offset, selector);
    write_sized(cpu.state, op.reg[0], op.operand_bytes, selector);
    return {};
}

/// A selector in a register or in memory.
Expected<std::uint16_t> selector_operand(Cpu& cpu, const Op& op, unsigned position) {
    if (op.has(op_flag::has_memory)) return load_operand<std::uint16_t>(cpu, op);
    return read_gpr<std::uint16_t>(cpu.state, op.reg[position]);
}

Expected<std::uint16_t> selector_to_load(Cpu& cpu, const Op& op) {
    HS_TRY(require_protected_mode(cpu));
    HS_TRY(require_most_privileged(cpu));
    const std::uint64_t offset = op.has(op_flag::has_memory) ? effective_offset(cpu, op) : 0;
    HS_TRY(intercept(cpu, InterceptPoint::ldtr_tr_access, {.op = &op, .address = offset}));
    return selector_operand(cpu, op, 0);
}

Outcome lldt(Cpu& cpu, const Op& op) {
    const auto selector = selector_to_load(cpu, op);
    if (!selector) return tl::unexpected{selector.error()};
    const auto loaded = checked_ldtr(cpu, *selector, Vector::gp, Vector::np);
    if (!loaded) return tl::unexpected{loaded.error()};
    cpu.state.ldtr = *loaded;
    return {};
}

bool is_available_tss(const Cpu& cpu, Descriptor descriptor) {
    if (!descriptor.is_system()) return false;
    if (descriptor[Descriptor::type] == tss_32_available) return true;
    return descriptor[Descriptor::type] == tss_16_available && !cpu.efer()[Efer::lma];
}

Outcome ltr(Cpu& cpu, const Op& op) {
    const auto selector = selector_to_load(cpu, op);
    if (!selector) return tl::unexpected{selector.error()};
    const std::uint32_t error_code = error_code_of(*selector);
    if (is_null(*selector)) return general_protection();
    if ((*selector & 4) != 0) return general_protection(error_code);
    const auto entry = read_descriptor(cpu, *selector, Vector::gp);
    if (!entry) return tl::unexpected{entry.error()};
    Segment loaded = segment_of(*selector, entry->descriptor);
    if (!is_available_tss(cpu, entry->descriptor)) return general_protection(error_code);
    if (!entry->descriptor[Descriptor::p]) return raise(Vector::np, error_code);
    if (cpu.efer()[Efer::lma]) {
        const auto upper = read_upper_descriptor(cpu, *selector, Vector::gp);
        if (!upper) return tl::unexpected{upper.error()};
        loaded.base |= *upper << 32;
        if ((*upper >> 40 & 0x1f) != 0 || !is_canonical(cpu, loaded.base))
            return general_protection(error_code);
    }
    constexpr std::uint64_t busy = 2;
    loaded.rights.raw |= busy;
    HS_TRY(store_system(cpu, entry->address + 5, static_cast<std::uint8_t>(loaded.rights.raw)));
    cpu.state.tr = loaded;
    return {};
}

// ---- questions about a descriptor: ZF is the answer

void answer(Cpu& cpu, bool yes) {
    cpu.state.rflags = cpu.rflags().raw & ~flag::zf;
    if (yes) cpu.state.rflags |= flag::zf;
}

/// The descriptor, zero (which no question is answered with yes for) if the selector is null or beyond its
/// table.
Expected<Descriptor> descriptor_in_question(Cpu& cpu, std::uint16_t selector) {
    if (is_null(selector)) return Descriptor{};
    const auto entry = read_descriptor(cpu, selector, Vector::gp);
    if (entry) return entry->descriptor;
    if (entry.error().vector == Vector::gp && entry.error().kind == Fault::Kind::exception)
        return Descriptor{};
    return tl::unexpected{entry.error()};
}

bool is_visible(const Cpu& cpu, Descriptor descriptor, std::uint16_t selector) {
    const auto dpl = descriptor[Descriptor::dpl];
    return descriptor.is_conforming() || (cpu.cpl <= dpl && rpl_of(selector) <= dpl);
}

/// Bit i: system descriptors of type i may be asked about. SDM "LAR", "LSL", the tables of types.
struct AskableTypes {
    std::uint16_t legacy = 0;
    std::uint16_t ia32e = 0;
};
constexpr AskableTypes types_of_lar{.legacy = 0b0001'1010'0011'1110, .ia32e = 0b0001'1010'0000'0100};
constexpr AskableTypes types_of_lsl{.legacy = 0b0000'1010'0000'1110, .ia32e = 0b0000'1010'0000'0100};

bool is_askable(const Cpu& cpu, Descriptor descriptor, AskableTypes types) {
    if (!descriptor.is_system()) return true;
    const unsigned allowed = cpu.efer()[Efer::lma] ? types.ia32e : types.legacy;
    return (allowed >> descriptor[Descriptor::type] & 1) != 0;
}

/// The upper half without base and reserved bits. Model: bits 19:16, which are undefined, are those of the
/// limit, as on processors.
std::uint64_t rights_for_lar(Descriptor descriptor) {
    return descriptor.raw >> 32 & 0x00ff'ff00;
}
std::uint64_t limit_for_lsl(Descriptor descriptor) {
    return descriptor.limit();
}

template <AskableTypes const& types, std::uint64_t (*value)(Descriptor)>
Outcome load_about(Cpu& cpu, const Op& op) {
    HS_TRY(require_protected_mode(cpu));
    const auto selector = selector_operand(cpu, op, 1);
    if (!selector) return tl::unexpected{selector.error()};
    const auto descriptor = descriptor_in_question(cpu, *selector);
    if (!descriptor) return tl::unexpected{descriptor.error()};
    const bool yes = is_askable(cpu, *descriptor, types) && is_visible(cpu, *descriptor, *selector);
    if (yes) write_sized(cpu.state, op.reg[0], op.operand_bytes, value(*descriptor));
    answer(cpu, yes);
    return {};
}

bool is_readable(Descriptor descriptor) {
    return descriptor.is_data() || (descriptor.is_code() && descriptor[Descriptor::writable]);
}
bool is_writable(Descriptor descriptor) {
    return descriptor.is_writable_data();
}

/// VERR and VERW.
template <bool (*allows)(Descriptor)>
Outcome verify(Cpu& cpu, const Op& op) {
    HS_TRY(require_protected_mode(cpu));
    const auto selector = selector_operand(cpu, op, 0);
    if (!selector) return tl::unexpected{selector.error()};
    const auto descriptor = descriptor_in_question(cpu, *selector);
    if (!descriptor) return tl::unexpected{descriptor.error()};
    answer(cpu, allows(*descriptor) && is_visible(cpu, *descriptor, *selector));
    return {};
}

Outcome arpl(Cpu& cpu, const Op& op) {
    HS_TRY(require_protected_mode(cpu));
    const auto adjusted = [&](std::uint16_t selector) {
        const std::uint16_t source = read_gpr<std::uint16_t>(cpu.state, op.reg[1]);
        const bool is_lower = rpl_of(selector) < rpl_of(source);
        answer(cpu, is_lower);
        return is_lower ? static_cast<std::uint16_t>((selector & 0xfffcU) | rpl_of(source)) : selector;
    };
    if (!op.has(op_flag::has_memory)) {
        const auto selector = read_gpr<std::uint16_t>(cpu.state, op.reg[0]);
        write_gpr<std::uint16_t>(cpu.state, op.reg[0], adjusted(selector));
        return {};
    }
    const auto place = prepare_operand<std::uint16_t>(cpu, op);
    if (!place) return tl::unexpected{place.error()};
    write(cpu, *place, adjusted(read<std::uint16_t>(cpu, *place)));
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_LGDT, Feature::always, only<load_table<&State::gdtr>>},
    {ZYDIS_MNEMONIC_LIDT, Feature::always, only<load_table<&State::idtr>>},
    {ZYDIS_MNEMONIC_SGDT, Feature::always, only<store_table<&State::gdtr>>},
    {ZYDIS_MNEMONIC_SIDT, Feature::always, only<store_table<&State::idtr>>},
    {ZYDIS_MNEMONIC_SLDT, Feature::always, only<store_selector<&State::ldtr>>},
    {ZYDIS_MNEMONIC_STR, Feature::always, only<store_selector<&State::tr>>},
    {ZYDIS_MNEMONIC_LLDT, Feature::always, only<lldt>},
    {ZYDIS_MNEMONIC_LTR, Feature::always, only<ltr>},
    {ZYDIS_MNEMONIC_LAR, Feature::always, only<load_about<types_of_lar, rights_for_lar>>},
    {ZYDIS_MNEMONIC_LSL, Feature::always, only<load_about<types_of_lsl, limit_for_lsl>>},
    {ZYDIS_MNEMONIC_VERR, Feature::always, only<verify<is_readable>>},
    {ZYDIS_MNEMONIC_VERW, Feature::always, only<verify<is_writable>>},
    {ZYDIS_MNEMONIC_ARPL, Feature::always, only<arpl>},
};

}  // namespace

std::span<const Row> descriptor_tables_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
