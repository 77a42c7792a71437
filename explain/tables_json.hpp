#pragma once
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "explain/cpu_view.hpp"
#include "explain/rule_rows.hpp"
#include "explain/state_json.hpp"
#include "vmx/rules/boundary.hpp"
#include "vmx/rules/vmcs.hpp"

// The tables as JSON, in the formats of `hyperstep rules`, `vmcs`, `cpu` and `generate`. Each string is one
// object on one line, without a newline.
namespace hyperstep::explain {

std::string rules_json(std::span<const RuleRow* const> rows);
std::string coverage_json(const std::map<std::string, TableCoverage>& tables);
/// The named deviations from the hardware (there are none yet), and the named options of what the manual
/// leaves open.
std::string quirks_json();

/// Adds the ids of lines {"id","outcome"} to `hit`. Refused: a line that is not such an object.
tl::expected<void, TextError> add_coverage(std::string_view lines, std::set<std::string, std::less<>>& hit);

/// Every field; with a processor, whether it exists there.
std::string fields_json(const vmx::Capabilities* cpu);
/// An encoding taken apart; `field` is null if no field has it.
std::string encoding_json(std::uint32_t encoding);

std::string processors_json();
std::string processor_json(const NamedProcessor& cpu);
std::string differences_json(const NamedProcessor& a, const NamedProcessor& b);

/// One line of `hyperstep generate`.
enum class BoundarySide : std::uint8_t { broken, twin };
std::string boundary_json(const vmx::Boundary& boundary, BoundarySide side);

}  // namespace hyperstep::explain
