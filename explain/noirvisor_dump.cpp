#include "explain/noirvisor_dump.hpp"

#include <array>

#include "explain/segment_slots.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

constexpr std::size_t longest_gap = 60;

struct RegisterKey {
    std::string_view key;
    Slot slot;
};
constexpr std::array<RegisterKey, 9> register_keys{{{"CR0:", Slot::guest_cr0},
                                                    {"CR3:", Slot::guest_cr3},
                                                    {"CR4:", Slot::guest_cr4},
                                                    {"DR7:", Slot::guest_dr7},
                                                    {"RSP:", Slot::guest_rsp},
                                                    {"RIP:", Slot::guest_rip},
                                                    {"RFlags:", Slot::guest_rflags},
                                                    {"RFLAGS:", Slot::guest_rflags},
                                                    {"EFER:", Slot::guest_efer}}};

const SegmentSlots* register_named(std::string_view word) {
    if (word == "Task") return guest_segment("TR", NameStyle::vmcs);
    if (word == "LDT") return guest_segment("LDTR", NameStyle::vmcs);
    return guest_segment(word, NameStyle::vmcs);
}

}  // namespace

bool NoirVisorDumps::take_failure(std::string_view text, const Record& record) {
    const std::size_t code = text.find("Failed at VM-Entry, Code=");
    if (code == std::string_view::npos) return false;
    if (draft_ && draft_->fields_shown() != 0) finish();
    if (!draft_) draft_.emplace(Format::noirvisor, record);
    Reported& reported = draft_->dump.reported;
    reported.entry_failed = true;
    reported.message = std::string{text.substr(code, 256)};
    std::string_view rest = text.substr(code + std::string_view{"Failed at VM-Entry, Code="}.size());
    const auto number = whole_decimal(take_word(rest));
    if (number && *number != 0 && *number < 64)
        draft_->show(Slot::vm_instruction_error, vmx::PartialWord{*number});
    draft_->extend(record);
    return true;
}

bool NoirVisorDumps::take_state(std::string_view text, const Record& record) {
    if (!text.starts_with("Guest ") || !contains(text, ": 0x")) return false;
    const bool segment_line =
        contains(text, "- Selector:") || contains(text, "GDTR Limit:") || contains(text, "IDTR Limit:");
    if (!segment_line && !draft_) return false;
    if (!draft_) draft_.emplace(Format::noirvisor, record);
    const SegmentSlots* now = nullptr;
    bool taken = false;
    for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
        if (word == "Guest") {
            now = nullptr;
            continue;
        }
        if (const SegmentSlots* named = register_named(word)) {
            now = named;
            continue;
        }
        if (word.back() != ':') continue;
        std::optional<Slot> slot;
        if (now != nullptr && word == "Selector:") slot = now->selector;
        if (now != nullptr && word == "Access-Rights:") slot = now->rights;
        if (now != nullptr && word == "Limit:") slot = now->limit;
        if (now != nullptr && word == "Base:") slot = now->base;
        for (const RegisterKey& row : register_keys)
            if (now == nullptr && word == row.key) slot = row.slot;
        const std::string_view value = take_word(text);
        if (slot && value.starts_with("0x")) taken = draft_->show(*slot, value) || taken;
    }
    if (taken) draft_->extend(record);
    if (draft_->fields_shown() == 0 && draft_->dump.reported.message.empty()) draft_.reset();
    return taken;
}

bool NoirVisorDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() < 10 || text.size() > 1024) return false;
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    return take_failure(text, record) || take_state(text, record);
}

void NoirVisorDumps::finish() {
    if (!draft_) return;
    report_from_fields(draft_->dump);
    store_.add(std::move(draft_->dump));
    draft_.reset();
}

}  // namespace hyperstep::explain
