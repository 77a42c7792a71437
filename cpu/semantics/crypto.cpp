#include <Zydis/Mnemonic.h>

#include "cpu/semantics/aes.hpp"
#include "cpu/semantics/sha.hpp"

// AES, carry-less multiplication, SHA: in integers, on every host.
namespace hyperstep::cpu {
namespace {

/// PCLMULQDQ: the quadwords that bits 0 and 4 of the immediate choose, as polynomials over GF(2).
struct CarrylessMultiply : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        const std::uint64_t left = a[immediate & 1U];
        const std::uint64_t right = b[immediate >> 4U & 1U];
        Packed<bytes> product{};
        for (unsigned i = 0; i < 64; ++i) {
            if ((right >> i & 1U) == 0) continue;
            product[0] ^= left << i;
            if (i != 0) product[1] ^= left >> (64 - i);
        }
        return product;
    }
};

Outcome sha256rnds2(Cpu& cpu, const Op& op) {
    HS_TRY(check_sse(cpu));
    const auto b = vector_source<Encoding::sse, 16, 1>(cpu, op);
    if (!b) return tl::unexpected{b.error()};
    const auto result = sha::sha256_rounds(xmm(cpu.state, op.reg[0]), *b, xmm(cpu.state, 0));
    set_xmm<Encoding::sse>(cpu.state, op.reg[0], result);
    return {};
}

using enum aes::Direction;
using aes::Cipher;
using aes::Round;

constexpr Row rows[] = {
#define BOTH(mnemonic, feature, ...)                                    \
    {ZYDIS_MNEMONIC_##mnemonic, Feature::feature, in_sse<__VA_ARGS__>}, \
        {ZYDIS_MNEMONIC_V##mnemonic, Feature::feature, in_vex_128<__VA_ARGS__>},
    BOTH(AESENC, aes, Cipher<forward, Round::middle>) BOTH(AESENCLAST, aes, Cipher<forward, Round::last>)
        BOTH(AESDEC, aes, Cipher<inverse, Round::middle>) BOTH(AESDECLAST, aes, Cipher<inverse, Round::last>)
            BOTH(AESIMC, aes, aes::InverseMixColumns) BOTH(AESKEYGENASSIST, aes, aes::KeyAssist)
                BOTH(PCLMULQDQ, pclmulqdq, CarrylessMultiply)
#undef BOTH
                    {ZYDIS_MNEMONIC_SHA1RNDS4, Feature::sha, in_sse<sha::Sha1Rounds>},
    {ZYDIS_MNEMONIC_SHA1NEXTE, Feature::sha, in_sse<sha::Sha1NextE>},
    {ZYDIS_MNEMONIC_SHA1MSG1, Feature::sha, in_sse<sha::Sha1Message1>},
    {ZYDIS_MNEMONIC_SHA1MSG2, Feature::sha, in_sse<sha::Sha1Message2>},
    {ZYDIS_MNEMONIC_SHA256MSG1, Feature::sha, in_sse<sha::Sha256Message1>},
    {ZYDIS_MNEMONIC_SHA256MSG2, Feature::sha, in_sse<sha::Sha256Message2>},
    {ZYDIS_MNEMONIC_SHA256RNDS2, Feature::sha, only<sha256rnds2>},
};

}  // namespace

std::span<const Row> crypto_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
