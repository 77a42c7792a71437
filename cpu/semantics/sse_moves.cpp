#include <Zydis/Mnemonic.h>

#include "cpu/semantics/vector_moves.hpp"

namespace hyperstep::cpu {
namespace {

using namespace vector_moves;
using enum Alignment;
constexpr Encoding sse = Encoding::sse;

/// MOVNTI: a general register to memory. It does not use SSE's state, so nothing of it is checked.
template <class T>
Outcome movnti(Cpu& cpu, const Op& op) {
    return store_operand<T>(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
}
Handler select_movnti(const Form& form) {
    return form.bits[0] == 64 ? movnti<std::uint64_t> : movnti<std::uint32_t>;
}
/// MOVSD is also the name of a string instruction.
Handler select_movsd(const Form& form) {
    if (!form.is(OperandKind::xmm) && form.kind[1] != OperandKind::xmm) return nullptr;
    return Scalar<sse, std::uint64_t>::select(form);
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOVAPS, Feature::sse, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVAPD, Feature::sse2, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVDQA, Feature::sse2, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVNTPS, Feature::sse, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVNTPD, Feature::sse2, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVNTDQ, Feature::sse2, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVNTDQA, Feature::sse4_1, whole_sse<natural>},
    {ZYDIS_MNEMONIC_MOVUPS, Feature::sse, whole_sse<any>},
    {ZYDIS_MNEMONIC_MOVUPD, Feature::sse2, whole_sse<any>},
    {ZYDIS_MNEMONIC_MOVDQU, Feature::sse2, whole_sse<any>},
    {ZYDIS_MNEMONIC_LDDQU, Feature::sse3, whole_sse<any>},
    {ZYDIS_MNEMONIC_MOVSS, Feature::sse, select<Scalar<sse, std::uint32_t>>},
    {ZYDIS_MNEMONIC_MOVSD, Feature::sse2, select_movsd},
    {ZYDIS_MNEMONIC_MOVLPS, Feature::sse, select<Half<sse, 0, 0>>},
    {ZYDIS_MNEMONIC_MOVLPD, Feature::sse2, select<Half<sse, 0, 0>>},
    {ZYDIS_MNEMONIC_MOVHPS, Feature::sse, select<Half<sse, 1, 0>>},
    {ZYDIS_MNEMONIC_MOVHPD, Feature::sse2, select<Half<sse, 1, 0>>},
    {ZYDIS_MNEMONIC_MOVHLPS, Feature::sse, select<Half<sse, 0, 1>>},
    {ZYDIS_MNEMONIC_MOVLHPS, Feature::sse, select<Half<sse, 1, 0>>},
    {ZYDIS_MNEMONIC_MOVD, Feature::sse2, select<Low<sse, std::uint32_t>>},
    {ZYDIS_MNEMONIC_MOVQ, Feature::sse2, select<Low<sse, std::uint64_t>>},
    {ZYDIS_MNEMONIC_MOVNTI, Feature::sse2, select_movnti},
};

}  // namespace

std::span<const Row> sse_moves_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
