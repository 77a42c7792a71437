#include "vmx/rules/entry_check.hpp"

#include <unordered_map>

namespace hyperstep::vmx {
namespace {

using enum Slot;
constexpr auto checks = std::to_array<EntryCheck>({
#define READS(...)  \
    ReadSet {       \
        __VA_ARGS__ \
    }
#define CHECK(id, section, outcome, when, rule, reads, applies, holds) \
    {#id, stage_of(#id), Section::section, outcome, when, rule, reads},
#include "vmx/rules/entry_checks/all.def"
#undef CHECK
#undef READS
});

}  // namespace

std::span<const EntryCheck> all_checks() {
    return checks;
}

std::optional<std::size_t> find_check(std::string_view id) {
    static const auto positions = [] {
        std::unordered_map<std::string_view, std::size_t> map;
        for (std::size_t i = 0; i < checks.size(); ++i) map.emplace(checks[i].id, i);
        return map;
    }();
    const auto found = positions.find(id);
    if (found == positions.end()) return std::nullopt;
    return found->second;
}

std::string_view title(Section s) {
    constexpr auto titles = std::to_array<std::string_view>({
#define SECTION(identifier, title) title,
#include "vmx/rules/sections.def"
#undef SECTION
    });
    return titles.at(static_cast<std::size_t>(s));
}

std::string_view to_string(Stage s) {
    constexpr std::array<std::string_view, 5> words{"instruction", "control", "host", "guest", "msr-load"};
    return words.at(static_cast<std::size_t>(s));
}

std::string to_string(const Outcome& o) {
    using Kind = Outcome::Kind;
    switch (o.kind) {
        case Kind::none: return "no failure";
        case Kind::fault: return o.number == 6 ? "#UD" : "#GP(0)";
        case Kind::vm_exit: return "VM exit 20 (VMLAUNCH) or 24 (VMRESUME)";
        case Kind::vmfail_invalid: return "VMfailInvalid";
        case Kind::vmfail_valid: return "VMfailValid(" + std::to_string(o.number) + ")";
        case Kind::entry_failure: break;
    }
    if (o.number == 34) return "exit 0x80000022, qualification: the entry's number";
    return "exit 0x80000021, qualification " + std::to_string(o.qualification);
}

}  // namespace hyperstep::vmx
