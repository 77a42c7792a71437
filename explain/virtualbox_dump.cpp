#include "explain/virtualbox_dump.hpp"

#include "explain/segment_slots.hpp"
#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;
using vmx::Slot;

constexpr std::size_t longest_gap = 400;

struct ControlKey {
    std::string_view key;
    Slot slot;
};
constexpr std::array<ControlKey, 9> control_keys{{{"PinCtls", Slot::pin_controls},
                                                  {"ProcCtls", Slot::primary_controls},
                                                  {"ProcCtls2", Slot::secondary_controls},
                                                  {"ProcCtls3", Slot::tertiary_controls},
                                                  {"EntryCtls", Slot::entry_controls},
                                                  {"ExitCtls", Slot::exit_controls},
                                                  {"Instruction error", Slot::vm_instruction_error},
                                                  {"Exit reason", Slot::exit_reason},
                                                  {"Exit qualification", Slot::exit_qualification}}};

}  // namespace

void VirtualBoxDumps::begin(const Record& record) {
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    if (!draft_) draft_.emplace(Format::virtualbox, record);
    draft_->extend(record);
}

void VirtualBoxDumps::failed(std::string_view message) {
    Reported& reported = draft_->dump.reported;
    reported.entry_failed = true;
    if (reported.message.size() < 256) {
        if (!reported.message.empty()) reported.message += "; ";
        reported.message += message.substr(0, 200);
    }
}

bool VirtualBoxDumps::take_info(std::string_view text, const Record& record) {
    const bool start_failed =
        contains(text, "VERR_VMX_") &&
        (contains(text, "VERR_VMX_UNABLE_TO_START_VM") || contains(text, "VERR_VMX_INVALID_GUEST_STATE") ||
         contains(text, "VERR_VMX_INVALID_VMCS_PTR_TO_START_VM"));
    const bool info = text.ends_with("VT-x info:") || text.starts_with("HM error ") ||
                      text.starts_with("rcLastExitToR3 ") || text.starts_with("Real-on-v86 active ");
    const bool detail = draft_ && (text.starts_with("EFlags  =") || text.starts_with("Attr ") ||
                                   text.starts_with("Guest VMCS active"));
    if (!start_failed && !info && !detail) return false;
    if (text.ends_with("VT-x info:") && vtx_) finish();
    begin(record);
    vtx_ = true;
    if (start_failed || text.starts_with("HM error ")) failed(text);
    if (text.starts_with("Real-on-v86 active ")) real_on_v86_ = text.ends_with("true");
    return true;
}

bool VirtualBoxDumps::take_control_line(std::string_view text, const Record& record) {
    if (!text.starts_with("HM: CPU[")) return false;
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    text = trim(text.substr(close + 1));
    for (const ControlKey& row : control_keys) {
        if (!text.starts_with(row.key) || text.substr(row.key.size()).empty() || text[row.key.size()] != ' ')
            continue;
        std::string_view rest = text.substr(row.key.size());
        begin(record);
        vtx_ = true;
        draft_->show(row.slot, take_word(rest));
        return true;
    }
    return false;
}

/// "gs={0000 base=0000000000000000 limit=ffffffff flags=0000c0f3} cr0=00000010"
bool VirtualBoxDumps::take_segment(std::string_view text, const Record& record) {
    const std::size_t open = text.substr(0, 8).find("={");
    if (open == std::string_view::npos || !contains(text, "base=")) return false;
    const SegmentSlots* slots = guest_segment(trim(text.substr(0, open)), NameStyle::any);
    if (slots == nullptr || !slots->selector) return false;
    begin(record);
    Segment& segment = segments_.at(static_cast<std::size_t>(slots - guest_segments().data()));
    const std::size_t close = text.find('}');
    std::string_view inside =
        text.substr(open + 2, close == std::string_view::npos ? close : close - open - 2);
    segment.selector = whole_hex(take_word(inside));
    for (const Pair& pair : pairs_of(inside)) {
        if (pair.key == "base") segment.base = whole_hex(pair.value);
        if (pair.key == "limit") segment.limit = whole_hex(pair.value);
        if (pair.key == "flags") segment.flags = whole_hex(pair.value);
    }
    if (close != std::string_view::npos)
        for (const Pair& pair : pairs_of(text.substr(close + 1)))
            if (pair.key == "cr0") cr0_ = whole_hex(pair.value);
    return true;
}

bool VirtualBoxDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() < 6 || text.size() > 1024) return false;
    return take_info(text, record) || take_control_line(text, record) || take_segment(text, record);
}

void VirtualBoxDumps::finish() {
    if (draft_ && vtx_) {
        // Real mode without unrestricted guest: the VMCS has VM set, selector, base and limit as the guest
        // left them, and access rights of its own.
        const bool protected_mode = real_on_v86_ == false && cr0_ && (cr0_->value & 1) != 0;
        if (real_on_v86_ == true) {
            constexpr std::uint64_t vm = decltype(vmx::Rflags::vm)::mask;
            draft_->show(Slot::guest_rflags, PartialWord{vm, vm});
        }
        for (std::size_t i = 0; i < segments_.size(); ++i) {
            const Segment& shown = segments_.at(i);
            const SegmentSlots& slots = guest_segments().at(i);
            const bool system = i >= 6;
            if (!protected_mode && (real_on_v86_ != true || system)) continue;
            if (shown.selector) draft_->show(*slots.selector, *shown.selector);
            if (shown.base) draft_->show(slots.base, *shown.base);
            if (shown.limit) draft_->show(slots.limit, *shown.limit);
            // Bits 11:8 of VirtualBox's flags may hold a piece of the limit.
            constexpr std::uint64_t rights = 0x1'f0ff;
            if (shown.flags && protected_mode)
                draft_->show(*slots.rights, PartialWord{shown.flags->value & rights, rights});
        }
        report_from_fields(draft_->dump);
        store_.add(std::move(draft_->dump));
    }
    draft_.reset();
    segments_ = {};
    real_on_v86_.reset();
    cr0_.reset();
    vtx_ = false;
}

}  // namespace hyperstep::explain
