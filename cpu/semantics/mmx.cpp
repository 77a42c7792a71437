#include <Zydis/Mnemonic.h>

#include "cpu/semantics/packed_integer.hpp"
#include "cpu/semantics/vector_elements.hpp"

// MMX, with the additions of SSE, SSE2 and SSSE3. SDM "Programming with Intel MMX Technology".
namespace hyperstep::cpu {
namespace {

using namespace packed;

constexpr std::uint8_t all_empty = 0xff;

Outcome emms(Cpu& cpu, const Op& /*op*/) {
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    cpu.state.fpu.empty = all_empty;
    return {};
}

/// MOVD and MOVQ into an MMX register, from a general register, memory of T, or an MMX register.
template <class T>
Outcome move_to_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    T value = read_gpr<T>(cpu.state, op.reg[1]);
    if (op.has(op_flag::has_memory)) {
        const auto loaded = load_operand<T>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        value = *loaded;
    }
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], value);
    return {};
}
template <class T>
Outcome move_from_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    const T value = static_cast<T>(mmx_register(cpu.state, op.reg[1]));
    if (op.has(op_flag::has_memory))
        HS_TRY(store_operand<T>(cpu, op, value));
    else
        write_gpr<T>(cpu.state, op.reg[0], value);
    enter_mmx(cpu.state);
    return {};
}
Outcome move_between_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], mmx_register(cpu.state, op.reg[1]));
    return {};
}
template <class T>
Handler select_move(const Form& form) {
    using enum OperandKind;
    if (form.is(mmx, mmx)) return move_between_mmx;
    if (form.is(mmx)) return move_to_mmx<T>;
    if (form.operands >= 2 && form.kind[1] == mmx) return move_from_mmx<T>;
    return nullptr;
}

Outcome movq2dq(Cpu& cpu, const Op& op) {
    HS_TRY(check_sse(cpu));
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    set_xmm<Encoding::sse>(cpu.state, op.reg[0], {mmx_register(cpu.state, op.reg[1]), 0});
    return {};
}
Outcome movdq2q(Cpu& cpu, const Op& op) {
    HS_TRY(check_sse(cpu));
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], xmm(cpu.state, op.reg[1])[0]);
    return {};
}

Outcome maskmovq(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    HS_TRY(store_selected_bytes<8>(
        cpu, op, {mmx_register(cpu.state, op.reg[0])}, {mmx_register(cpu.state, op.reg[1])}));
    enter_mmx(cpu.state);
    return {};
}

Outcome pmovmskb(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    write_gpr<u32>(cpu.state, op.reg[0], sign_bits<u8>(Packed<8>{mmx_register(cpu.state, op.reg[1])}));
    return {};
}
Outcome pextrw(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    enter_mmx(cpu.state);
    const auto words = lanes_of<u16>(Packed<8>{mmx_register(cpu.state, op.reg[1])});
    write_gpr<u32>(cpu.state, op.reg[0], words[op.immediate & 3U]);
    return {};
}
Outcome pinsrw(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    const auto inserted = element_source<u16>(cpu, op, 1);
    if (!inserted) return tl::unexpected{inserted.error()};
    auto words = lanes_of<u16>(Packed<8>{mmx_register(cpu.state, op.reg[0])});
    words[op.immediate & 3U] = *inserted;
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], pack(words)[0]);
    return {};
}
/// For a mnemonic that SSE has too: only its form with an MMX register.
template <Handler handler>
Handler of_mmx(const Form& form) {
    const bool uses_mmx = form.kind[0] == OperandKind::mmx || form.kind[1] == OperandKind::mmx;
    return uses_mmx ? handler : nullptr;
}

constexpr Row rows[] = {
#define PACKED(mnemonic, mmx_feature, sse_feature, ...) \
    {ZYDIS_MNEMONIC_##mnemonic, Feature::mmx_feature, in_mmx<__VA_ARGS__>},
#define PACKED_XMM(mnemonic, sse_feature, ymm_feature, ...)
#include "cpu/semantics/packed_integer.def"
#undef PACKED
#undef PACKED_XMM
    {ZYDIS_MNEMONIC_EMMS, Feature::mmx, only<emms>},
    {ZYDIS_MNEMONIC_MOVD, Feature::mmx, select_move<u32>},
    {ZYDIS_MNEMONIC_MOVQ, Feature::mmx, select_move<u64>},
    {ZYDIS_MNEMONIC_MOVNTQ, Feature::sse, select_move<u64>},
    {ZYDIS_MNEMONIC_MASKMOVQ, Feature::sse, only<maskmovq>},
    {ZYDIS_MNEMONIC_PMOVMSKB, Feature::sse, of_mmx<pmovmskb>},
    {ZYDIS_MNEMONIC_PEXTRW, Feature::sse, of_mmx<pextrw>},
    {ZYDIS_MNEMONIC_PINSRW, Feature::sse, of_mmx<pinsrw>},
    {ZYDIS_MNEMONIC_PSHUFW, Feature::sse, in_mmx<ShuffleFour<u16, 0>>},
    {ZYDIS_MNEMONIC_MOVQ2DQ, Feature::sse2, only<movq2dq>},
    {ZYDIS_MNEMONIC_MOVDQ2Q, Feature::sse2, only<movdq2q>},
};

}  // namespace

std::span<const Row> mmx_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
