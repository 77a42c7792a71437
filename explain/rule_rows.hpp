#pragma once
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hyperstep::explain {

/// A row of any of the manual's tables, in the form that `hyperstep rules` prints.
struct RuleRow {
    std::string id;       ///< an entry check's own; otherwise "<table>.<short name>"
    std::string table;    ///< "entry_checks", "vmcs_fields", "controls", "exit_reasons",
                          ///< "vm_instruction_errors", "vmx_cap_msrs"
    std::string section;  ///< the manual's section title
    std::string rule;     ///< in words, with the condition if there is one
    std::string outcome;  ///< what follows: of a broken check its failure, otherwise what the row stands for
    std::vector<std::string> reads;
    std::vector<std::string> options;  ///< named choices that the row depends on
};

/// All rows, table by table; the entry checks first, in architectural order.
const std::vector<RuleRow>& all_rule_rows();
/// The row with this id; nullptr if there is none.
const RuleRow* find_rule_row(std::string_view id);
/// The ids of all rows, in their order.
std::vector<std::string> all_rule_ids();
/// The rows that contain `text` in any part, upper and lower case being the same.
std::vector<const RuleRow*> rule_rows_with(std::string_view text);

/// How much of a table a test run has reached.
struct TableCoverage {
    std::size_t total = 0;
    std::size_t hit = 0;
    std::vector<std::string> missing;
};
/// Coverage by table: the entry checks always, another table if one of its ids was hit. `hit` are ids.
std::map<std::string, TableCoverage> coverage_of(const std::set<std::string, std::less<>>& hit);

}  // namespace hyperstep::explain
