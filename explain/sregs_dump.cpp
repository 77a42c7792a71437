#include "explain/sregs_dump.hpp"

#include <algorithm>
#include <utility>

#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;

constexpr std::size_t longest_gap = 40;
constexpr std::size_t longest_name = 8;  // "selector"
constexpr std::size_t longest_segment_name = 4;

/// Members of struct kvm_segment, in order.
constexpr std::array<std::string_view, 12> members{
    "base", "limit", "sel", "type", "present", "dpl", "db", "s", "l", "g", "avl", "unusable"};

/// A kernel's own registers: "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033" and the line behind it.
bool is_oops_line(std::string_view text) {
    return (contains(text, "CS: ") && contains(text, " DS: ") && contains(text, " ES: ")) ||
           (text.starts_with("CR2: ") && contains(text, " CR3: ")) ||
           (text.starts_with("FS: ") && contains(text, "knlGS:"));
}

bool is_word_char(char c) {
    return is_letter(c) || is_digit(c) || c == '_';
}

/// What stands between a name and what it has.
bool is_assignment(char c) {
    return c == '=' || c == ':' || c == '{';
}

}  // namespace

void SregsDumps::open(const Record& record) {
    finish();
    draft_.emplace(Format::sregs, record);
}

std::optional<SregsDumps::Raw>* SregsDumps::attribute(Segment& segment, std::string_view name) {
    if (name == "base") return &segment.base;
    if (name == "limit") return &segment.limit;
    if (name == "selector" || name == "sel") return &segment.selector;
    if (name == "type" || name == "type_") return &segment.type;
    if (name == "present" || name == "p") return &segment.present;
    if (name == "dpl") return &segment.dpl;
    if (name == "db") return &segment.db;
    if (name == "s") return &segment.s;
    if (name == "l") return &segment.l;
    if (name == "g") return &segment.g;
    if (name == "avl") return &segment.avl;
    return name == "unusable" ? &segment.unusable : nullptr;
}

bool SregsDumps::is_attribute(std::string_view name) {
    Segment any;
    return attribute(any, name) != nullptr;
}

std::optional<SregsDumps::Raw>* SregsDumps::top_level(std::string_view name) {
    if (name == "cr0") return &cr0_;
    if (name == "cr4") return &cr4_;
    if (name == "efer") return &efer_;
    if (name == "rip") return &rip_;
    if (name == "rsp") return &rsp_;
    return name == "rflags" ? &rflags_ : nullptr;
}

/// A printed structure has its members in order; a gap is a lost line, behind which the segment may be
/// another.
bool SregsDumps::keeps_order(std::string_view name) {
    const std::size_t at = static_cast<std::size_t>(std::find_if(members.begin(),
                                                                 members.end(),
                                                                 [name](std::string_view m) {
                                                                     return m == "sel" || m == "type"
                                                                                ? name.starts_with(m)
                                                                                : name == m;
                                                                 }) -
                                                    members.begin());
    const bool next = at == next_member_;
    next_member_ = at + 1;
    return next;
}

void SregsDumps::enter(std::size_t segment, const Record& record) {
    if (segments_.at(segment).base) open(record);  // the same register again: another print begins
    segment_ = segment;
    in_braces_ = false;
    candidate_.reset();
}

void SregsDumps::word(std::string_view text, const Record& record) {
    if (awaiting_ && !key_.empty() && whole_hex(text)) {
        number(text, ' ', record);
        return;
    }
    const bool at_start = std::exchange(at_start_, false);
    awaiting_ = false;
    key_.clear();
    if (text.size() > longest_name) return;
    if (!segment_ && !candidate_ && !at_start && text.size() > longest_segment_name) return;
    const std::string name = lower_case(text);
    if ((segment_ || candidate_) && is_attribute(name)) {
        if (candidate_) enter(*candidate_, record);
        const bool table = *segment_ >= 8;  // GDTR and IDTR have two members
        if (in_braces_ && !table && !keeps_order(name)) segment_.reset();
        if (segment_ && attribute(segments_.at(*segment_), name)->has_value()) segment_.reset();
        if (segment_) key_ = name;
    } else if (const SegmentSlots* slots = guest_segment(name, NameStyle::any)) {
        candidate_ = static_cast<std::size_t>(slots - guest_segments().data());
    } else if (at_start && top_level(name) != nullptr) {
        segment_.reset();
        candidate_.reset();
        key_ = name;
    }
}

void SregsDumps::number(std::string_view text, char next, const Record& record) {
    const bool wanted = awaiting_ && !key_.empty();
    awaiting_ = false;
    at_start_ = true;
    const std::optional<Number> hex = wanted && next != ':' ? whole_hex(text) : std::nullopt;
    if (!hex) {
        key_.clear();
        return;
    }
    const std::string key = std::exchange(key_, {});
    // A bracket between a member and its number ends the segment: the number belongs to nothing then.
    Segment scratch;
    if ((segment_ ? attribute(scratch, key) : top_level(key)) == nullptr) return;
    if (!segment_ && top_level(key)->has_value()) {
        if (!whole_segment()) return;
        open(record);  // the registers of another print
    }
    if (!draft_) draft_.emplace(Format::sregs, record);
    *(segment_ ? attribute(segments_.at(*segment_), key) : top_level(key)) = Raw{*hex, whole_decimal(text)};
    bare_hex_ =
        bare_hex_ || (!hex->prefixed && (!hex->only_decimal || (hex->digits > 1 && text.front() == '0')));
    assigned_ = true;
}

