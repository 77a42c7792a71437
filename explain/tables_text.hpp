#pragma once
#include <map>
#include <span>
#include <string>

#include "explain/cpu_view.hpp"
#include "explain/rule_rows.hpp"
#include "vmx/rules/vmcs.hpp"

// The tables for people. Each text ends with a newline, or is empty.
namespace hyperstep::explain {

/// A line a row: id and rule.
std::string rules_text(std::span<const RuleRow* const> rows);
/// One row with all it has.
std::string rule_text(const RuleRow& row);
std::string coverage_text(const std::map<std::string, TableCoverage>& tables);
std::string quirks_text();

/// A line a field; with a processor, those that do not exist there are marked.
std::string fields_text(const vmx::Capabilities* cpu);
/// An encoding taken apart by its bits, and the field that has it.
std::string encoding_text(std::uint32_t encoding);
std::string field_text(vmx::Field f);

std::string processors_text();
std::string processor_text(const NamedProcessor& cpu);
/// A line a difference; empty if there is none.
std::string differences_text(const NamedProcessor& a, const NamedProcessor& b);

}  // namespace hyperstep::explain
