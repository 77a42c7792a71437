#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

// What arrives at a processor from outside. Its pins and its local APIC call these; the processor acts at its
// next boundary.
namespace hyperstep::cpu {

/// SDM "Nonmaskable Interrupt (NMI)". One is held while NMIs are blocked.
void raise_nmi(Cpu& cpu);
void raise_smi(Cpu& cpu);
/// INIT: the bootstrap processor starts again at its reset vector, another waits for a SIPI. Ignored while
/// one waits already. The local APIC's own reset is the caller's. SDM "MP Initialization Protocol".
void raise_init(Cpu& cpu);
/// SIPI: a processor that waits for it, or will after an INIT that is pending, starts at vector * 4096.
/// Ignored by others.
void raise_sipi(Cpu& cpu, std::uint8_t vector);
/// Board::interrupt_pending() may have become true.
void notice_interrupt(Cpu& cpu);

}  // namespace hyperstep::cpu
