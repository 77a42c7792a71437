#include "explain/field_bits.hpp"

#include <array>
#include <bit>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <string_view>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/interruption_info.hpp"
#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

struct BitName {
    unsigned bit;
    std::string_view name;
};

constexpr auto cr0_bits = std::to_array<BitName>({
    {0, "PE"},
    {1, "MP"},
    {2, "EM"},
    {3, "TS"},
    {4, "ET"},
    {5, "NE"},
    {16, "WP"},
    {18, "AM"},
    {29, "NW"},
    {30, "CD"},
    {31, "PG"},
});
constexpr auto cr4_bits = std::to_array<BitName>({
    {0, "VME"},    {1, "PVI"},   {2, "TSD"},      {3, "DE"},        {4, "PSE"},         {5, "PAE"},
    {6, "MCE"},    {7, "PGE"},   {8, "PCE"},      {9, "OSFXSR"},    {10, "OSXMMEXCPT"}, {11, "UMIP"},
    {12, "LA57"},  {13, "VMXE"}, {14, "SMXE"},    {16, "FSGSBASE"}, {17, "PCIDE"},      {18, "OSXSAVE"},
    {19, "KL"},    {20, "SMEP"}, {21, "SMAP"},    {22, "PKE"},      {23, "CET"},        {24, "PKS"},
    {25, "UINTR"}, {27, "LASS"}, {28, "LAM_SUP"}, {32, "FRED"},
});
constexpr auto efer_bits = std::to_array<BitName>({{0, "SCE"}, {8, "LME"}, {10, "LMA"}, {11, "NXE"}});
constexpr auto rflags_bits = std::to_array<BitName>({
    {0, "CF"},
    {1, "bit 1"},
    {2, "PF"},
    {4, "AF"},
    {6, "ZF"},
    {7, "SF"},
    {8, "TF"},
    {9, "IF"},
    {10, "DF"},
    {11, "OF"},
    {14, "NT"},
    {16, "RF"},
    {17, "VM"},
    {18, "AC"},
    {19, "VIF"},
    {20, "VIP"},
    {21, "ID"},
});
constexpr auto interruptibility_bits = std::to_array<BitName>({
    {0, "blocking by STI"},
    {1, "blocking by MOV SS"},
    {2, "blocking by SMI"},
    {3, "blocking by NMI"},
    {4, "enclave interruption"},
});
constexpr auto pending_debug_bits = std::to_array<BitName>({
    {0, "B0"},
    {1, "B1"},
    {2, "B2"},
    {3, "B3"},
    {11, "bus lock"},
    {12, "enabled breakpoint"},
    {14, "BS"},
    {16, "RTM"},
});
constexpr auto dr7_bits = std::to_array<BitName>({
    {0, "L0"},
    {1, "G0"},
    {2, "L1"},
    {3, "G1"},
    {4, "L2"},
    {5, "G2"},
    {6, "L3"},
    {7, "G3"},
    {8, "LE"},
    {9, "GE"},
    {10, "bit 10"},
    {11, "RTM"},
    {13, "GD"},
});
constexpr auto debugctl_bits = std::to_array<BitName>({
    {0, "LBR"},
    {1, "BTF"},
    {2, "bus-lock detect"},
    {6, "TR"},
    {7, "BTS"},
    {8, "BTINT"},
    {9, "BTS_OFF_OS"},
    {10, "BTS_OFF_USR"},
    {11, "FREEZE_LBRS_ON_PMI"},
    {12, "FREEZE_PERFMON_ON_PMI"},
    {13, "ENABLE_UNCORE_PMI"},
    {14, "FREEZE_WHILE_SMM"},
    {15, "RTM_DEBUG"},
});
constexpr auto s_cet_bits = std::to_array<BitName>({
    {0, "SH_STK_EN"},
    {1, "WR_SHSTK_EN"},
    {2, "ENDBR_EN"},
    {3, "LEG_IW_EN"},
    {4, "NO_TRACK_EN"},
    {5, "SUPPRESS_DIS"},
    {10, "SUPPRESS"},
    {11, "TRACKER"},
});

