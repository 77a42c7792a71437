#include "explain/record_joiner.hpp"

#include <algorithm>
#include <array>

#include "explain/words.hpp"

namespace hyperstep::explain {
namespace {

/// Keys that stand behind others in one printf of KVM or Xen.
constexpr std::array<std::string_view, 13> inner_keys{"shadow=",
                                                      "gh_mask=",
                                                      "attr=",
                                                      "limit=",
                                                      "base=",
                                                      "errcode=",
                                                      "ilen=",
                                                      "intr_info=",
                                                      "qualification=",
                                                      "info=",
                                                      "value=",
                                                      "CS:RIP=",
                                                      "Window="};
/// Keys of several words, which a mailer may have wrapped inside: before and behind the break.
struct BrokenKey {
    std::string_view head;
    std::string_view tail;
};
constexpr std::array<BrokenKey, 17> broken_keys{{{"Sysenter", "RSP"},
                                                 {"TSC", "Offset"},
                                                 {"TSC", "Multiplier"},
                                                 {"TPR", "Threshold"},
                                                 {"APIC-access", "addr"},
                                                 {"virt-APIC", "addr"},
                                                 {"EPT", "pointer"},
                                                 {"EPTP", "index"},
                                                 {"PLE", "Gap"},
                                                 {"Virtual", "processor ID"},
                                                 {"Virtual processor", "ID"},
                                                 {"VMfunc", "controls"},
                                                 {"SM", "Base"},
                                                 {"VE", "info address"},
                                                 {"VE info", "address"},
                                                 {"VMEntry:", "intr_info"},
                                                 {"VMExit:", "intr_info"}}};

/// starts_with() for a text and a `part` that are not empty; nearly always the first letter decides.
bool begins(std::string_view text, std::string_view part) {
    return text.front() == part.front() && text.starts_with(part);
}

bool starts_a_number(std::string_view s) {
    return take_hex(s).has_value();
}

bool completes_long_key(std::string_view before, std::string_view text) {
    return std::any_of(broken_keys.begin(), broken_keys.end(), [&](const BrokenKey& key) {
        return begins(text, key.tail) && before.ends_with(key.head);
    });
}

/// A segment line of QEMU that lacks numbers.
bool is_short_segment(std::string_view s) {
    const std::size_t equals = s.find('=');
    if (equals != 3) return false;
    s.remove_prefix(4);
    int numbers = 0;
    while (!trim(s).empty()) {
        s = trim(s);
        if (!take_hex(s)) return false;
        ++numbers;
    }
    return numbers >= 1 && numbers < 4;
}

}  // namespace

bool RecordJoiner::continues(std::string_view text) const {
    if (!pending_ || text.empty()) return false;
    const std::string_view before = trim(pending_->text);
    if (before.empty() || before.size() > 1024 || before.find('=') == std::string_view::npos) {
        // only a long key or "VMEntry:" may be cut before its first "="
        if (before.empty() || before.size() > 64) return false;
    }
    if (before.ends_with('=') && !before.ends_with("==")) return starts_a_number(text);
    if (text.starts_with("= ") || text.starts_with("=0"))
        return is_letter(before.back()) || is_digit(before.back()) || before.back() == ')';
    if (text.starts_with("(0x") || text.starts_with("(effective") || text.starts_with("(autoload"))
        return is_hex_digit(before.back());
    for (const std::string_view key : inner_keys)
        if (begins(text, key))
            return (before.ends_with(':') || contains(before, "=")) && !contains(before, key);
    if (before.starts_with("RSP =") && text.starts_with("RIP =")) return !contains(before, "RIP");
    if (before.starts_with("RIP =") && text.starts_with("RSP =")) return !contains(before, "RSP");
    if (completes_long_key(before, text)) return true;
    return is_short_segment(before) && starts_a_number(text);
}

std::optional<Record> RecordJoiner::next(std::size_t number, std::string_view text) {
    if (continues(text)) {
        pending_->text += ' ';
        pending_->text += text;
        pending_->line_last = number;
        return std::nullopt;
    }
    std::optional<Record> done = std::move(pending_);
    pending_ = Record{number, number, std::string{text}};
    return done;
}

std::optional<Record> RecordJoiner::finish() {
    std::optional<Record> done = std::move(pending_);
    pending_.reset();
    return done;
}

}  // namespace hyperstep::explain
