#include "explain/cpu_view.hpp"

#include <array>
#include <fmt/format.h>

namespace hyperstep::explain {
namespace {

using vmx::Slot;
using vmx::Truth;

bool is_mask(Slot s) {
    return vmx::info(s).name.starts_with("valid bits");
}

std::string part_in_words(const vmx::Capabilities& cpu, const vmx::CapabilityPart& p) {
    const auto value = part_of(cpu, p);
    return value ? fmt::format("{}", *value) : "unknown";
}

}  // namespace

std::optional<NamedProcessor> named_processor(std::string_view name) {
    for (const vmx::PresetInfo& p : vmx::all_presets())
        if (p.name == name)
            return NamedProcessor{std::string{p.name}, std::string{p.meaning}, *vmx::preset(name)};
    return std::nullopt;
}

std::vector<std::string> processor_names() {
    std::vector<std::string> names;
    for (const vmx::PresetInfo& p : vmx::all_presets()) names.emplace_back(p.name);
    return names;
}

std::string_view to_string(ControlSetting s) {
    constexpr std::array<std::string_view, 4> words{"allowed", "required", "not allowed", "unknown"};
    return words.at(static_cast<std::size_t>(s));
}

ControlSetting setting_of(const vmx::Capabilities& cpu, vmx::Control c) {
    if (cpu.requires_1(c) == Truth::yes) return ControlSetting::required;
    if (cpu.allows(c) == Truth::no) return ControlSetting::not_allowed;
    const bool told = cpu.allows(c) == Truth::yes && cpu.requires_1(c) == Truth::no;
    return told ? ControlSetting::allowed : ControlSetting::unknown;
}

std::string capability_in_words(const vmx::Capabilities& cpu, Slot s) {
    if (!cpu[s].fully_known()) return "unknown";
    const bool hexadecimal = vmx::info(s).number != 0 || is_mask(s);
    return hexadecimal ? fmt::format("{:#x}", cpu[s].value) : fmt::format("{}", cpu[s].value);
}

std::optional<std::uint64_t> part_of(const vmx::Capabilities& cpu, const vmx::CapabilityPart& p) {
    const vmx::PartialWord word = cpu[p.msr];
    if (p.get(~word.known) != 0) return std::nullopt;
    return p.get(word.value);
}

std::vector<CapabilityDifference> differences(const vmx::Capabilities& a, const vmx::Capabilities& b) {
    std::vector<CapabilityDifference> found;
    const auto compare = [&](std::string name, std::string on_a, std::string on_b) {
        if (on_a != on_b) found.push_back({std::move(name), std::move(on_a), std::move(on_b)});
    };
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability))
        compare(std::string{vmx::info(s).name}, capability_in_words(a, s), capability_in_words(b, s));
    for (const vmx::ControlInfo& c : vmx::all_controls())
        compare(std::string{c.short_name},
                std::string{to_string(setting_of(a, c.control))},
                std::string{to_string(setting_of(b, c.control))});
    for (const vmx::CapabilityPart& p : vmx::all_capability_parts())
        if (!p.is_whole_word()) compare(std::string{p.short_name}, part_in_words(a, p), part_in_words(b, p));
    return found;
}

}  // namespace hyperstep::explain
