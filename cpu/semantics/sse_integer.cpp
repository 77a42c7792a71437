#include <Zydis/Mnemonic.h>

#include "cpu/semantics/packed_integer.hpp"
#include "cpu/semantics/vector_lanes.hpp"
#include "cpu/semantics/vector_strings.hpp"

// Packed integers in XMM registers: SSE2 to SSE4.2.
namespace hyperstep::cpu {
namespace {

using namespace packed;
using namespace vector_lanes;
constexpr Encoding sse = Encoding::sse;
constexpr std::uint64_t all_bits = ~0ULL;

using vector_strings::Length;
using vector_strings::Result;
template <Length length, Result result>
constexpr Handler strings = vector_strings::run<sse, length, result>;

constexpr Row rows[] = {
#define PACKED(mnemonic, mmx_feature, sse_feature, ...) \
    {ZYDIS_MNEMONIC_##mnemonic, Feature::sse_feature, in_sse<__VA_ARGS__>},
#define PACKED_XMM(mnemonic, sse_feature, ymm_feature, ...) \
    {ZYDIS_MNEMONIC_##mnemonic, Feature::sse_feature, in_sse<__VA_ARGS__>},
#include "cpu/semantics/packed_integer.def"
#undef PACKED
#undef PACKED_XMM
    {ZYDIS_MNEMONIC_MOVDDUP, Feature::sse3, in_sse<DuplicateDouble<8>>},
    {ZYDIS_MNEMONIC_PINSRB, Feature::sse4_1, only<insert<sse, u8>>},
    {ZYDIS_MNEMONIC_PINSRW, Feature::sse2, of_xmm<insert<sse, u16>>},
    {ZYDIS_MNEMONIC_PINSRD, Feature::sse4_1, only<insert<sse, u32>>},
    {ZYDIS_MNEMONIC_PINSRQ, Feature::sse4_1, only<insert<sse, u64>>},
    {ZYDIS_MNEMONIC_PEXTRB, Feature::sse4_1, only<extract<sse, u8>>},
    {ZYDIS_MNEMONIC_PEXTRW, Feature::sse2, of_xmm<extract<sse, u16>>},
    {ZYDIS_MNEMONIC_PEXTRD, Feature::sse4_1, only<extract<sse, u32>>},
    {ZYDIS_MNEMONIC_PEXTRQ, Feature::sse4_1, only<extract<sse, u64>>},
    {ZYDIS_MNEMONIC_EXTRACTPS, Feature::sse4_1, only<extract<sse, u32>>},
    {ZYDIS_MNEMONIC_INSERTPS, Feature::sse4_1, only<insertps<sse>>},
    {ZYDIS_MNEMONIC_PMOVMSKB, Feature::sse2, of_xmm<move_mask<sse, u8, 16>>},
    {ZYDIS_MNEMONIC_MOVMSKPS, Feature::sse, only<move_mask<sse, u32, 16>>},
    {ZYDIS_MNEMONIC_MOVMSKPD, Feature::sse2, only<move_mask<sse, u64, 16>>},
    {ZYDIS_MNEMONIC_MASKMOVDQU, Feature::sse2, only<maskmovdqu<sse>>},
    {ZYDIS_MNEMONIC_PBLENDVB, Feature::sse4_1, only<blend_variable<sse, u8, 16>>},
    {ZYDIS_MNEMONIC_BLENDVPS, Feature::sse4_1, only<blend_variable<sse, u32, 16>>},
    {ZYDIS_MNEMONIC_BLENDVPD, Feature::sse4_1, only<blend_variable<sse, u64, 16>>},
    {ZYDIS_MNEMONIC_PTEST, Feature::sse4_1, only<test<sse, all_bits, 16>>},
    {ZYDIS_MNEMONIC_PCMPESTRI, Feature::sse4_2, only<strings<Length::explicit_, Result::index>>},
    {ZYDIS_MNEMONIC_PCMPESTRM, Feature::sse4_2, only<strings<Length::explicit_, Result::mask>>},
    {ZYDIS_MNEMONIC_PCMPISTRI, Feature::sse4_2, only<strings<Length::implicit, Result::index>>},
    {ZYDIS_MNEMONIC_PCMPISTRM, Feature::sse4_2, only<strings<Length::implicit, Result::mask>>},
};

}  // namespace

std::span<const Row> sse_integer_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
