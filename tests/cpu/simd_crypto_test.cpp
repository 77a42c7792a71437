#include <gtest/gtest.h>

#include "tests/cpu/simd_machine.hpp"

// Published vectors: FIPS-197, FIPS 180-4.
namespace hyperstep::cpu {
namespace {

using Bytes16 = std::array<std::uint8_t, 16>;

Packed<16> from_hex(const char* text) {
    Bytes16 bytes{};
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    for (std::size_t i = 0; i < 16; ++i)
        bytes[i] = static_cast<std::uint8_t>(digit(text[2 * i]) << 4U | digit(text[2 * i + 1]));
    return pack(bytes);
}

class Crypto : public SimdMachine {
public:
    void set(unsigned number, const Packed<16>& value) { ymm(number) = {value[0], value[1], 1, 2}; }
    Packed<16> get(unsigned number) { return xmm(cpu.state, number); }
    /// 66 0F 38 `opcode` or 66 0F 3A `opcode` of xmm`to`, xmm`from`.
    void run_66(
        std::uint8_t map, std::uint8_t opcode, unsigned to, unsigned from, std::uint8_t immediate = 0x90) {
        cpu.state.rip = code;
        ASSERT_TRUE(run_code({0x66, 0x0f, map, opcode, modrm(to, from), immediate}));
    }
    void run_plain(
        std::uint8_t map, std::uint8_t opcode, unsigned to, unsigned from, std::uint8_t immediate = 0x90) {
        cpu.state.rip = code;
        ASSERT_TRUE(run_code({0x0f, map, opcode, modrm(to, from), immediate}));
    }

private:
    static std::uint8_t modrm(unsigned to, unsigned from) {
        return static_cast<std::uint8_t>(0xc0U | to << 3U | from);
    }
};

/// The round keys of a key of 128 bits, by AESKEYGENASSIST. FIPS-197 section 5.2.
std::array<Packed<16>, 11> expand(Crypto& machine, const Packed<16>& key) {
    constexpr std::uint8_t constants[] = {1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36};
    std::array<Packed<16>, 11> keys{key};
    for (std::size_t round = 1; round < keys.size(); ++round) {
        machine.set(1, keys[round - 1]);
        machine.run_66(0x3a, 0xdf, 2, 1, constants[round - 1]);
        const std::uint32_t mixed = lanes_of<std::uint32_t>(machine.get(2))[3];
        auto words = lanes_of<std::uint32_t>(keys[round - 1]);
        words[0] ^= mixed;
        for (std::size_t i = 1; i < 4; ++i) words[i] ^= words[i - 1];
        keys[round] = pack(words);
    }
    return keys;
}

Packed<16> exclusive_or(const Packed<16>& a, const Packed<16>& b) {
    return {a[0] ^ b[0], a[1] ^ b[1]};
}

TEST(SimdCrypto, Aes128OfFips197AppendixC1) {
    Crypto machine;
    const auto keys = expand(machine, from_hex("000102030405060708090a0b0c0d0e0f"));
    EXPECT_EQ(keys[10], from_hex("13111d7fe3944a17f307a78b4d2b30c5"));
    const Packed<16> plain = from_hex("00112233445566778899aabbccddeeff");
    const Packed<16> cipher = from_hex("69c4e0d86a7b0430d8cdb78070b4c55a");

    machine.set(0, exclusive_or(plain, keys[0]));
    for (std::size_t round = 1; round < 11; ++round) {
        machine.set(1, keys[round]);
        machine.run_66(0x38, round < 10 ? 0xdc : 0xdd, 0, 1);
    }
    EXPECT_EQ(machine.get(0), cipher);

    machine.set(0, exclusive_or(cipher, keys[10]));
    for (std::size_t round = 9; round < 10; --round) {
        machine.set(1, keys[round]);
        if (round != 0) machine.run_66(0x38, 0xdb, 1, 1);  // aesimc
        machine.run_66(0x38, round != 0 ? 0xde : 0xdf, 0, 1);
    }
    EXPECT_EQ(machine.get(0), plain);
    EXPECT_EQ(machine.ymm(0)[2], 1U);
}

/// Polynomials that are multiplied by hand: (x^63 + 1)(x^63 + x) and so on.
TEST(SimdCrypto, CarrylessProducts) {
    struct Row {
        std::uint8_t immediate;
        Packed<16> product;
    };
    // First source: x^63 + 1 and x^2 + x + 1. Second: x^63 + x and x + 1.
    constexpr Row table[] = {
        {0x00, {0x8000'0000'0000'0002, 0x4000'0000'0000'0001}},  // x^126 + x^64 + x^63 + x
        {0x10, {0x8000'0000'0000'0003, 0x0000'0000'0000'0001}},  // x^64 + x^63 + x + 1
        {0x01, {0x8000'0000'0000'000e, 0x0000'0000'0000'0003}},  // x^65 + x^64 + x^63 + x^3 + x^2 + x
        {0x11, {0x0000'0000'0000'0009, 0}},                      // x^3 + 1
    };
    for (const Row& row : table) {
        Crypto machine;
        machine.set(0, {0x8000'0000'0000'0001, 7});
        machine.set(1, {0x8000'0000'0000'0002, 3});
        machine.run_66(0x3a, 0x44, 0, 1, row.immediate);
        EXPECT_EQ(machine.get(0), row.product) << unsigned{row.immediate};
    }
}

/// FIPS 180-4 with the message "abc": one block.
constexpr std::array<std::uint32_t, 16> abc{0x6162'6380, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24};

TEST(SimdCrypto, Sha1OfAbc) {
    Crypto machine;
    std::array<std::uint32_t, 80> w{};
    // The schedule, four words at a time, lane 3 first.
    const auto block = [&](std::size_t at) {
        return pack(std::array{w[at + 3], w[at + 2], w[at + 1], w[at]});
    };
    std::copy(abc.begin(), abc.end(), w.begin());
    for (std::size_t at = 16; at < 80; at += 4) {
        machine.set(1, block(at - 16));
        machine.set(2, block(at - 12));
        machine.run_plain(0x38, 0xc9, 1, 2);  // sha1msg1
        machine.set(1, exclusive_or(machine.get(1), block(at - 8)));
        machine.set(2, block(at - 4));
        machine.run_plain(0x38, 0xca, 1, 2);  // sha1msg2
        const auto words = lanes_of<std::uint32_t>(machine.get(1));
        for (std::size_t i = 0; i < 4; ++i) w[at + i] = words[3 - i];
    }
    const std::array<std::uint32_t, 4> start{0x1032'5476, 0x98ba'dcfe, 0xefcd'ab89, 0x6745'2301};
    constexpr std::uint32_t start_e = 0xc3d2'e1f0;
    machine.set(0, pack(start));
    Packed<16> before = pack(start);
    for (std::size_t at = 0; at < 80; at += 4) {
        const Packed<16> now = machine.get(0);
        if (at == 0) {
            auto first = lanes_of<std::uint32_t>(block(0));
            first[3] += start_e;
            machine.set(1, pack(first));
        } else {
            machine.set(1, before);
            machine.set(2, block(at));
            machine.run_plain(0x38, 0xc8, 1, 2);  // sha1nexte
        }
        machine.run_plain(0x3a, 0xcc, 0, 1, static_cast<std::uint8_t>(at / 20));
        before = now;
    }
    auto abcd = lanes_of<std::uint32_t>(machine.get(0));
    for (std::size_t i = 0; i < 4; ++i) abcd[i] += start[i];
    EXPECT_EQ(abcd, (std::array<std::uint32_t, 4>{0x7850'c26c, 0xba3e'2571, 0x4706'816a, 0xa999'3e36}));
    machine.set(1, before);
    machine.set(2, {0, std::uint64_t{start_e} << 32U});
    machine.run_plain(0x38, 0xc8, 1, 2);
    EXPECT_EQ(lanes_of<std::uint32_t>(machine.get(1))[3], 0x9cd0'd89dU);
}

TEST(SimdCrypto, Sha256OfAbc) {
    // FIPS 180-4 section 4.2.2.
    constexpr std::array<std::uint32_t, 64> constants{
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    Crypto machine;
    std::array<std::uint32_t, 64> w{};
    const auto block = [&](std::size_t at) {
        return pack(std::array{w[at], w[at + 1], w[at + 2], w[at + 3]});
    };
    std::copy(abc.begin(), abc.end(), w.begin());
    for (std::size_t at = 16; at < 64; at += 4) {
        machine.set(1, block(at - 16));
        machine.set(2, block(at - 12));
        machine.run_plain(0x38, 0xcc, 1, 2);  // sha256msg1
        auto words = lanes_of<std::uint32_t>(machine.get(1));
        for (std::size_t i = 0; i < 4; ++i) words[i] += w[at - 7 + i];
        machine.set(1, pack(words));
        machine.set(2, block(at - 4));
        machine.run_plain(0x38, 0xcd, 1, 2);  // sha256msg2
        words = lanes_of<std::uint32_t>(machine.get(1));
        std::copy(words.begin(), words.end(), w.begin() + static_cast<std::ptrdiff_t>(at));
    }
    const std::array<std::uint32_t, 4> abef{0x9b05'688c, 0x510e'527f, 0xbb67'ae85, 0x6a09'e667};
    const std::array<std::uint32_t, 4> cdgh{0x5be0'cd19, 0x1f83'd9ab, 0xa54f'f53a, 0x3c6e'f372};
    machine.set(1, pack(cdgh));
    machine.set(2, pack(abef));
    for (std::size_t at = 0; at < 64; at += 2) {
        const std::uint32_t low = w[at] + constants[at];
        const std::uint32_t high = w[at + 1] + constants[at + 1];
        machine.set(0, {low | std::uint64_t{high} << 32U, 0});
        machine.run_plain(0x38, 0xcb, 1, 2);  // sha256rnds2: the new A, B, E, F
        const Packed<16> next = machine.get(1);
        machine.set(1, machine.get(2));
        machine.set(2, next);
    }
    auto end_abef = lanes_of<std::uint32_t>(machine.get(2));
    auto end_cdgh = lanes_of<std::uint32_t>(machine.get(1));
    for (std::size_t i = 0; i < 4; ++i) {
        end_abef[i] += abef[i];
        end_cdgh[i] += cdgh[i];
    }
    EXPECT_EQ(end_abef, (std::array<std::uint32_t, 4>{0x9617'7a9c, 0xb003'61a3, 0x8f01'cfea, 0xba78'16bf}));
    EXPECT_EQ(end_cdgh, (std::array<std::uint32_t, 4>{0xf200'15ad, 0xb410'ff61, 0x5dae'2223, 0x4141'40de}));
}

}  // namespace
}  // namespace hyperstep::cpu
