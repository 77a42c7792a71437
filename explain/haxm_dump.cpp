#include "explain/haxm_dump.hpp"

#include "explain/field_names.hpp"

namespace hyperstep::explain {
namespace {

constexpr std::size_t longest_gap = 60;

struct Line {
    std::uint32_t encoding;
    Number value;
};

std::optional<Line> read_line(std::string_view text) {
    const std::string_view number = take_word(text);
    const std::optional<Number> encoding = whole_hex(number);
    if (!encoding || encoding->prefixed || encoding->digits != 4) return std::nullopt;
    std::string_view name = take_word(text);
    if (!name.starts_with("VM") && !name.starts_with("GUEST_") && !name.starts_with("HOST_"))
        return std::nullopt;
    if (!name.ends_with(':')) return std::nullopt;
    const std::optional<Number> value = whole_hex(trim(text));
    if (!value) return std::nullopt;
    return Line{static_cast<std::uint32_t>(encoding->value), *value};
}

}  // namespace

bool HaxmDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() > 512) return false;
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    if (contains(text, "exit_invalid_guest_state")) {
        if (draft_ && fields_ != 0) finish();
        if (!draft_) draft_.emplace(Format::haxm, record);
        draft_->dump.reported.entry_failed = true;
        draft_->dump.reported.message = std::string{text.substr(0, 256)};
        draft_->extend(record);
        return true;
    }
    const std::optional<Line> line = read_line(text);
    if (!line) return false;
    if (!draft_) draft_.emplace(Format::haxm, record);
    draft_->extend(record);
    show_encoded(line->encoding, line->value, *draft_);
    ++fields_;
    return true;
}

void HaxmDumps::finish() {
    if (!draft_) return;
    report_from_fields(draft_->dump);
    store_.add(std::move(draft_->dump));
    draft_.reset();
    fields_ = 0;
}

}  // namespace hyperstep::explain
