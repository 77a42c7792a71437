#pragma once
#include "base/address.hpp"
#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// Arms the monitor: State::monitor.armed falls at the next write to the page of `address`, whoever writes,
/// and the processor looks at its next boundary. An earlier address is forgotten.
void arm_monitor(Cpu& cpu, Hpa address);

}  // namespace hyperstep::cpu
