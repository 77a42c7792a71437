#include <Zydis/Mnemonic.h>

#include "cpu/semantics/float_scalars.hpp"

// Floats in XMM registers, SSE to SSE4.1, and their conversions to and from MMX registers.
namespace hyperstep::cpu {
namespace {

using namespace packed;
using namespace float_scalars;
using soft_float::Comparison;
constexpr Encoding sse = Encoding::sse;

/// CVTPI2PS, CVTPI2PD: two integers of an MMX register or memory. The conversion to doubles from memory does
/// not touch the x87 FPU. SDM "CVTPI2PD".
template <class T>
Outcome from_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_sse(cpu));
    const bool from_memory = op.has(op_flag::has_memory);
    const bool uses_mmx = !from_memory || sizeof(T) == 4;
    if (uses_mmx) HS_TRY(check_mmx(cpu));
    Packed<8> source{mmx_register(cpu.state, op.reg[1])};
    if (from_memory) {
        const auto loaded = load_packed<8, Alignment::any>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        source = *loaded;
    }
    FloatEnvironment environment{cpu.state.mxcsr};
    auto lanes = lanes_of<T>(xmm(cpu.state, op.reg[0]));
    const auto integers = lanes_of<std::int32_t>(source);
    for (std::size_t i = 0; i < 2; ++i) lanes[i] = soft_float::from_integer<T>(environment, integers[i]);
    HS_TRY(signal_exceptions(cpu, environment));
    if (uses_mmx) enter_mmx(cpu.state);
    set_xmm<sse>(cpu.state, op.reg[0], pack(lanes));
    return {};
}

/// CVTPS2PI, CVTTPD2PI and their kin: two floats to an MMX register. Two doubles in memory must be aligned.
template <class T, std::int32_t (*function)(FloatEnvironment&, T)>
Outcome to_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_sse(cpu));
    HS_TRY(check_mmx(cpu));
    const auto source = vector_source<sse, 2 * sizeof(T), 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    FloatEnvironment environment{cpu.state.mxcsr};
    const auto lanes = lanes_of<T>(*source);
    const std::array integers{function(environment, lanes[0]), function(environment, lanes[1])};
    HS_TRY(signal_exceptions(cpu, environment));
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], pack(integers)[0]);
    return {};
}

/// CMPSD is also the name of a string instruction.
template <class Operation>
Handler compare_form(const Form& form) {
    return form.is(OperandKind::xmm) ? in_sse<Operation>(form) : nullptr;
}

constexpr Row rows[] = {
#define FLOATS(mnemonic, feature, ...) {ZYDIS_MNEMONIC_##mnemonic, Feature::feature, in_sse<__VA_ARGS__>},
#include "cpu/semantics/packed_float.def"
#undef FLOATS
    {ZYDIS_MNEMONIC_CMPPS, Feature::sse, in_sse<Compare<f32, Lanewise::packed, 8>>},
    {ZYDIS_MNEMONIC_CMPPD, Feature::sse2, in_sse<Compare<f64, Lanewise::packed, 8>>},
    {ZYDIS_MNEMONIC_CMPSS, Feature::sse, in_sse<Compare<f32, Lanewise::scalar, 8>>},
    {ZYDIS_MNEMONIC_CMPSD, Feature::sse2, compare_form<Compare<f64, Lanewise::scalar, 8>>},
    {ZYDIS_MNEMONIC_COMISS, Feature::sse, only<compare_to_flags<sse, f32, Comparison::signaling>>},
    {ZYDIS_MNEMONIC_COMISD, Feature::sse2, only<compare_to_flags<sse, f64, Comparison::signaling>>},
    {ZYDIS_MNEMONIC_UCOMISS, Feature::sse, only<compare_to_flags<sse, f32, Comparison::quiet>>},
    {ZYDIS_MNEMONIC_UCOMISD, Feature::sse2, only<compare_to_flags<sse, f64, Comparison::quiet>>},
    {ZYDIS_MNEMONIC_CVTSI2SS, Feature::sse, select_from_gpr<sse, f32>},
    {ZYDIS_MNEMONIC_CVTSI2SD, Feature::sse2, select_from_gpr<sse, f64>},
    {ZYDIS_MNEMONIC_CVTSS2SI, Feature::sse, select_rounded<sse, f32>},
    {ZYDIS_MNEMONIC_CVTSD2SI, Feature::sse2, select_rounded<sse, f64>},
    {ZYDIS_MNEMONIC_CVTTSS2SI, Feature::sse, select_truncated<sse, f32>},
    {ZYDIS_MNEMONIC_CVTTSD2SI, Feature::sse2, select_truncated<sse, f64>},
    {ZYDIS_MNEMONIC_CVTPI2PS, Feature::sse, only<from_mmx<f32>>},
    {ZYDIS_MNEMONIC_CVTPI2PD, Feature::sse2, only<from_mmx<f64>>},
    {ZYDIS_MNEMONIC_CVTPS2PI, Feature::sse, only<to_mmx<f32, rounded<std::int32_t, f32>>>},
    {ZYDIS_MNEMONIC_CVTTPS2PI, Feature::sse, only<to_mmx<f32, truncated<std::int32_t, f32>>>},
    {ZYDIS_MNEMONIC_CVTPD2PI, Feature::sse2, only<to_mmx<f64, rounded<std::int32_t, f64>>>},
    {ZYDIS_MNEMONIC_CVTTPD2PI, Feature::sse2, only<to_mmx<f64, truncated<std::int32_t, f64>>>},
};

}  // namespace

std::span<const Row> sse_float_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
