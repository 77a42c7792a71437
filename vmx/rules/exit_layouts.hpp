#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace hyperstep::vmx {

/// How a word of VM-exit information is divided into ranges of bits.
enum class Layout : std::uint8_t {
#define LAYOUT(identifier, meaning) identifier,
#define BITS(layout, high, low, name, ...)
#include "vmx/rules/exit_layouts.def"
#undef LAYOUT
#undef BITS
};
std::string_view meaning(Layout l);

/// A value of a range and what it stands for. Empty words: nothing worth saying.
struct ValueWords {
    std::uint64_t value;
    std::string_view words;
};

/// The values of a range that have words; empty for a plain number.
class WordList {
public:
    constexpr WordList(std::initializer_list<ValueWords> words) {
        for (const ValueWords& w : words) words_[count_++] = w;
    }
    constexpr const ValueWords* begin() const { return words_.data(); }
    constexpr const ValueWords* end() const { return words_.data() + count_; }
    constexpr std::size_t size() const { return count_; }

private:
    std::array<ValueWords, 16> words_{};
    std::size_t count_ = 0;
};

/// Bits high..low of a word.
struct BitRange {
    Layout layout;
    std::uint8_t high, low;
    std::string_view name;
    WordList words;

    constexpr std::uint64_t get(std::uint64_t word) const {
        return word >> low & (~0ULL >> (63U - (high - low)));
    }
};

/// The ranges of a layout, low bits first; none if the word carries no information.
std::span<const BitRange> ranges_of(Layout l);

/// One range of a word, read.
struct DecodedBits {
    std::string_view name;
    std::uint8_t high, low;
    std::uint64_t value;
    std::string_view words;  ///< empty: the value says it, or there is nothing worth saying
};

/// Reads each range of a layout. Ranges that other bits make undefined are left out: for an EPT violation
/// bits 11:8 without a linear address and bits 11:9 for an access to a paging-structure entry; registers
/// marked invalid.
std::vector<DecodedBits> decode(Layout l, std::uint64_t word);

/// The part with this name; nullptr if the word has none (see decode).
const DecodedBits* part(std::span<const DecodedBits> parts, std::string_view name);

}  // namespace hyperstep::vmx
