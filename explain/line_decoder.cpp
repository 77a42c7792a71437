#include "explain/line_decoder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "explain/words.hpp"

namespace hyperstep::explain {
namespace {

constexpr std::size_t longest_line = std::size_t{64} * 1024;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

int upper_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The byte that "=XX" at `at` stands for; -1 if it is not one that mailers encode. "=00" and the like in
/// plain dumps ("CR3=00000001...") must not pass for one.
int encoded_byte(std::string_view line, std::size_t at) {
    if (at + 2 >= line.size()) return -1;
    const int high = upper_hex(line[at + 1]);
    const int low = upper_hex(line[at + 2]);
    if (high < 0 || low < 0) return -1;
    const int byte = high * 16 + low;
    return byte == '=' || byte == ' ' || byte == '\t' || byte >= 0xa0 ? byte : -1;
}

/// True if every "=" of the line is a quoted-printable one.
bool looks_encoded(std::string_view line, bool known_encoded) {
    bool encoded = known_encoded;
    for (std::size_t at = line.find('='); at != std::string_view::npos; at = line.find('=', at + 1)) {
        if (at + 1 == line.size()) return encoded;
        const int byte = encoded_byte(line, at);
        if (byte < 0) return false;
        encoded = encoded || byte == '=';
    }
    return encoded;
}

void append_unquoted(std::string& to, std::string_view line) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        const int byte = line[i] == '=' ? encoded_byte(line, i) : -1;
        if (byte >= 0) {
            to += static_cast<char>(byte);
            i += 2;
        } else if (line[i] != '=' || i + 1 != line.size()) {
            to += line[i];
        }
    }
}

/// How many bytes at `at` are a space that is not ASCII's (UTF-8 U+00A0, U+2000 to U+200B, U+202F; Latin-1
/// A0), or one of the control characters U+0080 to U+009F.
std::size_t foreign_space(std::string_view s, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
    if (byte(at) == 0xc2 && byte(at + 1) >= 0x80 && byte(at + 1) <= 0xa0) return 2;
    if (byte(at) == 0xe2 && byte(at + 1) == 0x80 &&
        ((byte(at + 2) >= 0x80 && byte(at + 2) <= 0x8b) || byte(at + 2) == 0xaf))
        return 3;
    return byte(at) == 0xa0 && (at == 0 || byte(at - 1) < 0x80 || byte(at - 1) == 0xa0) ? 1 : 0;
}

/// Length of a terminal's escape sequence at `at`: ESC [ ... letter.
std::size_t escape_sequence(std::string_view s, std::size_t at) {
    if (s[at] != '\x1b' || at + 1 >= s.size() || s[at + 1] != '[') return 0;
    std::size_t end = at + 2;
    while (end < s.size() && !is_letter(s[end]) && end - at < 16) ++end;
    return std::min(end + 1, s.size()) - at;
}

/// Whether every byte stands for itself.
bool is_plain(std::string_view s) {
    // Without a way out of the loop, so that the compiler looks at many bytes at once.
    bool other = false;
    for (const char c : s) other |= static_cast<unsigned char>(c) - 0x20U >= 0x7fU - 0x20U;
    return !other;
}

std::string with_plain_spaces(std::string s) {
    if (is_plain(s)) return s;
    std::string plain;
    plain.reserve(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (const std::size_t n = foreign_space(s, i); n != 0) {
            plain += ' ';
            i += n - 1;
        } else if (const std::size_t escape = escape_sequence(s, i); escape != 0) {
            i += escape - 1;
        } else {
            plain += is_control(s[i]) ? ' ' : s[i];
        }
    }
    return plain;
}

struct Markup {
    std::size_t length = 0;    ///< 0 if there is none
    std::string_view meaning;  ///< what it stands for; a line feed ends the line
};

