#pragma once
#include "tests/cpu/unicorn/system_trial.hpp"

namespace hyperstep::unicorn {

/// Runs a trial on our interpreter.
Result run_on_ours(const Trial& trial);

}  // namespace hyperstep::unicorn
