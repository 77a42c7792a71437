#pragma once
#include "tests/cpu/unicorn/system_trial.hpp"

namespace hyperstep::unicorn {

/// Runs a trial on Unicorn, in an engine of its own.
/// Throws std::runtime_error when Unicorn cannot be brought into the trial's surroundings.
Result run_on_unicorn(const Trial& trial);

}  // namespace hyperstep::unicorn
