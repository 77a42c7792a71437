#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hyperstep::explain {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_hex_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr char lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view s);
/// Removes `start` from the front of `s`, and tells whether it was there.
bool take_start(std::string_view& s, std::string_view start);
/// Removes the blanks at the front and the word (up to a blank) behind them; returns the word.
std::string_view take_word(std::string_view& s);
std::string lower_case(std::string_view s);
/// Equal but for the case of ASCII letters.
bool same_letters(std::string_view a, std::string_view b);
/// Where `part` begins in `s`; npos if nowhere. Quicker than string_view::find() where the first letter of
/// `part` is common and the rest is not there.
std::size_t position_of(std::string_view s, std::string_view part);
bool contains(std::string_view s, std::string_view part);

/// A byte that a terminal may obey instead of showing it: C0, and DEL.
constexpr bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}
/// Text of a file as it may be quoted in a message: control characters are question marks.
std::string without_controls(std::string_view s);

/// A number in a text, and how it was written.
struct Number {
    std::uint64_t value = 0;  ///< meaningless if `too_wide`
    std::size_t digits = 0;
    bool prefixed = false;     ///< with 0x
    bool too_wide = false;     ///< more than 64 bits
    bool only_decimal = true;  ///< no digit above 9
};

/// Takes a hexadecimal number, with or without 0x, off the front; nothing is taken unless a letter or digit
/// that does not belong to it follows it nowhere.
std::optional<Number> take_hex(std::string_view& s);
/// The number that `s` is, as a whole.
std::optional<Number> whole_hex(std::string_view s);
std::optional<std::uint64_t> whole_decimal(std::string_view s);

/// One `key = value (note)` of a line.
struct Pair {
    std::string_view key;
    std::string_view value;  ///< up to a blank or comma
    std::string_view note;   ///< in parentheses behind the value
};
/// The pairs of a line, at most 16. The first key is everything before the first "=".
std::vector<Pair> pairs_of(std::string_view line);

}  // namespace hyperstep::explain
