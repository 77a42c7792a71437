#pragma once
#include <optional>
#include <string>
#include <vector>

#include "vmx/rules/evaluate.hpp"

// A VM entry tried on a state: what `hyperstep vmcs check` prints.
namespace hyperstep::explain {

/// A rule that does not plainly hold.
struct StandingRow {
    std::size_t check;
    vmx::Standing standing;  ///< broken or unknown
    std::string fix;         ///< of a broken rule: the smallest change in words
};

struct EntryTrial {
    enum class Result : std::uint8_t {
        enters,
        refused,
        cannot_be_told,  ///< nothing is broken, but the state leaves some rules open
    };
    Result result = Result::cannot_be_told;
    std::optional<vmx::Failure> first;  ///< what the processor reports
    std::vector<StandingRow> rows;      ///< every broken or unknown rule, in architectural order
};

EntryTrial try_entry(const vmx::State& state);

/// The object of `vmcs check` on one line, without a newline. `outcome` is "unknown" if it cannot be told.
std::string trial_json(const EntryTrial& trial, const vmx::State& state);
/// The same for people. Ends with a newline.
std::string trial_text(const EntryTrial& trial, const vmx::State& state);

}  // namespace hyperstep::explain
