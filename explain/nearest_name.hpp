#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hyperstep::explain {

/// The names that somebody may have meant by `typed`: at most three, those with the fewest changed, added or
/// left-out characters first (upper and lower case are the same), names that contain what was typed among
/// them. Empty if none is near.
std::vector<std::string> nearest_names(std::string_view typed, std::span<const std::string> names);

/// "; did you mean a, b or c?" for the end of a refusal; empty if no name is near.
std::string did_you_mean(std::string_view typed, std::span<const std::string> names);

}  // namespace hyperstep::explain
