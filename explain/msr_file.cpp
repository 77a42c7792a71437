#include "explain/msr_file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fmt/format.h>

#include "explain/msr_collector.hpp"
#include "explain/words.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

constexpr std::size_t max_notes = 50;
constexpr std::size_t max_quoted = 40;

char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

bool same_but_case(std::string_view a, std::string_view b) {
    return std::equal(
        a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool starts_with_but_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && same_but_case(text.substr(0, prefix.size()), prefix);
}

std::optional<std::uint64_t> number(std::string_view digits, int base) {
    std::uint64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, value, base);
    if (digits.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return value;
}

bool has_hex_prefix(std::string_view text) {
    return starts_with_but_case(text, "0x");
}

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
    if (has_hex_prefix(text)) text.remove_prefix(2);
    return number(text, 16);
}

bool is_msr(Slot s) {
    return vmx::info(s).number != 0;
}

/// "IA32_VMX_BASIC" is also called MSR_IA32_VMX_BASIC, VMX_BASIC and BASIC.
std::optional<Slot> capability_named(std::string_view name) {
    for (const std::string_view prefix : {"MSR_", "IA32_", "VMX_"})
        if (starts_with_but_case(name, prefix)) name.remove_prefix(prefix.size());
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        std::string_view own = vmx::info(s).name;
        if (is_msr(s)) own.remove_prefix(std::string_view{"IA32_VMX_"}.size());
        if (same_but_case(name, own)) return s;
    }
    return std::nullopt;
}

std::optional<MsrKey> key_by_index(std::string_view text) {
    const auto index = hexadecimal(text);
    const std::size_t digits = text.size() - (has_hex_prefix(text) ? 2 : 0);
    if (!index || *index > 0xffff'ffff || digits > 8) return std::nullopt;
    const auto slot = vmx::capability_slot(static_cast<std::uint32_t>(*index));
    if (slot) return MsrKey{MsrKey::Kind::capability, *slot};
    return MsrKey{};
}

std::string_view quoted(std::string_view text) {
    return text.substr(0, max_quoted);
}

/// What is wrong with a capability that is not an MSR; empty if nothing is.
std::string_view complaint(Slot s, std::uint64_t value) {
    if (s == Slot::maxphyaddr && (value < 32 || value > 52))
        return "a physical-address width lies between 32 and 52";
    if (s == Slot::linear_width && value != 48 && value != 57) return "a linear-address width is 48 or 57";
    constexpr std::array flags{Slot::intel64,
                               Slot::lam,
                               Slot::sgx,
                               Slot::rtm,
                               Slot::bus_lock_debug,
                               Slot::fred,
                               Slot::msr_list_known};
    if (std::find(flags.begin(), flags.end(), s) != flags.end() && value > 1)
        return "this is 0 (no) or 1 (yes)";
    return {};
}

}  // namespace

vmx::Capabilities MsrFile::over(vmx::Capabilities base) const {
    for (const GivenCapability& g : given) base.set(g.slot, g.value);
    return base;
}

std::optional<MsrKey> msr_key(std::string_view text) {
    if (const auto slot = capability_named(text)) return MsrKey{MsrKey::Kind::capability, *slot};
    if (starts_with_but_case(text, "IA32_") || starts_with_but_case(text, "MSR_")) return MsrKey{};
    return key_by_index(text);
}

std::optional<std::uint64_t> msr_value(std::string_view text, const MsrKey& key) {
    const bool decimal = key.kind == MsrKey::Kind::capability && !is_msr(key.slot) && !has_hex_prefix(text);
    return decimal ? number(text, 10) : hexadecimal(text);
}

tl::expected<void, TextError> MsrCollector::add(const MsrKey& key,
                                                std::string_view written,
                                                std::uint64_t value,
                                                std::size_t line) {
    if (key.kind == MsrKey::Kind::other_msr) {
        note(line, fmt::format("{} is not a VMX capability and is passed over", quoted(written)));
        return {};
    }
    const std::string_view name = vmx::info(key.slot).name;
    if (const std::string_view wrong = complaint(key.slot, value); !wrong.empty())
        return tl::unexpected{TextError{line, fmt::format("{} cannot be {}: {}", name, value, wrong)}};
    for (const GivenCapability& g : file_.given) {
        if (g.slot != key.slot) continue;
        if (g.value == value) return {};
        return tl::unexpected{TextError{
            line,
            fmt::format("{} is {:#x} here and {:#x} in line {}; give the values of one processor only",
                        name,
                        value,
                        g.value,
                        g.line)}};
    }
    const vmx::PartialWord common = vmx::Capabilities{}[key.slot];
    if (((value ^ common.value) & common.known) != 0)
        note(line,
             fmt::format("{} = {:#x} differs in bits {:#x} from every processor with Intel 64 and VMX",
                         name,
                         value,
                         (value ^ common.value) & common.known));
    file_.given.push_back({key.slot, value, line});
    return {};
}

void MsrCollector::note(std::size_t line, std::string_view what) {
    if (file_.notes.size() < max_notes)
        file_.notes.push_back(fmt::format("line {}: {}", line, what));
    else
        ++notes_dropped_;
}

tl::expected<MsrFile, TextError> MsrCollector::finish() && {
    if (file_.given.empty())
        return tl::unexpected{
            TextError{0,
                      "no VMX capability MSR (0x480 to 0x493) is given; write lines such as "
                      "\"0x480: 0xda040000000004\" or \"IA32_VMX_BASIC = 0xda040000000004\""}};
    if (notes_dropped_ > 0) file_.notes.push_back(fmt::format("and {} more such lines", notes_dropped_));
    return std::move(file_);
}

tl::expected<MsrFile, TextError> read_msrs(std::string_view text) {
    if (text.size() > max_msr_file_bytes)
        return tl::unexpected{
            TextError{0,
                      fmt::format("a list of MSRs is not longer than {} bytes; give the lines of "
                                  "MSRs 0x480 to 0x493 only",
                                  max_msr_file_bytes)}};
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool json = first != std::string_view::npos && text[first] == '{';
    auto file = json ? read_msr_json(text) : read_msr_lines(text);
    if (!file) return tl::unexpected{TextError{file.error().line, without_controls(file.error().what)}};
    for (std::string& note : file->notes) note = without_controls(note);
    return file;
}

}  // namespace hyperstep::explain
