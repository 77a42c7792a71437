#include "explain/svm_dump.hpp"

#include <algorithm>

#include "explain/guest_view.hpp"

namespace hyperstep::explain {
namespace {

/// A line this far behind the last one of a dump is not its line.
constexpr std::size_t longest_gap = 8;

/// The kernel's module, as it stands ahead of a line.
std::string_view without_module(std::string_view text) {
    text = trim(text);
    if (!take_start(text, "SVM:")) take_start(text, "kvm_amd:");
    return trim(text);
}

bool begins_dump(std::string_view text) {
    return text.starts_with("VMCB Control Area:") || contains(text, "last attempted VMRUN on CPU") ||
           contains(text, "FAILED VMRUN WITH VMCB");
}

/// "exit_code:          00000400", "es:   s: 0010 a: 0c93 ...", "pause filter count: 0"
bool is_line(std::string_view text) {
    if (text.starts_with("VMCB ")) return true;
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon > 24) return false;
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == ' ';
    });
}

}  // namespace

bool SvmDumps::take(const Record& record) {
    const std::string_view text = without_module(record.text);
    if (text.size() < 3 || text.size() > 2048) return false;
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    const bool begins = begins_dump(text);
    if (!begins && (!draft_ || !is_line(text))) return false;
    if (!draft_) {
        draft_.emplace(Format::svm, record);
        report_svm("this is a VMCB of AMD's SVM, not a VMCS", *draft_);
    }
    draft_->extend(record);
    std::string_view code = text;
    if (contains(text, "FAILED VMRUN")) draft_->dump.reported.entry_failed = true;
    if (!take_start(code, "exit_code:")) return true;
    code = trim(code);
    draft_->dump.reported.message = "SVM exit code " + std::string{code.substr(0, 16)};
    if (code == "ffffffff" || code == "ffffffffffffffff") draft_->dump.reported.entry_failed = true;
    return true;
}

void SvmDumps::finish() {
    if (!draft_) return;
    store_.add(std::move(draft_->dump));
    draft_.reset();
}

}  // namespace hyperstep::explain
