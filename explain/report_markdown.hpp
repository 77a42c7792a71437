#pragma once
#include <span>
#include <string>

#include "explain/report_json.hpp"

namespace hyperstep::explain {

/// One page of Markdown to paste into a post to a mailing list or an issue: what failed, why, the values,
/// what to change, what to collect, and how to repeat it. It reads as plain text too. `file` is the name
/// under which the input was given.
std::string report_markdown(const std::string& file, std::span<const JudgedDump> dumps);

}  // namespace hyperstep::explain
