#pragma once
#include <algorithm>

#include "cpu/flags.hpp"
#include "cpu/packed_forms.hpp"
#include "cpu/semantics/vector_elements.hpp"

// Insertions, extractions, masks and tests of vector registers: of SSE and of VEX. SDM volume 2, by name.
namespace hyperstep::cpu::vector_lanes {

template <Encoding encoding, class T>
Outcome insert(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto inserted = element_source<T>(cpu, op, second_source<encoding>);
    if (!inserted) return tl::unexpected{inserted.error()};
    auto lanes = lanes_of<T>(xmm(cpu.state, first_source<encoding>(op)));
    lanes[op.immediate & (lanes.size() - 1)] = *inserted;
    set_xmm<encoding>(cpu.state, op.reg[0], pack(lanes));
    return {};
}
/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: a general register gets the lane with zeros above.
template <Encoding encoding, class T>
Outcome extract(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto lanes = lanes_of<T>(xmm(cpu.state, op.reg[1]));
    const T lane = lanes[op.immediate & (lanes.size() - 1)];
    if (op.has(op_flag::has_memory)) return store_operand<T>(cpu, op, lane);
    write_gpr<std::uint64_t>(cpu.state, op.reg[0], lane);
    return {};
}
/// For mnemonics that MMX has too: only their forms with an XMM register.
template <Handler handler>
Handler of_xmm(const Form& form) {
    const bool uses_xmm = form.kind[0] == OperandKind::xmm || form.kind[1] == OperandKind::xmm;
    return uses_xmm ? handler : nullptr;
}

/// INSERTPS: a single into a lane, then lanes cleared. From memory it is the single that is there.
template <Encoding encoding>
Outcome insertps(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    constexpr unsigned place = second_source<encoding>;
    std::uint32_t inserted = 0;
    if (op.has(op_flag::has_memory)) {
        const auto loaded = load_operand<std::uint32_t>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        inserted = *loaded;
    } else {
        inserted = lanes_of<std::uint32_t>(xmm(cpu.state, op.reg[place]))[op.immediate >> 6U & 3U];
    }
    auto lanes = lanes_of<std::uint32_t>(xmm(cpu.state, first_source<encoding>(op)));
    lanes[op.immediate >> 4U & 3U] = inserted;
    for (std::size_t i = 0; i < lanes.size(); ++i)
        if ((op.immediate >> i & 1U) != 0) lanes[i] = 0;
    set_xmm<encoding>(cpu.state, op.reg[0], pack(lanes));
    return {};
}

/// PMOVMSKB, MOVMSKPS, MOVMSKPD.
template <Encoding encoding, class T, unsigned bytes>
Outcome move_mask(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const std::uint32_t bits = sign_bits<T>(vector_register<bytes>(cpu.state, op.reg[1]));
    write_gpr<std::uint32_t>(cpu.state, op.reg[0], bits);
    return {};
}

template <Encoding encoding>
Outcome maskmovdqu(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    return store_selected_bytes<16>(cpu, op, xmm(cpu.state, op.reg[0]), xmm(cpu.state, op.reg[1]));
}

/// BLENDV: lanes of the second source where the mask's lane is negative. The mask is XMM0, or with VEX the
/// fourth register.
template <Encoding encoding, class T, unsigned bytes>
Outcome blend_variable(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto other = vector_source<encoding, bytes, second_source<encoding>>(cpu, op);
    if (!other) return tl::unexpected{other.error()};
    const unsigned mask_number = encoding == Encoding::vex ? op.reg[3] : 0;
    const std::uint32_t chosen = sign_bits<T>(vector_register<bytes>(cpu.state, mask_number));
    auto lanes = lanes_of<T>(vector_register<bytes>(cpu.state, first_source<encoding>(op)));
    const auto others = lanes_of<T>(*other);
    for (std::size_t i = 0; i < lanes.size(); ++i)
        if ((chosen >> i & 1U) != 0) lanes[i] = others[i];
    set_vector<encoding, bytes>(cpu.state, op.reg[0], pack(lanes));
    return {};
}

/// PTEST, and of only the highest bits of lanes VTESTPS and VTESTPD: ZF if a AND b is zero, CF if NOT a AND b
/// is.
template <Encoding encoding, std::uint64_t looked_at, unsigned bytes>
Outcome test(Cpu& cpu, const Op& op) {
    HS_TRY(check<encoding>(cpu));
    const auto b = vector_source<encoding, bytes, 1>(cpu, op);
    if (!b) return tl::unexpected{b.error()};
    const auto a = vector_register<bytes>(cpu.state, op.reg[0]);
    std::uint64_t both = 0;
    std::uint64_t only_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        both |= a[i] & (*b)[i] & looked_at;
        only_b |= ~a[i] & (*b)[i] & looked_at;
    }
    std::uint64_t flags = 0;
    if (both == 0) flags |= flag::zf;
    if (only_b == 0) flags |= flag::cf;
    cpu.state.rflags = with_status(cpu.state.rflags, flags);
    return {};
}

}  // namespace hyperstep::cpu::vector_lanes
