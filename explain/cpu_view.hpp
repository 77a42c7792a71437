#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/capability_parts.hpp"

// What a processor can do, in the terms that `hyperstep cpu` prints.
namespace hyperstep::explain {

/// A processor with the name under which it is shown.
struct NamedProcessor {
    std::string name;
    std::string meaning;
    vmx::Capabilities capabilities;
};
/// The preset with this name; nothing if there is none.
std::optional<NamedProcessor> named_processor(std::string_view name);
std::vector<std::string> processor_names();

/// How a control may be set.
enum class ControlSetting : std::uint8_t { allowed, required, not_allowed, unknown };
std::string_view to_string(ControlSetting s);
ControlSetting setting_of(const vmx::Capabilities& cpu, vmx::Control c);

/// A slot's value: MSRs in hexadecimal, other capabilities as numbers; "unknown" if it is not known in all
/// bits.
std::string capability_in_words(const vmx::Capabilities& cpu, vmx::Slot s);
/// The value of a part of a capability MSR; nothing if any of its bits is unknown.
std::optional<std::uint64_t> part_of(const vmx::Capabilities& cpu, const vmx::CapabilityPart& p);

/// One thing in which two processors differ, and how it is on each.
struct CapabilityDifference {
    std::string name;
    std::string a, b;
};
/// Capability words, then controls, then parts of capability MSRs, in the order of the tables.
std::vector<CapabilityDifference> differences(const vmx::Capabilities& a, const vmx::Capabilities& b);

}  // namespace hyperstep::explain
