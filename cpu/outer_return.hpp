#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"

// What RET and IRET have in common.
namespace hyperstep::cpu {

/// A value of 2, 4 or 8 bytes `depth` bytes down the stack; the stack pointer stays. #SS(0), #PF.
Expected<std::uint64_t> peek_sized(Cpu& cpu, std::uint64_t depth, unsigned bytes);

/// The code segment to return to: its RPL is the new CPL. #GP, #NP. SDM "RET", "IRET".
Expected<TableEntry> checked_return_code(Cpu& cpu, std::uint16_t selector);
/// The stack segment to return to, with code that was checked. In IA-32e mode it may be null under 64-bit
/// code of CPL 0 to 2. #GP, #SS.
Expected<Segment> checked_return_stack(Cpu& cpu, std::uint16_t selector, Descriptor code, unsigned cpl);

/// Sets the stack pointer as wide as the new stack segment, after a return with SS:RSP.
void set_returned_stack(Cpu& cpu, const Segment& stack, std::uint64_t pointer, Descriptor code);
/// Makes null the data segments that the new, less privileged level must not see.
void hide_inner_segments(Cpu& cpu, unsigned cpl);

}  // namespace hyperstep::cpu
