#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "explain/state_json.hpp"

namespace hyperstep::explain {

/// The line, from 1, of a byte of the text.
std::size_t line_at(std::string_view text, std::size_t offset);

/// Why a text is no JSON that a state can be read from, if it is none: it is not JSON, nested more than 16
/// deep, or an object has a key twice.
std::optional<TextError> problem_in_json(std::string_view text);

}  // namespace hyperstep::explain
