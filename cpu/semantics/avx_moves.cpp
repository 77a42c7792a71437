#include <Zydis/Mnemonic.h>

#include "cpu/semantics/vector_moves.hpp"

// The moves of SSE in VEX's forms.
namespace hyperstep::cpu {
namespace {

using namespace vector_moves;
using enum Alignment;
constexpr Encoding vex = Encoding::vex;

Outcome vzeroupper(Cpu& cpu, const Op& /*op*/) {
    HS_TRY(check_vex(cpu));
    // Outside 64-bit mode the registers from 8 on do not exist for it.
    const unsigned count = cpu.mode == Mode::long_64 ? 16 : 8;
    for (unsigned i = 0; i < count; ++i) set_xmm<vex>(cpu.state, i, xmm(cpu.state, i));
    return {};
}
Outcome vzeroall(Cpu& cpu, const Op& /*op*/) {
    HS_TRY(check_vex(cpu));
    const unsigned count = cpu.mode == Mode::long_64 ? 16 : 8;
    for (unsigned i = 0; i < count; ++i) set_xmm<vex>(cpu.state, i, {});
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_VMOVAPS, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVAPD, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVDQA, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVNTPS, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVNTPD, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVNTDQ, Feature::avx, whole_vex<natural>},
    {ZYDIS_MNEMONIC_VMOVNTDQA, Feature::avx, whole_vex_aligned<16>},
    {ZYDIS_MNEMONIC_VMOVNTDQA, Feature::avx2, whole_vex_aligned<32>},
    {ZYDIS_MNEMONIC_VMOVUPS, Feature::avx, whole_vex<any>},
    {ZYDIS_MNEMONIC_VMOVUPD, Feature::avx, whole_vex<any>},
    {ZYDIS_MNEMONIC_VMOVDQU, Feature::avx, whole_vex<any>},
    {ZYDIS_MNEMONIC_VLDDQU, Feature::avx, whole_vex<any>},
    {ZYDIS_MNEMONIC_VMOVSS, Feature::avx, select<Scalar<vex, std::uint32_t>>},
    {ZYDIS_MNEMONIC_VMOVSD, Feature::avx, select<Scalar<vex, std::uint64_t>>},
    {ZYDIS_MNEMONIC_VMOVLPS, Feature::avx, select<Half<vex, 0, 0>>},
    {ZYDIS_MNEMONIC_VMOVLPD, Feature::avx, select<Half<vex, 0, 0>>},
    {ZYDIS_MNEMONIC_VMOVHPS, Feature::avx, select<Half<vex, 1, 0>>},
    {ZYDIS_MNEMONIC_VMOVHPD, Feature::avx, select<Half<vex, 1, 0>>},
    {ZYDIS_MNEMONIC_VMOVHLPS, Feature::avx, select<Half<vex, 0, 1>>},
    {ZYDIS_MNEMONIC_VMOVLHPS, Feature::avx, select<Half<vex, 1, 0>>},
    {ZYDIS_MNEMONIC_VMOVD, Feature::avx, select<Low<vex, std::uint32_t>>},
    {ZYDIS_MNEMONIC_VMOVQ, Feature::avx, select<Low<vex, std::uint64_t>>},
    {ZYDIS_MNEMONIC_VZEROUPPER, Feature::avx, only<vzeroupper>},
    {ZYDIS_MNEMONIC_VZEROALL, Feature::avx, only<vzeroall>},
};

}  // namespace

std::span<const Row> avx_moves_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
