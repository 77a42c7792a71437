#include <Zydis/Mnemonic.h>

#include "cpu/semantics/packed_integer.hpp"

// Moves of lanes that AVX and AVX2 add: across the halves of a YMM register, and from one lane to all.
namespace hyperstep::cpu {
namespace {

using namespace packed;
constexpr Encoding vex = Encoding::vex;

// ---- within each half
// --------------------------------------------------------------------------------------------

struct PermuteDoublesByImmediate : PackedOperation {
    static constexpr unsigned immediate_shift = 2;
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned immediate) {
        return {b[immediate & 1U], b[immediate >> 1U & 1U]};
    }
};
struct PermuteDoubles : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        return {a[b[0] >> 1U & 1U], a[b[1] >> 1U & 1U]};
    }
};
struct PermuteSingles : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto from = lanes_of<u32>(a);
        auto lanes = lanes_of<u32>(b);
        for (u32& lane : lanes) lane = from[lane & 3U];
        return pack(lanes);
    }
};
/// The form with an immediate and the one with a register of choices.
template <class ByImmediate, class ByRegister>
Handler select_permute(const Form& form) {
    const bool immediate = form.kind[form.operands - 1U] == OperandKind::immediate;
    if (on_ymm(form)) return immediate ? in_vex_256<ByImmediate>(form) : in_vex_256<ByRegister>(form);
    return immediate ? in_vex_128<ByImmediate>(form) : in_vex_128<ByRegister>(form);
}

// ---- across the halves
// -------------------------------------------------------------------------------------------

/// VPERMD, VPERMPS: reg[1] holds the choices.
Outcome permute_by_register(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto source = vector_source<vex, 32, 2>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const auto from = lanes_of<u32>(*source);
    auto lanes = lanes_of<u32>(vector_register<32>(cpu.state, op.reg[1]));
    for (u32& lane : lanes) lane = from[lane & 7U];
    set_vector<vex, 32>(cpu.state, op.reg[0], pack(lanes));
    return {};
}
/// VPERMQ, VPERMPD.
Outcome permute_by_immediate(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto source = vector_source<vex, 32, 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    Packed<32> result{};
    for (std::size_t i = 0; i < 4; ++i) result[i] = (*source)[op.immediate >> (2 * i) & 3U];
    set_vector<vex, 32>(cpu.state, op.reg[0], result);
    return {};
}
/// VPERM2F128, VPERM2I128: each half is one of four halves, or zero.
Outcome permute_halves(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto b = vector_source<vex, 32, 2>(cpu, op);
    if (!b) return tl::unexpected{b.error()};
    const auto a = vector_register<32>(cpu.state, op.reg[1]);
    Packed<32> result{};
    for (std::size_t half = 0; half < 2; ++half) {
        const unsigned control = static_cast<unsigned>(op.immediate >> (4 * half));
        if ((control & 8U) != 0) continue;
        const Packed<32>& from = (control & 2U) != 0 ? *b : a;
        const std::size_t at = (control & 1U) * 2;
        result[2 * half] = from[at];
        result[2 * half + 1] = from[at + 1];
    }
    set_vector<vex, 32>(cpu.state, op.reg[0], result);
    return {};
}
/// VINSERTF128, VINSERTI128.
Outcome insert_half(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto half = vector_source<vex, 16, 2>(cpu, op);
    if (!half) return tl::unexpected{half.error()};
    auto result = vector_register<32>(cpu.state, op.reg[1]);
    const std::size_t at = (op.immediate & 1U) * 2;
    result[at] = (*half)[0];
    result[at + 1] = (*half)[1];
    set_vector<vex, 32>(cpu.state, op.reg[0], result);
    return {};
}
/// VEXTRACTF128, VEXTRACTI128.
Outcome extract_half(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto from = vector_register<32>(cpu.state, op.reg[1]);
    const std::size_t at = (op.immediate & 1U) * 2;
    const Packed<16> half{from[at], from[at + 1]};
    if (op.has(op_flag::has_memory)) return store_packed<16, Alignment::any>(cpu, op, half);
    set_xmm<vex>(cpu.state, op.reg[0], half);
    return {};
}

