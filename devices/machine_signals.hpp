#pragma once
#include <cstdint>

#include "devices/interrupt_line.hpp"

namespace hyperstep::devices {

/// What a device can do to the machine as a whole. Each is a request: the machine acts on it when the
/// instruction that caused it has retired.
class MachineSignals {
public:
    MachineSignals() = default;
    MachineSignals(const MachineSignals&) = delete;
    MachineSignals& operator=(const MachineSignals&) = delete;
    virtual ~MachineSignals() = default;
    /// A hard reset of everything: processors, their APICs, all devices (reset control register 0xcf9).
    virtual void hard_reset() = 0;
    /// INIT of every processor, and nothing else (keyboard controller, port 0x92, soft reset through 0xcf9).
    virtual void soft_reset() = 0;
    /// The machine is off: ACPI state S5, or the word "Shutdown" at port 0x8900.
    virtual void power_off() = 0;
    /// ACPI state S3: RAM is kept, the processors stop until wake().
    virtual void suspend_to_ram() = 0;
    /// An enabled wake event happened while the machine was suspended.
    virtual void wake() = 0;
    /// The debug-exit port was written with `code`.
    virtual void debug_exit(std::uint32_t code) = 0;
    /// Address line 20 is passed on to memory (asserted) or forced to 0.
    virtual void set_a20(Level level) = 0;
    /// A byte was written to the SMI command port that does not switch between ACPI and legacy mode: an SMI
    /// to every processor on a machine that has SMM.
    virtual void software_smi(std::uint8_t command) = 0;
    /// The test device asks to forget every translation of the page at this guest-physical address.
    virtual void flush_page(std::uint64_t address) = 0;
};

}  // namespace hyperstep::devices
