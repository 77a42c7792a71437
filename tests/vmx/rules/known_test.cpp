#include "vmx/rules/known.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

// Arithmetic with unknown bits, against the definition: an operation on all completions of its operands.
namespace hyperstep::vmx {
namespace {

constexpr std::uint64_t small = 0xf;  // four bits that may be unknown; the others are known to be 0

std::vector<PartialWord> partial_words() {
    std::vector<PartialWord> words;
    for (std::uint64_t known = 0; known <= small; ++known)
        for (std::uint64_t value = 0; value <= small; ++value)
            if ((value & ~known) == 0) words.emplace_back(value, known | ~small);
    return words;
}

std::vector<std::uint64_t> completions(PartialWord word) {
    std::vector<std::uint64_t> values;
    for (std::uint64_t fill = 0; fill <= small; ++fill)
        if ((fill & word.known) == 0) values.push_back(word.value | fill);
    return values;
}

/// The most that can be said of an operation's result: the bits that all completions agree on.
template <class Operation>
PartialWord best_word(Operation op, PartialWord a, PartialWord b) {
    std::uint64_t ones = ~0ULL;
    std::uint64_t zeros = ~0ULL;
    for (const std::uint64_t x : completions(a))
        for (const std::uint64_t y : completions(b)) {
            ones &= op(x, y);
            zeros &= ~op(x, y);
        }
    return {ones, ones | zeros};
}

template <class Operation>
Truth best_truth(Operation op, PartialWord a, PartialWord b) {
    bool always = true;
    bool never = true;
    for (const std::uint64_t x : completions(a))
        for (const std::uint64_t y : completions(b)) (op(x, y) ? never : always) = false;
    if (always) return Truth::yes;
    return never ? Truth::no : Truth::unknown;
}

bool same(PartialWord a, PartialWord b) {
    return a.value == b.value && a.known == b.known;
}

TEST(PartialWord, BitwiseOperationsAreExact) {
    for (const PartialWord a : partial_words()) {
        EXPECT_TRUE(same(~a, best_word([](auto x, auto) { return ~x; }, a, 0)));
        EXPECT_TRUE(same(a >> 1U, best_word([](auto x, auto) { return x >> 1U; }, a, 0)));
        EXPECT_TRUE(same(a << 2U, best_word([](auto x, auto) { return x << 2U; }, a, 0)));
        for (const PartialWord b : partial_words()) {
            EXPECT_TRUE(same(a & b, best_word([](auto x, auto y) { return x & y; }, a, b)));
            EXPECT_TRUE(same(a | b, best_word([](auto x, auto y) { return x | y; }, a, b)));
        }
    }
}

TEST(PartialWord, ComparisonsAreExact) {
    for (const PartialWord a : partial_words())
        for (const PartialWord b : partial_words()) {
            EXPECT_EQ(a == b, best_truth([](auto x, auto y) { return x == y; }, a, b));
            EXPECT_EQ(a != b, best_truth([](auto x, auto y) { return x != y; }, a, b));
            EXPECT_EQ(a <= b, best_truth([](auto x, auto y) { return x <= y; }, a, b));
            EXPECT_EQ(a < b, best_truth([](auto x, auto y) { return x < y; }, a, b));
            EXPECT_EQ(a >= b, best_truth([](auto x, auto y) { return x >= y; }, a, b));
            EXPECT_EQ(a > b, best_truth([](auto x, auto y) { return x > y; }, a, b));
        }
}

TEST(PartialWord, SumsAreSound) {
    for (const PartialWord a : partial_words())
        for (const PartialWord b : partial_words()) {
            const PartialWord sum = a + b;
            for (const std::uint64_t x : completions(a))
                for (const std::uint64_t y : completions(b)) EXPECT_EQ((x + y) & sum.known, sum.value);
        }
}

TEST(PartialWord, RangesReadTheirBits) {
    const PartialWord word{0b1010, ~0b0001ULL};
    EXPECT_EQ(word[Bits<0>{}], Truth::unknown);
    EXPECT_EQ(word[Bits<1>{}], Truth::yes);
    EXPECT_EQ(word[Bits<2>{}], Truth::no);
    EXPECT_TRUE(same((word[Bits<3, 2>{}]), PartialWord{0b10}));
    EXPECT_TRUE(same((word[Bits<1, 0>{}]), PartialWord(0b10, ~1ULL)));
}

constexpr Truth no = Truth::no;
constexpr Truth yes = Truth::yes;
constexpr Truth unknown = Truth::unknown;

constexpr struct {
    Truth a, b, conjunction, disjunction, implication;
} kleene[] = {
    // a       b        a and b  a or b   a implies b
    {no, no, no, no, yes},
    {no, unknown, no, unknown, yes},
    {no, yes, no, yes, yes},
    {unknown, no, no, unknown, unknown},
    {unknown, unknown, unknown, unknown, unknown},
    {unknown, yes, unknown, yes, yes},
    {yes, no, no, yes, no},
    {yes, unknown, unknown, yes, unknown},
    {yes, yes, yes, yes, yes},
};

TEST(Truth, IsKleenes) {
    for (const auto& row : kleene) {
        EXPECT_EQ(row.a && row.b, row.conjunction);
        EXPECT_EQ(row.a || row.b, row.disjunction);
        EXPECT_EQ(implies(row.a, row.b), row.implication);
    }
    EXPECT_EQ(!unknown, unknown);
    EXPECT_EQ(!yes, no);
}

TEST(Select, IgnoresAnUnknownConditionWhereBothSidesAgree) {
    EXPECT_EQ(select(unknown, yes, yes), yes);
    EXPECT_EQ(select(unknown, yes, no), unknown);
    EXPECT_EQ(select(yes, no, yes), no);
    EXPECT_TRUE(same(select(unknown, PartialWord{0b110}, PartialWord{0b100}), PartialWord(0b100, ~0b010ULL)));
}

TEST(FitsIn, KnowsTheLimitsOfAnUnknownWidth) {
    const PartialWord width = PartialWord::nothing_known();
    EXPECT_EQ(fits_in(PartialWord{0xf'ffff'ffff}, width), yes);       // 36 bits
    EXPECT_EQ(fits_in(PartialWord{0x10'0000'0000}, width), unknown);  // bit 36
    EXPECT_EQ(fits_in(PartialWord{1ULL << 51}, width), unknown);
    EXPECT_EQ(fits_in(PartialWord{1ULL << 52}, width), no);
    EXPECT_EQ(fits_in(PartialWord{1ULL << 39}, PartialWord{39}), no);
    EXPECT_EQ(fits_in(PartialWord{1ULL << 38}, PartialWord{39}), yes);
    // A width that no processor has is taken as it is, not cut to 32 bits.
    EXPECT_EQ(fits_in(PartialWord{~0ULL}, PartialWord{0xbc00'0000'0000'0000}), yes);
    EXPECT_TRUE(fits_in(ExactWord{~0ULL}, ExactWord{0xbc00'0000'0000'0000}));
    EXPECT_FALSE(fits_in(ExactWord{~0ULL}, ExactWord{63}));
}

}  // namespace
}  // namespace hyperstep::vmx
