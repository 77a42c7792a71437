#include "explain/ftrace_dump.hpp"

#include <array>

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;
using vmx::Slot;

struct ExitName {
    std::uint32_t reason;
    std::string_view name;
};
constexpr auto exit_names = std::to_array<ExitName>({
#define EXIT_NAME(reason, name) {reason, name},
#include "explain/exit_names.def"
#undef EXIT_NAME
});

/// The exit reason that a word of kvm_exit means: a name, or a number.
std::optional<std::uint32_t> reason_called(std::string_view word) {
    for (const ExitName& row : exit_names)
        if (row.name == word) return row.reason;
    const std::optional<Number> number = whole_hex(word);
    if (number && number->prefixed && number->value <= 0xffff'ffff)
        return static_cast<std::uint32_t>(number->value);
    return std::nullopt;
}

std::string_view event_text(std::string_view text, std::string_view event) {
    const std::size_t at = text.find(event);
    if (at == std::string_view::npos || (at != 0 && text[at - 1] != ' ')) return {};
    return trim(text.substr(at + event.size()));
}

}  // namespace

void FtraceDumps::begin(const Record& record) {
    if (!draft_) draft_.emplace(Format::ftrace, record);
    draft_->extend(record);
}

void FtraceDumps::forget_exit() {
    for (const Slot slot : {Slot::exit_reason, Slot::exit_qualification, Slot::guest_rip})
        draft_->dump.state.forget(slot);
}

void FtraceDumps::take_exit(std::string_view text) {
    // "[vcpu 0] reason EPT_MISCONFIG rip 0x... info 0x... 0x..." and, newer, "info1 0x... info2 0x..."
    forget_exit();
    vmx::State& state = draft_->dump.state;
    const bool failed = contains(text, "FAILED_VMENTRY");
    for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
        if (word == "reason") {
            std::string_view name = take_word(text);
            name = name.substr(0, name.find('|'));
            if (const auto reason = reason_called(name))
                state.set(Slot::exit_reason, PartialWord{*reason | (failed ? 0x8000'0000U : 0U)});
        } else if (word == "rip" || word == "info" || word == "info1") {
            const std::optional<Number> n = whole_hex(take_word(text));
            if (n && !n->too_wide)
                state.set(word == "rip" ? Slot::guest_rip : Slot::exit_qualification, PartialWord{n->value});
        }
    }
}

bool FtraceDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() > 2048 || !contains(text, "kvm_")) return false;
    if (const std::string_view failed = event_text(text, "kvm_nested_vmenter_failed:"); !failed.empty()) {
        begin(record);
        forget_exit();  // the guest hypervisor's guest has not run
        draft_->dump.reported.entry_failed = true;
        draft_->dump.reported.message = std::string{failed.substr(0, 256)};
        finish();
        return true;
    }
    if (const std::string_view exit = event_text(text, "kvm_exit:"); !exit.empty()) {
        begin(record);
        take_exit(exit);
        return true;
    }
    if (std::string_view entry = event_text(text, "kvm_entry:"); !entry.empty()) {
        begin(record);
        forget_exit();
        for (std::string_view word = take_word(entry); !word.empty(); word = take_word(entry)) {
            if (word != "rip") continue;
            const std::optional<Number> n = whole_hex(take_word(entry));
            if (n && !n->too_wide) draft_->dump.state.set(Slot::guest_rip, PartialWord{n->value});
        }
        return true;
    }
    return false;
}

void FtraceDumps::finish() {
    if (!draft_) return;
    report_from_fields(draft_->dump);
    store_.add(std::move(draft_->dump));
    draft_.reset();
}

}  // namespace hyperstep::explain
