#pragma once
#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

// System-management mode. SDM "System Management Mode".
namespace hyperstep::cpu {

/// Takes an SMI at an instruction boundary: the state is saved at SMBASE + FC00H to FFFFH in the layout of
/// SDM "SMRAM State Save Map and Intel 64 Architecture", and the handler begins at SMBASE + 8000H. Until
/// leave_smm() SMIs and NMIs are blocked.
/// Model: what the layout has no public place for (the hidden parts of segment registers, the limits of the
/// tables, shadows) lies in its reserved bytes. I/O instructions are not restarted (bit 16 of the revision
/// identifier is 0). SMRAM is the memory that lies there: nobody hides it outside the mode.
void enter_smm(Cpu& cpu);

/// RSM: loads the saved state, SMBASE too; the next instruction is the interrupted program's. A state that no
/// processor can be in (reserved bits of CR4 and EFER, PG without PE, NW without CD, long mode without PAE,
/// a base that is not canonical, PDPTEs with reserved bits) is a shutdown. The caller has checked that the
/// processor is in the mode.
Outcome leave_smm(Cpu& cpu);

}  // namespace hyperstep::cpu
