#pragma once
#include <string>

#include "cpu/model.hpp"

// What the interpreter's processors have, as `hyperstep cpu show` prints it.
namespace hyperstep::machine {

/// Features, what the processor of that name has besides, MSRs, and cases that are not implemented. Of `max`:
/// what any of the real processors has besides. Ends with a newline.
std::string model_text(const cpu::Model& model);
/// The same as one JSON object on one line.
std::string model_json(const cpu::Model& model);
/// The names of the models and what they are: a line each, or a JSON array.
std::string models_text();
std::string models_json();

}  // namespace hyperstep::machine
