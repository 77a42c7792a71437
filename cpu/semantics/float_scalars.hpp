#pragma once
#include "cpu/flags.hpp"
#include "cpu/semantics/packed_float.hpp"

// Floats in vector registers with general registers and flags: of SSE and of VEX. SDM volume 2, by name.
namespace hyperstep::cpu::float_scalars {

/// COMISS, UCOMISS: unordered sets ZF, PF and CF; greater none; less CF; equal ZF.
template <Encoding encoding, class T, soft_float::Comparison comparison>
Outcome compare_to_flags(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto b = vector_source<encoding, sizeof(T), 1>(cpu, op);
    if (!b) return tl::unexpected{b.error()};
    FloatEnvironment environment{cpu.state.mxcsr};
    const auto relation = soft_float::compare(
        environment, static_cast<T>(xmm(cpu.state, op.reg[0])[0]), static_cast<T>((*b)[0]), comparison);
    HS_TRY(signal_exceptions(cpu, environment));
    std::uint64_t flags = 0;
    using enum soft_float::Relation;
    if (relation == unordered) flags = flag::zf | flag::pf | flag::cf;
    if (relation == less) flags = flag::cf;
    if (relation == equal) flags = flag::zf;
    cpu.state.rflags = with_status(cpu.state.rflags, flags);
    return {};
}

/// CVTSI2SS, CVTSI2SD.
template <Encoding encoding, class Int, class T>
Outcome from_gpr(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    std::uint64_t source = cpu.state.gpr[op.reg[second_source<encoding>] & 15U];
    if (op.has(op_flag::has_memory)) {
        const auto loaded = load_operand<std::make_unsigned_t<Int>>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        source = *loaded;
    }
    FloatEnvironment environment{cpu.state.mxcsr};
    auto lanes = lanes_of<T>(xmm(cpu.state, first_source<encoding>(op)));
    lanes[0] = soft_float::from_integer<T>(environment, static_cast<Int>(source));
    HS_TRY(signal_exceptions(cpu, environment));
    set_xmm<encoding>(cpu.state, op.reg[0], pack(lanes));
    return {};
}
/// The integer operand's size is REX.W's or VEX.W's.
template <Encoding encoding, class T>
Handler select_from_gpr(const Form& form) {
    const std::uint16_t bits = form.bits[second_source<encoding>];
    return bits == 64 ? from_gpr<encoding, std::int64_t, T> : from_gpr<encoding, std::int32_t, T>;
}

/// CVTSS2SI, CVTTSD2SI and their kin.
template <Encoding encoding, class Int, class T, Int (*function)(FloatEnvironment&, T)>
Outcome to_gpr(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto source = vector_source<encoding, sizeof(T), 1>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    FloatEnvironment environment{cpu.state.mxcsr};
    const Int result = function(environment, static_cast<T>((*source)[0]));
    HS_TRY(signal_exceptions(cpu, environment));
    write_gpr(cpu.state, op.reg[0], static_cast<std::make_unsigned_t<Int>>(result));
    return {};
}
template <Encoding encoding, class T>
Handler select_rounded(const Form& form) {
    using namespace packed;
    if (form.bits[0] == 64) return to_gpr<encoding, std::int64_t, T, rounded<std::int64_t, T>>;
    return to_gpr<encoding, std::int32_t, T, rounded<std::int32_t, T>>;
}
template <Encoding encoding, class T>
Handler select_truncated(const Form& form) {
    using namespace packed;
    if (form.bits[0] == 64) return to_gpr<encoding, std::int64_t, T, truncated<std::int64_t, T>>;
    return to_gpr<encoding, std::int32_t, T, truncated<std::int32_t, T>>;
}

}  // namespace hyperstep::cpu::float_scalars
