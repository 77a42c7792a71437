#include "explain/words.hpp"

#include <algorithm>
#include <cstring>

namespace hyperstep::explain {

std::string_view trim(std::string_view s) {
    while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
    while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
    return s;
}

bool take_start(std::string_view& s, std::string_view start) {
    if (!s.starts_with(start)) return false;
    s.remove_prefix(start.size());
    return true;
}

std::string_view take_word(std::string_view& s) {
    while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
    const std::string_view word = s.substr(0, s.find(' '));
    s.remove_prefix(word.size());
    return word;
}

std::string lower_case(std::string_view s) {
    std::string lower{s};
    for (char& c : lower) c = lower_case(c);
    return lower;
}

bool same_letters(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return lower_case(x) == lower_case(y);
    });
}

std::size_t position_of(std::string_view s, std::string_view part) {
    if (part.empty()) return 0;
    if (s.size() < part.size()) return std::string_view::npos;
    const void* found = memmem(s.data(), s.size(), part.data(), part.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - s.data());
}

bool contains(std::string_view s, std::string_view part) {
    return position_of(s, part) != std::string_view::npos;
}

std::string without_controls(std::string_view s) {
    std::string shown;
    shown.reserve(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
        // C1 in UTF-8: U+0080 to U+009F
        const bool second_set = s[i] == '\xc2' && i + 1 < s.size() &&
                                static_cast<unsigned char>(s[i + 1]) >= 0x80 &&
                                static_cast<unsigned char>(s[i + 1]) < 0xa0;
        shown += second_set || is_control(s[i]) ? '?' : s[i];
        if (second_set) ++i;
    }
    return shown;
}

namespace {

unsigned digit_value(char c) {
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    return static_cast<unsigned>((c | 0x20) - 'a' + 10);
}

}  // namespace

std::optional<Number> take_hex(std::string_view& s) {
    std::string_view rest = s;
    Number n;
    n.prefixed = take_start(rest, "0x") || take_start(rest, "0X");
    std::size_t significant = 0;
    while (!rest.empty() && is_hex_digit(rest.front())) {
        const unsigned digit = digit_value(rest.front());
        if (significant != 0 || digit != 0) ++significant;
        n.value = n.value << 4U | digit;
        n.only_decimal = n.only_decimal && digit < 10;
        ++n.digits;
        rest.remove_prefix(1);
    }
    if (n.digits == 0) return std::nullopt;
    if (!rest.empty() && (is_letter(rest.front()) || rest.front() == '_')) return std::nullopt;
    n.too_wide = significant > 16;
    s = rest;
    return n;
}

std::optional<Number> whole_hex(std::string_view s) {
    const std::optional<Number> n = take_hex(s);
    return s.empty() ? n : std::nullopt;
}

std::optional<std::uint64_t> whole_decimal(std::string_view s) {
    if (s.empty() || s.size() > 19 || !std::all_of(s.begin(), s.end(), is_digit)) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : s) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
}

std::vector<Pair> pairs_of(std::string_view line) {
    std::vector<Pair> pairs;
    while (pairs.size() < 16) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) break;
        Pair pair;
        pair.key = trim(line.substr(0, equals));
        line = trim(line.substr(equals + 1));
        const auto ends_value = [](char c) { return c == ' ' || c == ',' || c == ';'; };
        const auto length = std::find_if(line.begin(), line.end(), ends_value) - line.begin();
        pair.value = line.substr(0, static_cast<std::size_t>(length));
        line.remove_prefix(pair.value.size());
        while (!line.empty() && (line.front() == ' ' || line.front() == ',' || line.front() == ';'))
            line.remove_prefix(1);
        if (line.starts_with('(')) {
            const std::size_t close = std::min(line.find(')'), line.size() - 1);
            pair.note = line.substr(0, close + 1);
            line.remove_prefix(close + 1);
        }
        pairs.push_back(pair);
    }
    return pairs;
}

}  // namespace hyperstep::explain
