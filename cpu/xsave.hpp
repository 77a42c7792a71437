#pragma once
#include <cstdint>

#include "cpu/state.hpp"

namespace hyperstep::cpu {

/// XINUSE: the components whose registers are not in their initial configuration. Model: exactly those, in
/// every mode (the manual lets a processor say more). MXCSR is of no component here; SDM "Processor Tracking
/// of XSAVE-Managed State".
std::uint64_t components_in_use(const State& state);

}  // namespace hyperstep::cpu
