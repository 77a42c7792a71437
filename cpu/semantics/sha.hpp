#pragma once
#include <bit>

#include "cpu/packed_forms.hpp"

// The SHA instructions, after FIPS 180-4. Lanes are numbered from the lowest: the manual's W0 is lane 3.
namespace hyperstep::cpu::sha {

using Words = Lanes<std::uint32_t, 16>;

constexpr std::uint32_t choose(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    return (x & y) ^ (~x & z);
}
constexpr std::uint32_t majority(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    return (x & y) ^ (x & z) ^ (y & z);
}
constexpr std::uint32_t parity(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    return x ^ y ^ z;
}

/// SHA1RNDS4: four rounds; the immediate says of which twenty.
struct Sha1Rounds : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned immediate) {
        constexpr std::uint32_t constants[] = {0x5a82'7999, 0x6ed9'eba1, 0x8f1b'bcdc, 0xca62'c1d6};
        const auto start = lanes_of<std::uint32_t>(a);
        const auto message = lanes_of<std::uint32_t>(b);
        const unsigned kind = immediate & 3U;
        std::uint32_t va = start[3], vb = start[2], vc = start[1], vd = start[0], ve = 0;
        for (std::size_t round = 0; round < 4; ++round) {
            const std::uint32_t mixed = kind == 0   ? choose(vb, vc, vd)
                                        : kind == 2 ? majority(vb, vc, vd)
                                                    : parity(vb, vc, vd);
            // E of the first round is in the message already (SHA1NEXTE).
            const std::uint32_t next = mixed + std::rotl(va, 5) + message[3 - round] + ve + constants[kind];
            ve = vd;
            vd = vc;
            vc = std::rotl(vb, 30);
            vb = va;
            va = next;
        }
        return pack(Words{vd, vc, vb, va});
    }
};
struct Sha1NextE : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        auto result = lanes_of<std::uint32_t>(b);
        result[3] += std::rotl(lanes_of<std::uint32_t>(a)[3], 30);
        return pack(result);
    }
};
struct Sha1Message1 : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto w = lanes_of<std::uint32_t>(a);
        const auto next = lanes_of<std::uint32_t>(b);
        return pack(Words{next[2] ^ w[0], next[3] ^ w[1], w[0] ^ w[2], w[1] ^ w[3]});
    }
};
struct Sha1Message2 : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        const auto w = lanes_of<std::uint32_t>(a);
        const auto last = lanes_of<std::uint32_t>(b);
        Words result{};
        result[3] = std::rotl(w[3] ^ last[2], 1);
        result[2] = std::rotl(w[2] ^ last[1], 1);
        result[1] = std::rotl(w[1] ^ last[0], 1);
        result[0] = std::rotl(w[0] ^ result[3], 1);
        return pack(result);
    }
};

constexpr std::uint32_t small_sigma_0(std::uint32_t x) {
    return std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3U;
}
constexpr std::uint32_t small_sigma_1(std::uint32_t x) {
    return std::rotr(x, 17) ^ std::rotr(x, 19) ^ x >> 10U;
}

struct Sha256Message1 : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        auto w = lanes_of<std::uint32_t>(a);
        const std::uint32_t next = lanes_of<std::uint32_t>(b)[0];
        for (std::size_t i = 0; i < 4; ++i) w[i] += small_sigma_0(i < 3 ? w[i + 1] : next);
        return pack(w);
    }
};
struct Sha256Message2 : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        auto w = lanes_of<std::uint32_t>(a);
        const auto last = lanes_of<std::uint32_t>(b);
        w[0] += small_sigma_1(last[2]);
        w[1] += small_sigma_1(last[3]);
        w[2] += small_sigma_1(w[0]);
        w[3] += small_sigma_1(w[1]);
        return pack(w);
    }
};

/// SHA256RNDS2: two rounds. `a` has C, D, G, H, `b` has A, B, E, F; the low words of `message` are W + K.
inline Packed<16> sha256_rounds(const Packed<16>& a, const Packed<16>& b, const Packed<16>& message) {
    const auto cdgh = lanes_of<std::uint32_t>(a);
    const auto abef = lanes_of<std::uint32_t>(b);
    const auto wk = lanes_of<std::uint32_t>(message);
    std::uint32_t va = abef[3], vb = abef[2], vc = cdgh[3], vd = cdgh[2];
    std::uint32_t ve = abef[1], vf = abef[0], vg = cdgh[1], vh = cdgh[0];
    for (std::size_t round = 0; round < 2; ++round) {
        const std::uint32_t sigma_1 = std::rotr(ve, 6) ^ std::rotr(ve, 11) ^ std::rotr(ve, 25);
        const std::uint32_t sigma_0 = std::rotr(va, 2) ^ std::rotr(va, 13) ^ std::rotr(va, 22);
        const std::uint32_t first = vh + sigma_1 + choose(ve, vf, vg) + wk[round];
        const std::uint32_t second = sigma_0 + majority(va, vb, vc);
        vh = vg;
        vg = vf;
        vf = ve;
        ve = vd + first;
        vd = vc;
        vc = vb;
        vb = va;
        va = first + second;
    }
    return pack(Words{vf, ve, vb, va});
}

}  // namespace hyperstep::cpu::sha
