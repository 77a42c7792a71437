#include "explain/vmcs_lines.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "explain/segment_slots.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

enum class Form : std::uint8_t { plain, by_part, by_spelling, host_only };

struct KeyRow {
    Slot guest;
    Slot host;
    Form form;
};

const KeyRow* row_of(std::string_view key) {
    static const std::unordered_map<std::string_view, KeyRow> rows{
#define VMCS_KEY(key, guest, host, form) {key, {Slot::guest, Slot::host, Form::form}},
#include "explain/vmcs_keys.def"
#undef VMCS_KEY
    };
    const auto found = rows.find(key);
    return found == rows.end() ? nullptr : &found->second;
}

/// Digits with which a host field is printed.
std::size_t printed_digits(Slot slot) {
    const auto field = vmx::field_in(slot);
    return field && vmx::width_of(*field) == vmx::FieldWidth::w16 ? 4 : 16;
}

/// Keys that no other program's line begins with, so that they are read without a header too.
bool is_unmistakable(std::string_view key) {
    constexpr std::array<std::string_view, 9> keys{"PinBased",
                                                   "CPUBased",
                                                   "EntryControls",
                                                   "ExceptionBitmap",
                                                   "VMEntry: intr_info",
                                                   "VMExit: intr_info",
                                                   "IDTVectoring: info",
                                                   "FSBase",
                                                   "GDTBase"};
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_mask_line(std::string_view text) {
    return (text.starts_with("CR0: ") || text.starts_with("CR4: ")) && contains(text.substr(0, 24), "actual");
}

/// "CR0: actual=0x..., shadow=0x..., gh_mask=..."
Claim read_mask_line(std::string_view text, VmcsLines& lines, Draft* draft) {
    if (draft == nullptr) return Claim::opens;
    const bool cr0 = text.starts_with("CR0");
    text.remove_prefix(4);
    for (const Pair& pair : pairs_of(text)) {
        if (pair.key == "actual") draft->show(cr0 ? Slot::guest_cr0 : Slot::guest_cr4, pair.value);
        if (pair.key == "shadow")
            draft->show(cr0 ? Slot::cr0_read_shadow : Slot::cr4_read_shadow, pair.value);
        if (pair.key == "gh_mask") draft->show(cr0 ? Slot::cr0_mask : Slot::cr4_mask, pair.value);
    }
    if (lines.part == Part::unknown) lines.part = Part::guest;
    return Claim::opens;
}

/// "CS:   sel=0x0010, attr=0x0a09b, limit=0xffffffff, base=0x0"
Claim read_segment_pairs(const SegmentSlots& slots, std::string_view text, Draft* draft) {
    const std::vector<Pair> pairs = pairs_of(text);
    if (pairs.empty() || (pairs[0].key != "sel" && pairs[0].key != "limit")) return Claim::no;
    const bool opens = pairs.size() >= 2 && (pairs[1].key == "attr" || pairs[1].key == "base");
    if (draft == nullptr) return opens ? Claim::opens : Claim::inside;
    for (const Pair& pair : pairs) {
        if (pair.key == "sel" && slots.selector) draft->show(*slots.selector, pair.value);
        if (pair.key == "attr" && slots.rights) draft->show(*slots.rights, pair.value);
        if (pair.key == "limit") draft->show(slots.limit, pair.value);
        if (pair.key == "base") draft->show(slots.base, pair.value);
    }
    return opens ? Claim::opens : Claim::inside;
}

/// Xen: "  CS: 0008 0a099 ffffffff 0000000000000000"; the digits tell it from an oops.
Claim read_segment_columns(const SegmentSlots& slots, std::string_view text, VmcsLines& lines, Draft* draft) {
    std::array<std::string_view, 5> columns;
    std::size_t count = 0;
    for (std::string_view word = take_word(text); !word.empty() && count < columns.size();
         word = take_word(text))
        columns[count++] = word;
    const std::size_t first = slots.rights ? 0 : 2;
    constexpr std::array<std::size_t, 4> digits{4, 5, 8, 16};
    if (count == 0 || count > 4 - first) return Claim::no;
    for (std::size_t i = 0; i < count; ++i) {
        const std::optional<Number> n = whole_hex(columns[i]);
        if (!n || n->prefixed || n->digits != digits[first + i]) return Claim::no;
    }
    if (count != 4 - first && count < 2) return Claim::no;
    lines.xen = true;
    if (draft == nullptr) return Claim::opens;
    const std::array<std::optional<Slot>, 4> targets{slots.selector, slots.rights, slots.limit, slots.base};
    for (std::size_t i = 0; i < count; ++i)
        if (targets[first + i]) draft->show(*targets[first + i], columns[i]);
    return Claim::opens;
}

Claim read_segment_line(std::string_view text, VmcsLines& lines, Draft* draft) {
    const std::size_t colon = text.substr(0, 6).find(':');
    if (colon == std::string_view::npos) return Claim::no;
    const SegmentSlots* slots = guest_segment(text.substr(0, colon), NameStyle::vmcs);
    if (slots == nullptr) return Claim::no;
    const std::string_view rest = trim(text.substr(colon + 1));
    const Claim pairs = read_segment_pairs(*slots, rest, draft);
    return pairs != Claim::no ? pairs : read_segment_columns(*slots, rest, lines, draft);
}

/// "MSR guest autoload:" and its lines " 0: msr=0x00000600 value=0x..."
Claim read_msr_list(std::string_view text, VmcsLines& lines, Draft* draft) {
    if (text.starts_with("MSR guest auto") || text.starts_with("MSR host auto")) {
        lines.in_guest_autoload = text.starts_with("MSR guest autoload");
        lines.guest_autoload = lines.guest_autoload || lines.in_guest_autoload;
        lines.any_msr_line = true;
        return Claim::inside;
    }
    const std::size_t colon = text.substr(0, 12).find(": msr=");
    if (colon == std::string_view::npos) return Claim::no;
    lines.any_msr_line = true;
    if (draft == nullptr) return Claim::inside;
    const std::vector<Pair> pairs = pairs_of(text.substr(colon + 2));
    if (!lines.in_guest_autoload) return Claim::inside;
    std::vector<vmx::MsrEntry>& list = draft->dump.state.msr_load;
    const std::optional<std::uint64_t> number = whole_decimal(text.substr(0, colon));
    std::optional<Number> index, value;
    if (pairs.size() == 2 && pairs[1].key == "value") {
        index = whole_hex(pairs[0].value);
        value = whole_hex(pairs[1].value);
    }
    if (!index || !value || index->value > 0xffff'ffff || value->too_wide || number != list.size() ||
        list.size() >= 4096)
        lines.broken_list = true;
    else if (!lines.broken_list)
        list.push_back({static_cast<std::uint32_t>(index->value), 0, value->value});
    return Claim::inside;
}

/// Which part "RIP = ... RSP = ..." belongs to: the host's line begins with RIP, the guest's with RSP.
Part part_of_pair(const std::vector<Pair>& pairs, Part now) {
    if (pairs.size() < 2) return now;
    if (pairs[0].key == "RSP" && pairs[1].key == "RIP") return Part::guest;
    if (pairs[0].key == "RIP" && pairs[1].key == "RSP") return Part::host;
    return now;
}

void show_sysenter(const Pair& pair, Part part, Draft& draft) {
    const std::size_t colon = pair.value.find(':');
    if (colon == std::string_view::npos || part == Part::unknown || part == Part::control) return;
    const bool guest = part == Part::guest;
    draft.show(guest ? Slot::guest_sysenter_cs : Slot::host_sysenter_cs, pair.value.substr(0, colon));
    draft.show(guest ? Slot::guest_sysenter_eip : Slot::host_sysenter_eip, pair.value.substr(colon + 1));
}

void show_interrupt_status(const Pair& pair, Draft& draft) {
    const std::size_t bar = pair.value.find('|');
    if (bar == std::string_view::npos) return;
    const std::optional<Number> svi = whole_hex(pair.value.substr(0, bar));
    const std::optional<Number> rvi = whole_hex(pair.value.substr(bar + 1));
    if (svi && rvi && svi->value < 0x100 && rvi->value < 0x100)
        draft.show(Slot::guest_interrupt_status, vmx::PartialWord{svi->value << 8U | rvi->value});
}

/// intr_info, errcode and ilen belong to the word that the record begins with.
std::optional<Slot> event_slot(std::string_view record, std::string_view key) {
    if (record.starts_with("VMEntry:")) {
        if (key == "VMEntry: intr_info") return Slot::entry_intr_info;
        if (key == "errcode") return Slot::entry_exception_error_code;
        if (key == "ilen") return Slot::entry_instruction_len;
    }
    if (record.starts_with("VMExit:")) {
        if (key == "VMExit: intr_info") return Slot::exit_intr_info;
        if (key == "errcode") return Slot::exit_intr_error_code;
        if (key == "ilen") return Slot::exit_instruction_len;
    }
    if (record.starts_with("IDTVectoring:")) {
        if (key == "IDTVectoring: info") return Slot::idt_vectoring_info;
        if (key == "errcode") return Slot::idt_vectoring_error_code;
    }
    return std::nullopt;
}

/// True if the value has the digits of a host line. Shorter ones are other programs' ("CR0=00050032").
bool fits_form(const KeyRow& row, const Pair& pair) {
    if (row.form == Form::plain || row.form == Form::by_part) return true;
    const std::optional<Number> n = whole_hex(pair.value);
    if (!n) return pair.value.empty();
    if (row.form == Form::by_spelling && n->prefixed) return true;
    return !n->prefixed && n->digits == printed_digits(row.host);
}

void show_key(const KeyRow& row, const Pair& pair, Part part, VmcsLines& lines, Draft& draft) {
    switch (row.form) {
        case Form::plain: draft.show(row.guest, pair.value); return;
        case Form::host_only: draft.show(row.host, pair.value); return;
        case Form::by_spelling:
            draft.show(pair.value.starts_with("0x") ? row.guest : row.host, pair.value);
            return;
        case Form::by_part: break;
    }
    if (part != Part::guest && part != Part::host) return;
    if (row.guest == Slot::guest_efer && !pair.note.empty()) {
        // "(effective)", "(autoload)": what the guest runs with, not what the field holds
        lines.efer_on_its_own = true;
        return;
    }
    draft.show(part == Part::guest ? row.guest : row.host, pair.value);
}

bool is_special_key(std::string_view record, std::string_view key) {
    return key == "CS:RIP" || key == "SVI|RVI" || key == "EFER(MSR LL)" ||
           event_slot(record, key).has_value();
}

bool may_be_key(std::string_view record, std::string_view key) {
    return row_of(key) != nullptr || is_special_key(record, key);
}

bool is_key(std::string_view record, const Pair& pair) {
    if (const KeyRow* row = row_of(pair.key)) return fits_form(*row, pair);
    return is_special_key(record, pair.key);
}

Claim read_pairs(std::string_view text, VmcsLines& lines, Draft* draft) {
    // Most lines of a log end here, before any pair is made.
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !may_be_key(text, trim(text.substr(0, equals)))) return Claim::no;
    const std::vector<Pair> pairs = pairs_of(text);
    if (pairs.empty() || !is_key(text, pairs[0])) return Claim::no;
    const bool opens =
        is_unmistakable(pairs[0].key) ||
        (pairs.size() >= 2 && pairs[0].key == "RFLAGS" && pairs[1].key == "DR7") ||
        (pairs.size() >= 3 && pairs[0].key == "CS" && pairs[1].key == "SS" && pairs[2].key == "DS");
    if (draft == nullptr) return opens ? Claim::opens : Claim::inside;
    const Part part = part_of_pair(pairs, lines.part);
    if (lines.part != part && lines.part != Part::control) lines.part = part;
    if (pairs[0].key == "FSBase" || pairs[0].key == "GDTBase") lines.part = Part::host;
    for (const Pair& pair : pairs) {
        if (pair.note.starts_with("(0x") || pair.key.starts_with("PDPTE") || pair.key == "SM Base" ||
            pair.key.starts_with("EFER("))
            lines.xen = true;
        if (pair.key == "EFER" && pairs.size() == 1 && lines.part == Part::guest)
            lines.efer_on_its_own = true;
        if (const std::optional<Slot> slot = event_slot(text, pair.key))
            draft->show(*slot, pair.value);
        else if (pair.key == "CS:RIP")
            show_sysenter(pair, lines.part, *draft);
        else if (pair.key == "SVI|RVI")
            show_interrupt_status(pair, *draft);
        else if (const KeyRow* row = row_of(pair.key); row != nullptr && fits_form(*row, pair))
            show_key(*row, pair, part, lines, *draft);
    }
    return opens ? Claim::opens : Claim::inside;
}

}  // namespace

Claim read_vmcs_record(std::string_view text, VmcsLines& lines, Draft* draft) {
    text = trim(text);
    if (is_mask_line(text)) return read_mask_line(text, lines, draft);
    if (const Claim segment = read_segment_line(text, lines, draft); segment != Claim::no) return segment;
    if (const Claim list = read_msr_list(text, lines, draft); list != Claim::no) return list;
    return read_pairs(text, lines, draft);
}

}  // namespace hyperstep::explain