class Phrase {
public:
    void add(std::string_view words) {
        if (words.empty()) return;
        if (!text_.empty()) text_ += ", ";
        text_ += words;
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

/// Bits of `rest` that nothing names: "bit 62", "bits 63:32".
void add_unnamed(Phrase& phrase, std::uint64_t rest) {
    while (rest != 0) {
        const auto low = static_cast<unsigned>(std::countr_zero(rest));
        const auto length = static_cast<unsigned>(std::countr_one(rest >> low));
        phrase.add(length == 1 ? fmt::format("bit {}", low)
                               : fmt::format("bits {}:{}", low + length - 1, low));
        rest &= length == 64 ? 0 : ~(((1ULL << length) - 1) << low);
    }
}

std::string set_bits(std::uint64_t value, std::span<const BitName> names) {
    Phrase phrase;
    for (const BitName& row : names) {
        if ((value >> row.bit & 1) != 0) phrase.add(row.name);
        value &= ~(1ULL << row.bit);
    }
    add_unnamed(phrase, value);
    return phrase.take();
}

std::string rflags(std::uint64_t value) {
    constexpr auto iopl = decltype(vmx::Rflags::iopl)::mask;
    Phrase phrase;
    phrase.add(set_bits(value & ~iopl, rflags_bits));
    if ((value & iopl) != 0) phrase.add(fmt::format("IOPL {}", decltype(vmx::Rflags::iopl)::get(value)));
    phrase.add((value >> 9 & 1) != 0 ? "" : "IF is 0");
    return phrase.take();
}

constexpr std::array<std::string_view, 16> system_types{"reserved",
                                                        "16-bit TSS, available",
                                                        "LDT",
                                                        "16-bit TSS, busy",
                                                        "16-bit call gate",
                                                        "task gate",
                                                        "16-bit interrupt gate",
                                                        "16-bit trap gate",
                                                        "reserved",
                                                        "32/64-bit TSS, available",
                                                        "reserved",
                                                        "32/64-bit TSS, busy",
                                                        "32/64-bit call gate",
                                                        "reserved",
                                                        "32/64-bit interrupt gate",
                                                        "32/64-bit trap gate"};

std::string segment_type(std::uint64_t type, bool code_or_data) {
    if (!code_or_data) return std::string{system_types[type]};
    const bool code = (type & 8) != 0;
    std::string words = code ? "code" : "data";
    if (code)
        words += (type & 2) != 0 ? ", execute/read" : ", execute only";
    else
        words += (type & 2) != 0 ? ", read/write" : ", read only";
    if ((type & 4) != 0) words += code ? ", conforming" : ", expand down";
    words += (type & 1) != 0 ? ", accessed" : ", not accessed";
    return words;
}

/// SDM "Format of Access Rights".
std::string access_rights(std::uint64_t value) {
    const vmx::AccessRights ar{{value}};
    Phrase phrase;
    if (ar[vmx::AccessRights::unusable]) phrase.add("unusable");
    const auto type = ar[vmx::AccessRights::type];
    const bool s = ar[vmx::AccessRights::s];
    phrase.add(fmt::format("type {} ({})", type, segment_type(type, s)));
    phrase.add(s ? "S 1" : "S 0");
    phrase.add(fmt::format("DPL {}", ar[vmx::AccessRights::dpl]));
    phrase.add(ar[vmx::AccessRights::p] ? "present" : "not present");
    if (ar[vmx::AccessRights::avl]) phrase.add("AVL");
    if (ar[vmx::AccessRights::l]) phrase.add("L");
    if (ar[vmx::AccessRights::db]) phrase.add("D/B");
    if (ar[vmx::AccessRights::g]) phrase.add("G");
    const auto low = ar[vmx::AccessRights::reserved_low];
    const auto high = ar[vmx::AccessRights::reserved_high];
    if (low != 0 || high != 0) phrase.add("reserved");
    add_unnamed(phrase, low << 8U | high << 17U);
    return phrase.take();
}

std::string activity(std::uint64_t value) {
    constexpr std::array<std::string_view, 4> states{"active", "HLT", "shutdown", "wait-for-SIPI"};
    return value < states.size() ? std::string{states[value]} : "no such state";
}

std::string memory_type(std::uint64_t type) {
    constexpr std::array<std::string_view, 8> types{
        "UC", "WC", "reserved", "reserved", "WT", "WP", "WB", "UC-"};
    return type < types.size() ? std::string{types[type]} : "reserved";
}

/// SDM "Format of Extended-Page-Table Pointer".
std::string eptp(std::uint64_t value) {
    const vmx::Eptp e{{value}};
    Phrase phrase;
    phrase.add(fmt::format(
        "memory type {} ({})", e[vmx::Eptp::memory_type], memory_type(e[vmx::Eptp::memory_type])));
    phrase.add(fmt::format("{}-level walk", e[vmx::Eptp::walk_length_minus_one] + 1));
    if (e[vmx::Eptp::enable_access_dirty]) phrase.add("accessed and dirty flags");
    if (e[vmx::Eptp::supervisor_shadow_stack]) phrase.add("supervisor shadow-stack control");
    if (e[vmx::Eptp::reserved] != 0) phrase.add("reserved");
    add_unnamed(phrase, e[vmx::Eptp::reserved] << 8U);
    phrase.add(fmt::format("table at {:#x}", value & ~0xfffULL));
    return phrase.take();
}

std::string pat(std::uint64_t value) {
    Phrase phrase;
    for (unsigned i = 0; i < 8; ++i)
        phrase.add(fmt::format("PA{} {}", i, memory_type(value >> (8 * i) & 0xff)));
    return phrase.take();
}

std::string selector(std::uint64_t value) {
    const vmx::Selector s{{value}};
    if (value == 0) return {};
    return fmt::format("index {}, {}, RPL {}",
                       s[vmx::Selector::index],
                       s[vmx::Selector::ti] ? "LDT" : "GDT",
                       s[vmx::Selector::rpl]);
}

std::optional<vmx::ControlWord> control_word(Slot slot) {
    using enum vmx::ControlWord;
    for (const vmx::ControlWord w : {pin, primary, secondary, tertiary, exit, exit2, entry})
        if (slot_of(w) == slot) return w;
    return std::nullopt;
}

/// The controls that are set; the reserved ones that are 1 by default go without saying.
std::string controls(vmx::ControlWord word, std::uint64_t value) {
    Phrase phrase;
    std::uint64_t unnamed = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        if ((value >> bit & 1) == 0) continue;
        const vmx::ControlInfo* row = vmx::find(vmx::Control{word, static_cast<std::uint8_t>(bit)});
        if (row == nullptr)
            unnamed |= 1ULL << bit;
        else if (row->default1 != vmx::Default1::yes)
            phrase.add(row->short_name.substr(row->short_name.find('.') + 1));
    }
    if (unnamed != 0) phrase.add("reserved");
    add_unnamed(phrase, unnamed);
    return phrase.take();
}

bool is_access_rights(std::string_view name) {
    return name.ends_with("_ar");
}

}  // namespace

