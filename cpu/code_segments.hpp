#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"

// The code segments that far transfers lead to.
namespace hyperstep::cpu {

/// Whether code of this segment runs in 64-bit mode.
bool is_64_bit_code(const Cpu& cpu, Descriptor code);
/// In IA-32e mode D must be 0 where L is 1.
bool has_valid_size(const Cpu& cpu, Descriptor code);
/// #GP(0) if `offset` is beyond the limit of the segment or, in 64-bit mode, not canonical.
Outcome check_offset(const Cpu& cpu, Descriptor code, std::uint64_t offset);
/// Loads CS; RPL of the selector becomes `cpl`. The derived values are the caller's affair.
void load_code_segment(Cpu& cpu, std::uint16_t selector, Descriptor code, unsigned cpl);

}  // namespace hyperstep::cpu
