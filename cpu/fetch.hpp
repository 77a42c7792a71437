#pragma once
#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// The decoded block that begins at CS:RIP. Valid until the next call. #GP(0) if RIP is beyond the limit or
/// not canonical; #PF. SDM "Priority Among Concurrent Events", faults from fetching the next instruction.
Expected<const exec::Block<Op>*> fetch_block(Cpu& cpu);

}  // namespace hyperstep::cpu