std::string bits_in_words(Slot slot, std::uint64_t value) {
    if (const auto word = control_word(slot)) return controls(*word, value);
    const std::string_view name = vmx::info(slot).name;
    if (is_access_rights(name)) return access_rights(value);
    if (name.ends_with("_sel")) return selector(value);
    switch (slot) {
        case Slot::guest_cr0:
        case Slot::host_cr0:
        case Slot::cur_cr0: return set_bits(value, cr0_bits);
        case Slot::guest_cr4:
        case Slot::host_cr4: return set_bits(value, cr4_bits);
        case Slot::guest_efer:
        case Slot::host_efer:
        case Slot::cur_efer: return set_bits(value, efer_bits);
        case Slot::guest_rflags:
        case Slot::cur_rflags: return rflags(value);
        case Slot::guest_interruptibility: return set_bits(value, interruptibility_bits);
        case Slot::guest_pending_dbg: return set_bits(value, pending_debug_bits);
        case Slot::guest_debugctl: return set_bits(value, debugctl_bits);
        case Slot::guest_s_cet:
        case Slot::host_s_cet: return set_bits(value, s_cet_bits);
        case Slot::guest_dr7: return set_bits(value & ~0xffff'0000ULL, dr7_bits);
        case Slot::guest_activity_state: return activity(value);
        case Slot::guest_pat:
        case Slot::host_pat: return pat(value);
        case Slot::eptp: return eptp(value);
        case Slot::entry_intr_info:
            return vmx::describe_interruption(static_cast<std::uint32_t>(value),
                                              vmx::InterruptionField::entry);
        case Slot::exit_intr_info:
            return vmx::describe_interruption(static_cast<std::uint32_t>(value),
                                              vmx::InterruptionField::exit);
        case Slot::idt_vectoring_info:
            return vmx::describe_interruption(static_cast<std::uint32_t>(value),
                                              vmx::InterruptionField::idt_vectoring);
        default: return {};
    }
}

std::string value_in_words(Slot slot, std::uint64_t value) {
    std::string words = bits_in_words(slot, value);
    if (words.empty()) return fmt::format("{:#x}", value);
    return fmt::format("{:#x} ({})", value, words);
}

}  // namespace hyperstep::explain
