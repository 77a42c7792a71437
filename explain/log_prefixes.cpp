#include <algorithm>
#include <array>

#include "explain/line_decoder.hpp"
#include "explain/segment_slots.hpp"
#include "explain/words.hpp"

namespace hyperstep::explain {
namespace {

/// "17:25:51", "2022-06-24T17:25:51.123456+02:00", "00:00:05.485406"
bool is_time(std::string_view word) {
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
        return is_digit(c) || c == ':' || c == '.' || c == ',' || c == '-' || c == '+' || c == 'T' ||
               c == 'Z';
    });
    if (!plain) return false;
    for (std::size_t i = 0; i + 8 <= word.size(); ++i)
        if (is_digit(word[i]) && is_digit(word[i + 1]) && word[i + 2] == ':' && is_digit(word[i + 3]) &&
            word[i + 5] == ':')
            return true;
    return false;
}

bool is_date(std::string_view word) {
    if (word.size() != 10 && word.size() != 5) return false;
    const char mark = word[word.size() == 10 ? 4 : 2];
    return (mark == '-' || mark == '/') &&
           std::count(word.begin(), word.end(), mark) == (word.size() == 10 ? 2 : 1) &&
           std::all_of(word.begin(), word.end(), [mark](char c) { return is_digit(c) || c == mark; });
}

bool is_month(std::string_view word) {
    constexpr std::array<std::string_view, 12> months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return std::find(months.begin(), months.end(), word) != months.end();
}

bool is_tag(std::string_view word) {
    if (word.size() < 2 || word.back() != ':') return false;
    word.remove_suffix(1);
    constexpr std::array<std::string_view, 9> tags{"kernel",
                                                   "kvm_intel",
                                                   "kvm",
                                                   "vmx",
                                                   "haxm_error",
                                                   "haxm_panic",
                                                   "haxm_warning",
                                                   "haxm_info",
                                                   "haxm_debug"};
    if (std::find(tags.begin(), tags.end(), word) != tags.end()) return true;
    // prog[123]:
    return word.size() > 3 && word.back() == ']' && is_digit(word[word.size() - 2]) && contains(word, "[") &&
           is_letter(word.front());
}

bool skip_quoting(std::string_view& s) {
    if (!s.starts_with('>') && !s.starts_with('|')) return false;
    s.remove_prefix(1);
    return true;
}

bool skip_bracket(std::string_view& s) {
    if (!s.starts_with('[') && !s.starts_with('<') && !s.starts_with('(')) return false;
    const char closing = s.front() == '[' ? ']' : s.front() == '<' ? '>' : ')';
    const std::size_t close = s.find(closing);
    if (close == std::string_view::npos || close < 2 || close > 48) return false;
    const std::string_view inside = s.substr(1, close - 1);
    if (closing == '>' && !std::all_of(inside.begin(), inside.end(), is_digit)) return false;
    // (XEN), (d12), (d12v0): not the second number of "0x... (0x...)"
    if (closing == ')' && (inside.size() > 6 || !is_letter(inside.front()))) return false;
    s.remove_prefix(close + 1);
    return true;
}

bool is_host(std::string_view word) {
    return !word.empty() && (is_letter(word.front()) || is_digit(word.front())) && !contains(word, ":") &&
           !contains(word, "=") && guest_segment(word, NameStyle::any) == nullptr;
}

/// "kernel:", "QEMU[123]:", not "CS:" or "VMX_PIN_CONTROLS:".
bool is_program(std::string_view word) {
    if (word.size() < 3 || word.back() != ':') return false;
    if (is_tag(word)) return true;
    word.remove_suffix(1);
    return word.front() >= 'a' && word.front() <= 'z' && guest_segment(word, NameStyle::any) == nullptr;
}

/// "Jun 24 17:25:51 host kernel:", "2022-06-24 17:25:51 host prog[1]:", "06-24 17:25:51.1  123  456 E QEMU :"
bool skip_timestamp(std::string_view& s) {
    std::string_view rest = s;
    std::string_view word = take_word(rest);
    if (is_month(word)) {
        take_word(rest);
        word = take_word(rest);
    } else if (is_date(word)) {
        word = take_word(rest);
    }
    if (!is_time(word)) return false;
    s = rest;
    // logcat: two numbers, a letter, a tag
    std::string_view columns = rest;
    const std::string_view pid = take_word(columns);
    const std::string_view tid = take_word(columns);
    const std::string_view level = take_word(columns);
    if (whole_decimal(pid) && whole_decimal(tid) && level.size() == 1 && is_letter(level.front())) {
        const std::size_t colon = columns.substr(0, 48).find(": ");
        if (colon != std::string_view::npos) s = columns.substr(colon + 1);
        return true;
    }
    // host and program, as syslog writes them
    std::string_view host_rest = rest;
    const std::string_view host = take_word(host_rest);
    const std::string_view program = take_word(host_rest);
    if (is_host(host) && is_program(program)) s = host_rest;
    return true;
}

