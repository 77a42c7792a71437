#include <Zydis/Mnemonic.h>
#include <array>

#include "cpu/semantics/forms.hpp"

// Caches, ordering, hints, and stores that go around caches. Memory has no caches here and its accesses
// happen in program order, so only what can fault is left of most of these.
namespace hyperstep::cpu {
namespace {

Outcome do_nothing(Cpu& /*cpu*/, const Op& /*op*/) {
    return {};
}

/// CLFLUSH, CLFLUSHOPT, CLWB: checked like a load of a byte, except that an execute-only segment is allowed.
Outcome check_line(Cpu& cpu, const Op& op) {
    const auto linear = linear_address(cpu, op.segment, effective_offset(cpu, op), 1, mmu::Access::fetch);
    if (!linear) return tl::unexpected{linear.error()};
    HS_TRY(translate(cpu, *linear, 1, mmu::Access::read, Accessor::program));
    return {};
}

/// MOVNTI, MOVDIRI.
template <class T>
Outcome store_register(Cpu& cpu, const Op& op) {
    return store_operand<T>(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
}
Handler select_store(const Form& form) {
    return form.operand_bytes == 8 ? store_register<std::uint64_t> : store_register<std::uint32_t>;
}

/// MOVDIR64B: from memory to ES:register, which must be aligned to 64 bytes: #GP(0).
Outcome move_line(Cpu& cpu, const Op& op) {
    using Line = std::array<std::uint64_t, 8>;
    const std::uint64_t offset = read_sized(cpu.state, op.reg[0], op.address_bytes);
    const auto linear = linear_address(cpu, es, offset, sizeof(Line), mmu::Access::write);
    if (!linear) return tl::unexpected{linear.error()};
    if (*linear % sizeof(Line) != 0) return general_protection();
    const auto from = prepare_load<Line>(cpu, op.segment, effective_offset(cpu, op));
    if (!from) return tl::unexpected{from.error()};
    const auto to = translate(cpu, *linear, sizeof(Line), mmu::Access::write, Accessor::program);
    if (!to) return tl::unexpected{to.error()};
    write(cpu, *to, read<Line>(cpu, *from));
    return {};
}

// PREFETCH, and hints that the processor does not have, are no operations on every processor.
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_NOP, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_ENDBR32, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_ENDBR64, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCH, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHNTA, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT0, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT1, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT2, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHW, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_PREFETCHWT1, Feature::always, only<do_nothing>},
    {ZYDIS_MNEMONIC_CLFLUSH, Feature::clfsh, only<check_line>},
    {ZYDIS_MNEMONIC_CLFLUSHOPT, Feature::clflushopt, only<check_line>},
    {ZYDIS_MNEMONIC_CLWB, Feature::clwb, only<check_line>},
    {ZYDIS_MNEMONIC_SFENCE, Feature::sse, only<do_nothing>},
    {ZYDIS_MNEMONIC_LFENCE, Feature::sse2, only<do_nothing>},
    {ZYDIS_MNEMONIC_MFENCE, Feature::sse2, only<do_nothing>},
    {ZYDIS_MNEMONIC_MOVNTI, Feature::sse2, select_store},
    {ZYDIS_MNEMONIC_MOVDIRI, Feature::movdiri, select_store},
    {ZYDIS_MNEMONIC_MOVDIR64B, Feature::movdir64b, only<move_line>},
};

}  // namespace

std::span<const Row> cache_control_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
