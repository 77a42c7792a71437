#pragma once
#include <span>
#include <string>

#include "explain/dump.hpp"
#include "explain/report_text.hpp"
#include "explain/verdict.hpp"

namespace hyperstep::explain {

/// A dump with its verdict and the state that was judged (judged_state).
struct JudgedDump {
    Dump dump;
    vmx::State state;
    Verdict verdict;
};

/// The `hyperstep/explain/1` object on one line, without a newline. With Listing::all_rules each dump has
/// "rules" too:
/// {"id", "standing"} of every check.
std::string report_json(std::span<const JudgedDump> dumps, Listing listing = Listing::findings);

}  // namespace hyperstep::explain