/// DebugView's number and seconds: "00016579  10.47746754  "
bool skip_debugview_columns(std::string_view& s) {
    std::string_view rest = s;
    const std::string_view number = take_word(rest);
    const std::string_view seconds = take_word(rest);
    const std::size_t point = seconds.find('.');
    if (!whole_decimal(number) || point == std::string_view::npos) return false;
    if (!whole_decimal(seconds.substr(0, point)) || !whole_decimal(seconds.substr(point + 1))) return false;
    s = rest;
    return true;
}

bool skip_tag(std::string_view& s) {
    std::string_view rest = s;
    const std::string_view word = take_word(rest);
    if (is_tag(word)) {
        s = rest;
        return true;
    }
    // logcat's brief form: "E/qemu   ( 1234): "
    if (word.size() > 2 && word[1] == '/' && is_letter(word[0])) {
        const std::size_t close = s.substr(0, 48).find("): ");
        if (close == std::string_view::npos) return false;
        s.remove_prefix(close + 3);
        return true;
    }
    // a container's name: "vm-1  | "
    std::string_view behind = rest;
    if (!word.empty() && word.size() < 40 && take_word(behind) == "|") {
        s = behind;
        return true;
    }
    return false;
}

std::string_view without_known_prefixes(std::string_view s) {
    for (int step = 0; step < 12; ++step) {
        s = trim(s);
        if (!skip_quoting(s) && !skip_bracket(s) && !skip_timestamp(s) && !skip_debugview_columns(s) &&
            !skip_tag(s))
            break;
    }
    return s;
}

std::string shape_of(std::string_view prefix) {
    std::string shape;
    for (const char c : prefix)
        if (!is_digit(c))
            shape += c;
        else if (shape.empty() || shape.back() != '0')
            shape += '0';
    return shape;
}

/// How much of `line` has this shape; 0 if its start has another.
std::size_t shaped_length(std::string_view line, std::string_view shape) {
    std::size_t at = 0;
    for (const char c : shape) {
        if (at >= line.size()) return 0;
        if (c == '0' && is_digit(line[at])) {
            while (at < line.size() && is_digit(line[at])) ++at;
        } else if (line[at] == c) {
            ++at;
        } else {
            return 0;
        }
    }
    return at;
}

}  // namespace

void PrefixStripper::learn(std::string_view line) {
    constexpr std::size_t longest_prefix = 80;
    constexpr std::array<std::string_view, 10> unmistakable{"vmentry failure (reason",
                                                            "VMLAUNCH error: 0x",
                                                            "VMRESUME error: 0x",
                                                            "*** Guest State ***",
                                                            "*** Host State ***",
                                                            "*** Control State ***",
                                                            "KVM: entry failed, hardware error",
                                                            "EAX=",
                                                            "RAX=",
                                                            "HM error "};
    for (const std::string_view mark : unmistakable) {
        const std::size_t at = line.substr(0, longest_prefix + mark.size()).find(mark);
        if (at == 0 || at == std::string_view::npos) continue;
        if (line[at - 1] != ' ' && line[at - 1] != ':' && line[at - 1] != '>') continue;
        std::string shape = shape_of(line.substr(0, at));
        if (std::find(learned_.begin(), learned_.end(), shape) != learned_.end()) return;
        if (learned_.size() == 4) learned_.erase(learned_.begin());
        learned_.push_back(std::move(shape));
        return;
    }
}

std::string_view PrefixStripper::strip(std::string_view line) {
    std::string_view rest = without_known_prefixes(line);
    learn(rest);
    for (auto shape = learned_.rbegin(); shape != learned_.rend(); ++shape) {
        const std::size_t length = shaped_length(rest, *shape);
        if (length != 0) return without_known_prefixes(rest.substr(length));
    }
    return rest;
}

}  // namespace hyperstep::explain
