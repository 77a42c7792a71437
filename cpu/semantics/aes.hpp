#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "cpu/packed_forms.hpp"

// The AES instructions' rounds, after FIPS-197. A state is 16 bytes, column after column.
namespace hyperstep::cpu::aes {

using State = Lanes<std::uint8_t, 16>;
using Box = std::array<std::uint8_t, 256>;

/// Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. FIPS-197 section 4.2.
constexpr std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
    unsigned product = 0;
    unsigned shifted = a;
    for (unsigned bits = b; bits != 0; bits >>= 1U) {
        if ((bits & 1U) != 0) product ^= shifted;
        shifted <<= 1U;
        if ((shifted & 0x100U) != 0) shifted ^= 0x11bU;
    }
    return static_cast<std::uint8_t>(product);
}

/// FIPS-197 section 5.1.1: the inverse, then an affine map. All inverses come from the powers of the
/// generator 3.
constexpr Box make_box() {
    std::array<std::uint8_t, 256> powers{};
    std::uint8_t power = 1;
    for (std::size_t i = 0; i < 255; ++i) {
        powers[i] = power;
        power = multiply(power, 3);
    }
    Box box{};
    box[0] = 0x63;
    for (std::size_t i = 0; i < 255; ++i) {
        const std::uint8_t inverse = powers[(255 - i) % 255];
        std::uint8_t value = 0x63;
        for (int turn = 0; turn < 5; ++turn)
            value = static_cast<std::uint8_t>(value ^ std::rotl(inverse, turn));
        box[powers[i]] = value;
    }
    return box;
}
constexpr Box make_inverse_box(const Box& box) {
    Box inverse{};
    for (std::size_t i = 0; i < box.size(); ++i) inverse[box[i]] = static_cast<std::uint8_t>(i);
    return inverse;
}
inline constexpr Box box = make_box();
inline constexpr Box inverse_box = make_inverse_box(box);
static_assert(box[0x53] == 0xed && inverse_box[0xed] == 0x53);  // the example of FIPS-197 section 5.1.1

inline State substitute(State state, const Box& with) {
    for (auto& byte : state) byte = with[byte];
    return state;
}
enum class Direction : std::uint8_t { forward, inverse };

/// ShiftRows and its inverse: row r moves by r columns.
template <Direction direction>
State shift_rows(const State& state) {
    State result{};
    for (std::size_t column = 0; column < 4; ++column)
        for (std::size_t row = 0; row < 4; ++row) {
            const std::size_t from = direction == Direction::forward ? column + row : column + 4 - row;
            result[column * 4 + row] = state[from % 4 * 4 + row];
        }
    return result;
}
/// MixColumns and its inverse: each column times a fixed polynomial.
template <Direction direction>
State mix_columns(const State& state) {
    constexpr std::array<std::uint8_t, 4> factors = direction == Direction::forward
                                                        ? std::array<std::uint8_t, 4>{2, 3, 1, 1}
                                                        : std::array<std::uint8_t, 4>{14, 11, 13, 9};
    State result{};
    for (std::size_t column = 0; column < 4; ++column)
        for (std::size_t row = 0; row < 4; ++row)
            for (std::size_t k = 0; k < 4; ++k)
                result[column * 4 + row] = static_cast<std::uint8_t>(
                    result[column * 4 + row] ^ multiply(state[column * 4 + (row + k) % 4], factors[k]));
    return result;
}

enum class Round : std::uint8_t { middle, last };

/// AESENC, AESENCLAST, AESDEC, AESDECLAST: a round of the state a with the key b.
template <Direction direction, Round round>
struct Cipher : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& a, const Packed<bytes>& b, unsigned /*immediate*/) {
        State state = shift_rows<direction>(lanes_of<std::uint8_t>(a));
        state = substitute(state, direction == Direction::forward ? box : inverse_box);
        if constexpr (round == Round::middle) state = mix_columns<direction>(state);
        const Packed<bytes> result = pack(state);
        return {result[0] ^ b[0], result[1] ^ b[1]};
    }
};

/// AESIMC: a round key for the equivalent inverse cipher.
struct InverseMixColumns : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned /*immediate*/) {
        return pack(mix_columns<Direction::inverse>(lanes_of<std::uint8_t>(b)));
    }
};

/// AESKEYGENASSIST: SubWord of the words 1 and 3, and those rotated and with the round constant.
struct KeyAssist : PackedOperation {
    template <unsigned bytes>
    static Packed<bytes> apply(const Packed<bytes>& /*a*/, const Packed<bytes>& b, unsigned immediate) {
        const auto words =
            lanes_of<std::uint32_t>(Packed<16>(pack(substitute(lanes_of<std::uint8_t>(b), box))));
        const std::uint32_t constant = immediate;
        return pack(std::array{
            words[1], std::rotr(words[1], 8) ^ constant, words[3], std::rotr(words[3], 8) ^ constant});
    }
};

}  // namespace hyperstep::cpu::aes
