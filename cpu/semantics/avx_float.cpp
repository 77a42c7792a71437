#include <Zydis/Mnemonic.h>

#include "cpu/semantics/float_scalars.hpp"

// What SSE does to floats, in VEX's forms, and half precision (F16C).
namespace hyperstep::cpu {
namespace {

using namespace packed;
using namespace float_scalars;
using soft_float::Comparison;
constexpr Encoding vex = Encoding::vex;

template <class Operation>
Handler in_vex(const Form& form) {
    return on_ymm(form) ? in_vex_256<Operation>(form) : in_vex_128<Operation>(form);
}

/// VCVTPS2PH: four or eight singles to halves, in the immediate's rounding or MXCSR's. Halves are not flushed
/// to zero.
template <unsigned bytes>
Outcome to_halves(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    FloatEnvironment environment{cpu.state.mxcsr & ~simd::flush_to_zero};
    if ((op.immediate & 4U) == 0) environment.set_rounding(static_cast<Rounding>(op.immediate & 3U));
    const auto from = lanes_of<f32>(vector_register<bytes>(cpu.state, op.reg[1]));
    Lanes<std::uint16_t, 16> halves{};
    for (std::size_t i = 0; i < from.size(); ++i)
        halves[i] = soft_float::convert<std::uint16_t>(environment, from[i]);
    if (!op.has(op_flag::has_memory)) {
        HS_TRY(signal_exceptions(cpu, environment));
        set_xmm<vex>(cpu.state, op.reg[0], pack(halves));
        return {};
    }
    const auto place = prepare_operand<ByteArray<bytes / 2>>(cpu, op);
    if (!place) return tl::unexpected{place.error()};
    HS_TRY(signal_exceptions(cpu, environment));
    ByteArray<bytes / 2> stored;
    std::memcpy(stored.data(), halves.data(), stored.size());
    write(cpu, *place, stored);
    return {};
}
Handler select_to_halves(const Form& form) {
    return on_ymm(form) ? to_halves<32> : to_halves<16>;
}

constexpr Row rows[] = {
#define FLOATS(mnemonic, feature, ...) {ZYDIS_MNEMONIC_V##mnemonic, Feature::avx, in_vex<__VA_ARGS__>},
#include "cpu/semantics/packed_float.def"
#undef FLOATS
    {ZYDIS_MNEMONIC_VCMPPS, Feature::avx, in_vex<Compare<f32, Lanewise::packed, 32>>},
    {ZYDIS_MNEMONIC_VCMPPD, Feature::avx, in_vex<Compare<f64, Lanewise::packed, 32>>},
    {ZYDIS_MNEMONIC_VCMPSS, Feature::avx, in_vex<Compare<f32, Lanewise::scalar, 32>>},
    {ZYDIS_MNEMONIC_VCMPSD, Feature::avx, in_vex<Compare<f64, Lanewise::scalar, 32>>},
    {ZYDIS_MNEMONIC_VCOMISS, Feature::avx, only<compare_to_flags<vex, f32, Comparison::signaling>>},
    {ZYDIS_MNEMONIC_VCOMISD, Feature::avx, only<compare_to_flags<vex, f64, Comparison::signaling>>},
    {ZYDIS_MNEMONIC_VUCOMISS, Feature::avx, only<compare_to_flags<vex, f32, Comparison::quiet>>},
    {ZYDIS_MNEMONIC_VUCOMISD, Feature::avx, only<compare_to_flags<vex, f64, Comparison::quiet>>},
    {ZYDIS_MNEMONIC_VCVTSI2SS, Feature::avx, select_from_gpr<vex, f32>},
    {ZYDIS_MNEMONIC_VCVTSI2SD, Feature::avx, select_from_gpr<vex, f64>},
    {ZYDIS_MNEMONIC_VCVTSS2SI, Feature::avx, select_rounded<vex, f32>},
    {ZYDIS_MNEMONIC_VCVTSD2SI, Feature::avx, select_rounded<vex, f64>},
    {ZYDIS_MNEMONIC_VCVTTSS2SI, Feature::avx, select_truncated<vex, f32>},
    {ZYDIS_MNEMONIC_VCVTTSD2SI, Feature::avx, select_truncated<vex, f64>},
    {ZYDIS_MNEMONIC_VCVTPH2PS, Feature::f16c, in_vex<ConvertLanes<std::uint16_t, f32, soft_float::convert>>},
    {ZYDIS_MNEMONIC_VCVTPS2PH, Feature::f16c, select_to_halves},
};

}  // namespace

std::span<const Row> avx_float_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