// ---- one lane to all
// ---------------------------------------------------------------------------------------------

template <unsigned lane_bytes, unsigned bytes>
Outcome broadcast(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto source = vector_source<vex, lane_bytes, 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const auto lane = lanes_of<u8>(*source);
    Lanes<u8, bytes> result;
    for (std::size_t i = 0; i < bytes; ++i) result[i] = lane[i % lane_bytes];
    set_vector<vex, bytes>(cpu.state, op.reg[0], pack(result));
    return {};
}
template <unsigned lane_bytes>
Handler select_broadcast(const Form& form) {
    return on_ymm(form) ? broadcast<lane_bytes, 32> : broadcast<lane_bytes, 16>;
}
/// The forms from memory are of AVX, those from a register of AVX2.
template <unsigned lane_bytes, OperandKind source>
Handler select_broadcast_from(const Form& form) {
    return form.kind[1] == source ? select_broadcast<lane_bytes>(form) : nullptr;
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_VPERMILPS, Feature::avx, select_permute<ShuffleFour<u32, 0>, PermuteSingles>},
    {ZYDIS_MNEMONIC_VPERMILPD, Feature::avx, select_permute<PermuteDoublesByImmediate, PermuteDoubles>},
    {ZYDIS_MNEMONIC_VPERM2F128, Feature::avx, only<permute_halves>},
    {ZYDIS_MNEMONIC_VPERM2I128, Feature::avx2, only<permute_halves>},
    {ZYDIS_MNEMONIC_VPERMD, Feature::avx2, only<permute_by_register>},
    {ZYDIS_MNEMONIC_VPERMPS, Feature::avx2, only<permute_by_register>},
    {ZYDIS_MNEMONIC_VPERMQ, Feature::avx2, only<permute_by_immediate>},
    {ZYDIS_MNEMONIC_VPERMPD, Feature::avx2, only<permute_by_immediate>},
    {ZYDIS_MNEMONIC_VINSERTF128, Feature::avx, only<insert_half>},
    {ZYDIS_MNEMONIC_VINSERTI128, Feature::avx2, only<insert_half>},
    {ZYDIS_MNEMONIC_VEXTRACTF128, Feature::avx, only<extract_half>},
    {ZYDIS_MNEMONIC_VEXTRACTI128, Feature::avx2, only<extract_half>},
    {ZYDIS_MNEMONIC_VBROADCASTSS, Feature::avx, select_broadcast_from<4, OperandKind::memory>},
    {ZYDIS_MNEMONIC_VBROADCASTSS, Feature::avx2, select_broadcast_from<4, OperandKind::xmm>},
    {ZYDIS_MNEMONIC_VBROADCASTSD, Feature::avx, select_broadcast_from<8, OperandKind::memory>},
    {ZYDIS_MNEMONIC_VBROADCASTSD, Feature::avx2, select_broadcast_from<8, OperandKind::xmm>},
    {ZYDIS_MNEMONIC_VBROADCASTF128, Feature::avx, select_broadcast<16>},
    {ZYDIS_MNEMONIC_VBROADCASTI128, Feature::avx2, select_broadcast<16>},
    {ZYDIS_MNEMONIC_VPBROADCASTB, Feature::avx2, select_broadcast<1>},
    {ZYDIS_MNEMONIC_VPBROADCASTW, Feature::avx2, select_broadcast<2>},
    {ZYDIS_MNEMONIC_VPBROADCASTD, Feature::avx2, select_broadcast<4>},
    {ZYDIS_MNEMONIC_VPBROADCASTQ, Feature::avx2, select_broadcast<8>},
};

}  // namespace

std::span<const Row> avx_permutes_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
