#include "explain/field_list.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace hyperstep::explain {
namespace {

constexpr std::size_t longest_gap = 30;
constexpr std::size_t most_entries = 1024;

struct Key {
    NamedField field;
    bool by_name;
};

bool is_mark(char c) {
    if (is_letter(c) || is_digit(c)) return false;
    constexpr std::string_view marks = " \"'`[](){}<>*-,;.|";
    return marks.find(c) != std::string_view::npos;
}

std::string_view without_marks(std::string_view s) {
    while (!s.empty() && is_mark(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_mark(s.back())) s.remove_suffix(1);
    return s;
}

std::optional<Key> encoded_key(std::string_view word) {
    word = without_marks(word);
    if (word.size() == 5 && (word.back() == 'h' || word.back() == 'H')) word.remove_suffix(1);
    const std::optional<Number> n = whole_hex(word);
    if (!n || n->value > 0x7fff || (!n->prefixed && n->digits != 4 && n->digits != 8)) return std::nullopt;
    const auto field = field_encoded(static_cast<std::uint32_t>(n->value));
    if (!field) return std::nullopt;
    return Key{*field, false};
}

/// The field that the text before a value names: as a whole, behind "]" or "(" of an access, or by its last
/// or first word.
std::optional<Key> key_of(std::string_view text) {
    text = without_marks(text);
    if (text.size() < 3 || text.size() > 100) return std::nullopt;
    if (const auto field = field_called(text)) return Key{*field, true};
    if (const auto key = encoded_key(text)) return key;
    const std::size_t open = text.find_first_of("[(");
    if (open != std::string_view::npos) {
        if (const auto key = encoded_key(text.substr(open + 1))) return key;
        if (const auto field = field_called(without_marks(text.substr(open + 1)))) return Key{*field, true};
        if (const auto field = field_called(text.substr(0, open))) return Key{*field, true};
    }
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) {
        const std::size_t arrow = text.find_last_of(">.");
        if (arrow == std::string_view::npos) return std::nullopt;
        const auto field = field_called(text.substr(arrow + 1));
        return field ? std::optional<Key>{Key{*field, true}} : std::nullopt;
    }
    // "0x6800 GUEST_CR0 = ...", "GUEST_CR0 6800 = ..."
    if (const auto key = encoded_key(text.substr(0, blank)))
        if (const auto field = field_called(text.substr(blank + 1)); field && field->slot == key->field.slot)
            return key;
    return std::nullopt;
}

std::optional<Number> value_of(std::string_view word, std::string& digits) {
    word = without_marks(word);
    if (word.empty() || (!is_hex_digit(word.front()) && word.front() != '_')) return std::nullopt;
    digits.clear();
    for (const char c : word)
        if (c != '_' && c != '\'' && c != '`') digits += c;
    bool suffixed = false;
    if (digits.size() > 1 && (digits.back() == 'h' || digits.back() == 'H')) {
        digits.pop_back();
        suffixed = true;
    }
    std::optional<Number> n = whole_hex(digits);
    if (n && suffixed) n->prefixed = true;
    return n;
}

/// "name value" without a mark between.
bool split_at_last_blank(std::string_view text, std::string_view& key, std::string_view& value) {
    const std::size_t blank = text.find_last_of(' ');
    if (blank == std::string_view::npos) return false;
    key = text.substr(0, blank);
    value = text.substr(blank + 1);
    return true;
}

}  // namespace

void FieldLists::add(const Record& record, const Entry& entry) {
    const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
        return e.field.slot == entry.field.slot && e.field.half == entry.field.half;
    });
    if (same != entries_.end()) {
        if (same->value.value == entry.value.value) return;
        finish();  // the same field with another value: another list
    }
    if (entries_.size() >= most_entries) return;
    if (!draft_) draft_.emplace(Format::fields, record);
    draft_->extend(record);
    entries_.push_back(entry);
    const Number& n = entry.value;
    bare_hex_ = bare_hex_ || (!n.prefixed && !n.only_decimal) ||
                (!n.prefixed && n.digits >= 4 && entry.decimal && n.value == 0) ||
                (!n.prefixed && (n.digits == 4 || n.digits == 8 || n.digits == 16) &&
                 n.value < (1ULL << (4 * (n.digits - 1))));
}

bool FieldLists::take(const Record& record) {
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    std::string_view text = trim(record.text);
    if (text.size() < 5 || text.size() > 512) return false;
    if (std::none_of(text.begin(), text.end(), is_digit)) return false;
    bool taken = false;
    std::string digits;
    const auto take_pair = [&](std::string_view name, std::string_view word) {
        // The value first: it is the cheaper question, and most words of a log are no number.
        const std::optional<Number> value = value_of(word, digits);
        if (!value) return;
        const auto key = key_of(name);
        if (!key) return;
        add(record, Entry{key->field, *value, whole_decimal(digits), key->by_name});
        taken = true;
    };
    const std::vector<Pair> pairs = pairs_of(text);
    if (!pairs.empty()) {
        for (const Pair& pair : pairs) take_pair(pair.key, pair.value);
        return taken;
    }
    std::string_view key, value;
    const std::size_t colon = text.find(": ") != std::string_view::npos ? text.find(": ") : text.find(':');
    if (colon != std::string_view::npos && colon + 1 < text.size()) {
        key = text.substr(0, colon);
        value = trim(text.substr(colon + 1));
        value = value.substr(0, value.find(' '));
        take_pair(key, value);
    } else if (split_at_last_blank(text, key, value)) {
        take_pair(key, value);
    }
    return taken;
}

void FieldLists::finish() {
    if (!draft_) return;
    const auto named =
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.by_name; });
    // A single field is a list only if the text has nothing else.
    if (entries_.size() >= 2 || (named != 0 && store_.dumps.empty())) {
        for (const Entry& entry : entries_) {
            Number value = entry.value;
            // Ten and more without 0x could be decimal or not.
            if (!value.prefixed && !bare_hex_ && value.only_decimal && value.digits > 1 && value.value > 9) {
                draft_->remark(
                    fmt::format("{}: {:x} may be decimal or hexadecimal; write 0x before hexadecimal numbers",
                                vmx::info(entry.field.slot).name,
                                value.value));
                continue;
            }
            show_named(entry.field, value, *draft_);
        }
        report_from_fields(draft_->dump);
        store_.add(std::move(draft_->dump));
    }
    draft_.reset();
    entries_.clear();
    bare_hex_ = false;
}

}  // namespace hyperstep::explain