/// A tag of a page's preformatted or broken text at `at`, which is a "<".
Markup tag_at(std::string_view s, std::size_t at) {
    constexpr std::array<std::string_view, 5> line_ends{"br", "p", "div", "li", "tr"};
    constexpr std::array<std::string_view, 7> dresses{"pre", "code", "span", "tt", "td", "blockquote", "b"};
    constexpr std::size_t longest_tag = 120;
    const std::size_t end = s.substr(0, at + longest_tag).find('>', at);
    if (end == std::string_view::npos) return {};
    std::string_view inside = s.substr(at + 1, end - at - 1);
    take_start(inside, "/");
    const std::string name = lower_case(inside.substr(0, inside.find_first_of(" /")));
    const std::size_t length = end - at + 1;
    if (std::find(line_ends.begin(), line_ends.end(), name) != line_ends.end()) return {length, "\n"};
    if (std::find(dresses.begin(), dresses.end(), name) != dresses.end()) return {length, ""};
    return {};
}

/// A character reference at `at`, which is a "&".
Markup reference_at(std::string_view s, std::size_t at) {
    constexpr std::array<std::array<std::string_view, 2>, 6> references{
        {{"&gt;", ">"}, {"&lt;", "<"}, {"&amp;", "&"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&nbsp;", " "}}};
    for (const auto& [name, meaning] : references)
        if (s.substr(at).starts_with(name)) return {name.size(), meaning};
    return {};
}

std::string without_markup(std::string_view s) {
    while (s.ends_with("\\n") || s.ends_with("\\r")) s.remove_suffix(2);
    std::string plain;
    plain.reserve(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
        const Markup found = s[i] == '<' ? tag_at(s, i) : s[i] == '&' ? reference_at(s, i) : Markup{};
        if (found.length == 0) {
            plain += s[i];
        } else {
            plain += found.meaning;
            i += found.length - 1;
        }
    }
    return plain;
}

/// Appends the lines that a line of a page stands for: itself, if it has no markup.
void append_lines(std::size_t number, std::string line, std::vector<TextLine>& lines) {
    if (line.find_first_of("<&\\") == std::string::npos) {
        lines.push_back({number, std::move(line)});
        return;
    }
    const std::string plain = without_markup(line);
    std::string_view rest = plain;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        if (end != 0) lines.push_back({number, std::string{rest.substr(0, end)}});
        rest.remove_prefix(end + 1);
    }
    if (!rest.empty() || plain.empty()) lines.push_back({number, std::string{rest}});
}

void drop_last_word(std::string& line) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
        line.pop_back();
    while (!line.empty() && (is_letter(line.back()) || is_digit(line.back()))) line.pop_back();
}

}  // namespace

void LineDecoder::feed(std::string_view piece, std::vector<TextLine>& lines) {
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        const std::size_t room = longest_line - std::min(longest_line, raw_.size());
        raw_.append(part.substr(0, room));
        if (end == std::string_view::npos) return;
        complete(lines);
        piece.remove_prefix(end + 1);
    }
}

void LineDecoder::complete(std::vector<TextLine>& lines) {
    ++number_;
    while (!raw_.empty() && raw_.back() == '\r') raw_.pop_back();
    std::string raw = std::move(raw_);
    raw_.clear();
    if (raw.starts_with(byte_order_mark)) raw.erase(0, byte_order_mark.size());
    if (!soft_break_) {
        first_ = number_;
        decoded_.clear();
        if (raw.starts_with('#') || raw.find('\0') != std::string::npos) return;
    }
    if (!soft_break_ && raw.find('=') == std::string::npos) {
        append_lines(first_, with_plain_spaces(std::move(raw)), lines);
        return;
    }
    const bool encoded = looks_encoded(raw, quoted_printable_);
    quoted_printable_ = quoted_printable_ || encoded;
    soft_break_ = encoded && raw.ends_with('=') && decoded_.size() < longest_line;
    if (encoded)
        append_unquoted(decoded_, raw);
    else
        decoded_ += raw;
    if (!soft_break_) append_lines(first_, with_plain_spaces(decoded_), lines);
}

void LineDecoder::finish(std::vector<TextLine>& lines) {
    const bool glued = soft_break_;
    drop_last_word(raw_);
    if (!raw_.empty())
        complete(lines);
    else if (!glued)
        return;
    if (!soft_break_) return;
    // The input ends in a soft line break.
    drop_last_word(decoded_);
    append_lines(first_, with_plain_spaces(decoded_), lines);
    soft_break_ = false;
}

}  // namespace hyperstep::explain
