#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

// What the control registers and IA32_EFER take, and what a write to them does. SDM "Control Registers".
namespace hyperstep::cpu {

/// The bits of CR4 that the model has; the others are reserved.
std::uint64_t cr4_bits(const Model& model);
/// The bits of IA32_EFER that the model has and software may set.
std::uint64_t efer_bits(const Model& model);
/// The bits of XCR0 that the model has.
std::uint64_t xcr0_bits(const Model& model);

/// Writes a control register as MOV to CR does: either every check passed and the register, what follows from
/// it (IA32_EFER.LMA, the PDPTE registers) and the derived values are new; or #GP(0), or intercepted() if a
/// second stage refuses the page of the PDPTEs, and nothing changed. The privilege level is the caller's
/// affair. SDM "MOV - Move to/from Control Registers".
Outcome write_cr0(Cpu& cpu, std::uint64_t value);
Outcome write_cr3(Cpu& cpu, std::uint64_t value);
Outcome write_cr4(Cpu& cpu, std::uint64_t value);
/// WRMSR of IA32_EFER. #GP(0): a reserved bit, or LME changes while paging is on. LMA stays.
Outcome write_efer(Cpu& cpu, std::uint64_t value);
/// XSETBV of XCR0. #GP(0): a combination that the model does not have. SDM "XSETBV".
Outcome write_xcr0(Cpu& cpu, std::uint64_t value);

}  // namespace hyperstep::cpu
