#pragma once
#include <span>
#include <string>
#include <string_view>

namespace hyperstep::cli {

/// Writes "hyperstep: <sentence>" on stderr and returns the status of bad usage and unreadable input.
int complain(std::string_view sentence);

/// The same for a name that does not exist: says what kind of name it is and which are near.
int complain_about_name(std::string_view kind, std::string_view typed, std::span<const std::string> names);

}  // namespace hyperstep::cli
