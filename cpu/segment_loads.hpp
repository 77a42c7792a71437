#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

namespace hyperstep::cpu {

/// What ES, SS, DS, FS or GS is to hold after the program loaded it with `selector`, in any mode. Sets the
/// accessed bit in memory. #GP, #NP, #SS with the selector as error code. SDM "MOV", "Segment Registers".
Expected<Segment> checked_segment(Cpu& cpu, SegmentName name, std::uint16_t selector);
/// Puts it there.
void load_segment(Cpu& cpu, SegmentName name, const Segment& segment);

/// Checks LDTR's new content: null is allowed. `beyond_or_wrong_type`: #GP of LLDT, #TS of a task switch.
Expected<Segment> checked_ldtr(Cpu& cpu, std::uint16_t selector, Vector beyond_or_wrong_type, Vector absent);

}  // namespace hyperstep::cpu
