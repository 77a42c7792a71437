#include "explain/qemu_dump.hpp"

#include <algorithm>
#include <array>

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;

constexpr std::size_t longest_gap = 80;

/// A natural-width value: one printed with eight digits tells its low half only.
PartialWord printed_word(const Number& n) {
    return n.digits > 8 ? PartialWord{n.value} : PartialWord{n.value, 0xffff'ffff};
}

std::optional<Number> bare_hex(std::string_view text) {
    const std::optional<Number> n = whole_hex(text);
    return n && !n->prefixed && !n->too_wide ? n : std::nullopt;
}

bool begins_registers(std::string_view text) {
    return text.starts_with("RAX=") || text.starts_with("EAX=");
}

/// Lines that belong to the dump and say nothing of the VMCS.
bool is_other_line(std::string_view text) {
    constexpr std::array<std::string_view, 20> starts{"RSI=",
                                                      "ESI=",
                                                      "R8 =",
                                                      "R12=",
                                                      "CCS=",
                                                      "CCD=",
                                                      "FCW=",
                                                      "FPR0=",
                                                      "FPR2=",
                                                      "FPR4=",
                                                      "FPR6=",
                                                      "XMM0",
                                                      "DR0=",
                                                      "DR6=",
                                                      "Code=",
                                                      "extra data[",
                                                      "emulation failure",
                                                      "YMM0",
                                                      "DR3=",
                                                      "DR2="};
    return std::any_of(
        starts.begin(), starts.end(), [text](std::string_view start) { return text.starts_with(start); });
}

/// Bits 23:8 of a descriptor's second doubleword, as access rights. SDM "Format of Access Rights"
PartialWord rights_of(std::uint64_t flags) {
    constexpr std::uint64_t held = 0xf0ff;
    return PartialWord{flags >> 8U & held, held};
}

}  // namespace

void QemuDumps::open(const Record& record) {
    finish();
    draft_.emplace(Format::qemu, record);
    view_ = GuestView{};
    registers_ = false;
}

bool QemuDumps::take_message(std::string_view text, const Record& record) {
    constexpr std::string_view entry_failed = "KVM: entry failed, hardware error ";
    const std::size_t at = text.find(entry_failed);
    if (at == std::string_view::npos) {
        if (!text.starts_with("KVM internal error. Suberror:")) return false;
        open(record);
        draft_->dump.reported.message = std::string{text.substr(0, 256)};
        return true;
    }
    if (!text.substr(0, at).empty() && at > 64) return false;
    open(record);
    std::string_view number = text.substr(at + entry_failed.size());
    const std::string_view word = take_word(number);
    draft_->dump.reported.message = std::string{text.substr(at, entry_failed.size() + word.size())};
    draft_->dump.reported.entry_failed = true;
    if (const std::optional<Number> n = whole_hex(word); n && !n->too_wide)
        report_failure_number(n->value, *draft_);
    return true;
}

bool QemuDumps::take_segment(std::string_view text) {
    if (text.size() < 8 || text[3] != '=') return false;
    std::size_t index = 0;
    const SegmentSlots* slots = guest_segment(trim(text.substr(0, 3)), NameStyle::any);
    if (slots == nullptr || is_letter(text[0]) != (lower_case(text.substr(0, 1)) != text.substr(0, 1)))
        return false;
    index = static_cast<std::size_t>(slots - guest_segments().data());
    std::array<Number, 4> numbers;
    std::size_t count = 0;
    text.remove_prefix(4);
    while (count < numbers.size()) {
        std::string_view rest = text;
        const std::optional<Number> n = bare_hex(take_word(rest));
        if (!n) break;
        numbers.at(count++) = *n;
        text = rest;
    }
    SegmentView& segment = view_.segments.at(index);
    if (!slots->selector) {
        if (count != 2 && !(count == 1 && numbers[0].digits >= 8)) return false;
        segment.base = printed_word(numbers[0]);
        if (count == 2) segment.limit = PartialWord{numbers[1].value};
        return true;
    }
    if (count < 2 || numbers[0].digits != 4 || numbers[1].digits < 8) return false;
    segment.selector = PartialWord{numbers[0].value};
    segment.base = printed_word(numbers[1]);
    if (count >= 3) segment.limit = PartialWord{numbers[2].value};
    if (count >= 4) segment.rights = rights_of(numbers[3].value);
    // QEMU keeps no unusable bit: P is 0 then.
    if (count >= 4) segment.unusable = (numbers[3].value & 0x8000) == 0;
    return true;
}

bool QemuDumps::take_pairs(std::string_view text) {
    const std::vector<Pair> pairs = pairs_of(text);
    if (pairs.empty()) return false;
    const std::string_view first = pairs[0].key;
    const bool known = first == "RIP" || first == "EIP" || first == "CR0" || first == "CR2" ||
                       first == "CR3" || first == "CR4" || first == "EFER";
    if (!known) return false;
    const std::optional<Number> lead = bare_hex(pairs[0].value);
    if (!lead && !pairs[0].value.empty()) return false;
    if ((first == "CR0" || first == "CR4") && lead && lead->digits != 8) return false;
    if (first == "CR3" && pairs.size() > 1 && pairs[1].key == "CR4" && pairs[1].value.size() != 8)
        return false;
    for (const Pair& pair : pairs) {
        const std::optional<Number> n = bare_hex(pair.value);
        if (!n) continue;
        if (pair.key == "RIP" || pair.key == "EIP") view_.rip = printed_word(*n);
        if (pair.key == "RFL" || pair.key == "EFL") view_.rflags = n->value;
        if (pair.key == "CR0") view_.cr0 = n->value;
        if (pair.key == "CR4") view_.cr4 = n->value;
        if (pair.key == "EFER") view_.efer = n->value;
    }
    return true;
}

bool QemuDumps::take_registers(std::string_view text, const Record& record) {
    if (begins_registers(text)) {
        if (registers_ || !draft_) open(record);
        registers_ = true;
        return true;
    }
    if (!draft_ || record.line_first > draft_->dump.line_last + longest_gap) return false;
    if (!registers_) return false;
    if (text.starts_with("RSI=") || text.starts_with("ESI=")) {
        for (const Pair& pair : pairs_of(text))
            if (pair.key == "RSP" || pair.key == "ESP")
                if (const std::optional<Number> n = bare_hex(pair.value)) view_.rsp = printed_word(*n);
        return true;
    }
    return take_segment(text) || take_pairs(text) || is_other_line(text);
}

bool QemuDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (text.size() < 4 || text.size() > 2048) return false;
    if (!take_message(text, record) && !take_registers(text, record)) return false;
    draft_->extend(record);
    return true;
}

void QemuDumps::finish() {
    if (!draft_) return;
    show_guest_view(view_, SilentMode::unknown, *draft_);
    store_.add(std::move(draft_->dump));
    draft_.reset();
}

}  // namespace hyperstep::explain
