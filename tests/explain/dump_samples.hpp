#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "explain/dump.hpp"

namespace hyperstep::explain::test {

/// The text of casebook/dumps/<name>.txt.
std::string sample(std::string_view name);
/// The names of the samples there, sorted.
std::vector<std::string> sample_names();

std::vector<std::string> lines_of(std::string_view text);
std::string joined(const std::vector<std::string>& lines);

/// What is known of a field: "0x80000021", "?" if nothing, "0x200/0x200" (value and known bits) if a part.
std::string shown(const Dump& dump, vmx::Slot slot);

}  // namespace hyperstep::explain::test