bool SregsDumps::take_failure(std::string_view text, const Record& record) {
    const std::size_t reason = position_of(text, "hardware_entry_failure_reason");
    const bool fail_entry = contains(text, "KVM_EXIT_FAIL_ENTRY");
    if (!fail_entry && reason == std::string_view::npos) return false;
    if (!draft_ || whole_segment()) open(record);
    Reported& reported = draft_->dump.reported;
    if (fail_entry) reported.entry_failed = true;
    if (reported.message.empty())
        reported.message =
            std::string{text.substr(fail_entry ? text.find("KVM_EXIT_FAIL_ENTRY") : reason, 256)};
    const std::size_t from =
        reason != std::string_view::npos ? reason + 29 : text.find("KVM_EXIT_FAIL_ENTRY") + 19;
    const std::size_t digit = text.find_first_of("0123456789", from);
    if (digit == std::string_view::npos) return true;
    std::string_view rest = text.substr(digit);
    const std::size_t length = std::min(rest.find_first_not_of("0123456789abcdefxABCDEFX"), rest.size());
    const std::string_view digits = rest.substr(0, length);
    const std::optional<Number> hex = whole_hex(digits);
    const std::optional<std::uint64_t> decimal = whole_decimal(digits);
    if (hex && hex->prefixed && !hex->too_wide)
        report_failure_number(hex->value, *draft_);
    else if (decimal && !digits.starts_with("8000"))
        report_failure_number(*decimal, *draft_);
    else if (hex && !hex->too_wide)
        report_failure_number(hex->value, *draft_);
    return true;
}

bool SregsDumps::take(const Record& record) {
    const std::string_view text = trim(record.text);
    if (draft_ && record.line_first > draft_->dump.line_last + longest_gap) finish();
    if (text.size() > 16 * 1024) return false;
    if (take_failure(text, record)) {
        draft_->extend(record);
        return true;
    }
    if (is_oops_line(text)) return false;
    if (!draft_ && std::none_of(text.begin(), text.end(), is_assignment)) return false;
    assigned_ = false;
    at_start_ = true;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (is_word_char(c)) {
            std::size_t end = i;
            while (end < text.size() && is_word_char(text[end])) ++end;
            const std::string_view token = text.substr(i, end - i);
            if (is_digit(c))
                number(token, end < text.size() ? text[end] : ' ', record);
            else
                word(token, record);
            i = end;
            continue;
        }
        if (is_assignment(c)) {
            if (candidate_) enter(*candidate_, record);
            awaiting_ = !key_.empty() && c != '{';
            if (c == '{' && segment_) {
                in_braces_ = true;
                next_member_ = 0;
            }
            at_start_ = c == '{';
        } else if (c == '}') {
            segment_.reset();
            at_start_ = true;
        } else if (c != ' ') {
            awaiting_ = false;
            at_start_ = c == ',' || c == ';' || c == '(';
        }
        ++i;
    }
    if (assigned_ && draft_) draft_->extend(record);
    return assigned_;
}

bool SregsDumps::whole_segment() const {
    for (const Segment& s : segments_)
        if (s.base && s.limit && s.selector && (s.type || s.present || s.unusable)) return true;
    return false;
}

std::optional<std::uint64_t> SregsDumps::value(const std::optional<Raw>& raw) const {
    if (!raw || raw->hex.too_wide) return std::nullopt;
    if (raw->hex.prefixed || bare_hex_) return raw->hex.value;
    return raw->decimal;
}

SegmentView SregsDumps::view_of(const Segment& segment) const {
    using Rights = vmx::AccessRights;
    SegmentView view;
    if (const auto v = value(segment.selector); v && *v <= 0xffff) view.selector = *v;
    if (const auto v = value(segment.base)) view.base = *v;
    if (const auto v = value(segment.limit); v && *v <= 0xffff'ffff) view.limit = *v;
    const auto put = [&](const std::optional<Raw>& raw, std::uint64_t mask, unsigned low) {
        const std::optional<std::uint64_t> v = value(raw);
        if (!v || (*v << low & ~mask) != 0) return;
        view.rights = PartialWord{view.rights.value | (*v << low), view.rights.known | mask};
    };
    put(segment.type, decltype(Rights::type)::mask, 0);
    put(segment.s, decltype(Rights::s)::mask, 4);
    put(segment.dpl, decltype(Rights::dpl)::mask, 5);
    put(segment.present, decltype(Rights::p)::mask, 7);
    put(segment.avl, decltype(Rights::avl)::mask, 12);
    put(segment.l, decltype(Rights::l)::mask, 13);
    put(segment.db, decltype(Rights::db)::mask, 14);
    put(segment.g, decltype(Rights::g)::mask, 15);
    if (const auto v = value(segment.unusable)) view.unusable = *v != 0;
    return view;
}

void SregsDumps::finish() {
    if (draft_ &&
        (whole_segment() || draft_->dump.reported.reason || draft_->dump.reported.instruction_error)) {
        GuestView view;
        for (std::size_t i = 0; i < segments_.size(); ++i) view.segments.at(i) = view_of(segments_.at(i));
        view.cr0 = value(cr0_);
        view.cr4 = value(cr4_);
        view.efer = value(efer_);
        view.rflags = value(rflags_);
        if (const auto v = value(rip_)) view.rip = *v;
        if (const auto v = value(rsp_)) view.rsp = *v;
        show_guest_view(view, SilentMode::assume_protected, *draft_);
        store_.add(std::move(draft_->dump));
    }
    draft_.reset();
    segments_ = {};
    for (std::optional<Raw>* raw : {&cr0_, &cr4_, &efer_, &rip_, &rsp_, &rflags_}) raw->reset();
    bare_hex_ = false;
    candidate_.reset();
    segment_.reset();
    key_.clear();
    awaiting_ = false;
}

}  // namespace hyperstep::explain
