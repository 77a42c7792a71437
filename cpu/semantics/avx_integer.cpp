#include <Zydis/Mnemonic.h>

#include "cpu/semantics/packed_integer.hpp"
#include "cpu/semantics/vector_lanes.hpp"
#include "cpu/semantics/vector_strings.hpp"

// What MMX and SSE do to packed integers, in VEX's forms, and the shifts that AVX2 adds.
namespace hyperstep::cpu {
namespace {

using namespace packed;
using namespace vector_lanes;
using vector_strings::Length;
using vector_strings::Result;
constexpr Encoding vex = Encoding::vex;
constexpr std::uint64_t all_bits = ~0ULL;
constexpr std::uint64_t signs_of_singles = 0x8000'0000'8000'0000;
constexpr std::uint64_t signs_of_doubles = 0x8000'0000'0000'0000;

template <Length length, Result result>
constexpr Handler strings = vector_strings::run<vex, length, result>;

template <class T>
Handler select_blend(const Form& form) {
    return on_ymm(form) ? blend_variable<vex, T, 32> : blend_variable<vex, T, 16>;
}
/// VPBLENDVB of 256 bits is of AVX2.
template <unsigned bytes>
Handler select_byte_blend(const Form& form) {
    return on_ymm(form) == (bytes == 32) ? blend_variable<vex, u8, bytes> : nullptr;
}
template <std::uint64_t looked_at>
Handler select_test(const Form& form) {
    return on_ymm(form) ? test<vex, looked_at, 32> : test<vex, looked_at, 16>;
}
template <class T>
Handler select_mask(const Form& form) {
    return on_ymm(form) ? move_mask<vex, T, 32> : move_mask<vex, T, 16>;
}
template <unsigned bytes>
Handler select_byte_mask(const Form& form) {
    return on_ymm(form) == (bytes == 32) ? move_mask<vex, u8, bytes> : nullptr;
}
/// In both widths.
template <class Operation>
Handler in_vex(const Form& form) {
    return on_ymm(form) ? in_vex_256<Operation>(form) : in_vex_128<Operation>(form);
}

/// With VEX.W = 1 these are the instructions on quadwords, which only 64-bit mode has.
template <Handler on_doubleword>
Handler doubleword_only(const Form& form) {
    const bool names_quadword = (form.flags & op_flag::rex_w) != 0;
    return names_quadword ? nullptr : on_doubleword;
}

constexpr Row rows[] = {
#define PACKED(mnemonic, mmx_feature, sse_feature, ...)                  \
    {ZYDIS_MNEMONIC_V##mnemonic, Feature::avx, in_vex_128<__VA_ARGS__>}, \
        {ZYDIS_MNEMONIC_V##mnemonic, Feature::avx2, in_vex_256<__VA_ARGS__>},
#define PACKED_XMM(mnemonic, sse_feature, ymm_feature, ...)              \
    {ZYDIS_MNEMONIC_V##mnemonic, Feature::avx, in_vex_128<__VA_ARGS__>}, \
        {ZYDIS_MNEMONIC_V##mnemonic, Feature::ymm_feature, in_vex_256<__VA_ARGS__>},
#include "cpu/semantics/packed_integer.def"
#undef PACKED
#undef PACKED_XMM
    {ZYDIS_MNEMONIC_VMOVDDUP, Feature::avx, in_vex_128<DuplicateDouble<8>>},
    {ZYDIS_MNEMONIC_VMOVDDUP, Feature::avx, in_vex_256<DuplicateDouble<16>>},
    {ZYDIS_MNEMONIC_VPBLENDD, Feature::avx2, in_vex<BlendByImmediate<u32, 4>>},
    {ZYDIS_MNEMONIC_VPSLLVD, Feature::avx2, in_vex<ShiftEach<u32, shift_left<u32>>>},
    {ZYDIS_MNEMONIC_VPSLLVQ, Feature::avx2, in_vex<ShiftEach<u64, shift_left<u64>>>},
    {ZYDIS_MNEMONIC_VPSRLVD, Feature::avx2, in_vex<ShiftEach<u32, shift_right<u32>>>},
    {ZYDIS_MNEMONIC_VPSRLVQ, Feature::avx2, in_vex<ShiftEach<u64, shift_right<u64>>>},
    {ZYDIS_MNEMONIC_VPSRAVD, Feature::avx2, in_vex<ShiftEach<s32, shift_right_signed<s32>>>},
    {ZYDIS_MNEMONIC_VPINSRB, Feature::avx, only<insert<vex, u8>>},
    {ZYDIS_MNEMONIC_VPINSRW, Feature::avx, only<insert<vex, u16>>},
    {ZYDIS_MNEMONIC_VPINSRD, Feature::avx, doubleword_only<insert<vex, u32>>},
    {ZYDIS_MNEMONIC_VPINSRQ, Feature::avx, only<insert<vex, u64>>},
    {ZYDIS_MNEMONIC_VPEXTRB, Feature::avx, only<extract<vex, u8>>},
    {ZYDIS_MNEMONIC_VPEXTRW, Feature::avx, only<extract<vex, u16>>},
    {ZYDIS_MNEMONIC_VPEXTRD, Feature::avx, doubleword_only<extract<vex, u32>>},
    {ZYDIS_MNEMONIC_VPEXTRQ, Feature::avx, only<extract<vex, u64>>},
    {ZYDIS_MNEMONIC_VEXTRACTPS, Feature::avx, only<extract<vex, u32>>},
    {ZYDIS_MNEMONIC_VINSERTPS, Feature::avx, only<insertps<vex>>},
    {ZYDIS_MNEMONIC_VPMOVMSKB, Feature::avx, select_byte_mask<16>},
    {ZYDIS_MNEMONIC_VPMOVMSKB, Feature::avx2, select_byte_mask<32>},
    {ZYDIS_MNEMONIC_VMOVMSKPS, Feature::avx, select_mask<u32>},
    {ZYDIS_MNEMONIC_VMOVMSKPD, Feature::avx, select_mask<u64>},
    {ZYDIS_MNEMONIC_VMASKMOVDQU, Feature::avx, only<maskmovdqu<vex>>},
    {ZYDIS_MNEMONIC_VPBLENDVB, Feature::avx, select_byte_blend<16>},
    {ZYDIS_MNEMONIC_VPBLENDVB, Feature::avx2, select_byte_blend<32>},
    {ZYDIS_MNEMONIC_VBLENDVPS, Feature::avx, select_blend<u32>},
    {ZYDIS_MNEMONIC_VBLENDVPD, Feature::avx, select_blend<u64>},
    {ZYDIS_MNEMONIC_VPTEST, Feature::avx, select_test<all_bits>},
    {ZYDIS_MNEMONIC_VTESTPS, Feature::avx, select_test<signs_of_singles>},
    {ZYDIS_MNEMONIC_VTESTPD, Feature::avx, select_test<signs_of_doubles>},
    {ZYDIS_MNEMONIC_VPCMPESTRI, Feature::avx, only<strings<Length::explicit_, Result::index>>},
    {ZYDIS_MNEMONIC_VPCMPESTRM, Feature::avx, only<strings<Length::explicit_, Result::mask>>},
    {ZYDIS_MNEMONIC_VPCMPISTRI, Feature::avx, only<strings<Length::implicit, Result::index>>},
    {ZYDIS_MNEMONIC_VPCMPISTRM, Feature::avx, only<strings<Length::implicit, Result::mask>>},
};

}  // namespace

std::span<const Row> avx_integer_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
