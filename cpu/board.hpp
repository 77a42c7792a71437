#pragma once
#include <cstdint>
#include <optional>

namespace hyperstep::cpu {

/// What one logical processor sees of the board around it: ports, its local APIC, the pins. The owner of the
/// processor implements it. A signal (NMI, SMI, INIT, SIPI) goes the other way: cpu/signals.hpp.
class Board {
public:
    Board() = default;
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;
    virtual ~Board() = default;

    /// IN and OUT. `bytes` is 1, 2 or 4; the port range may be unaligned.
    virtual std::uint32_t read_port(std::uint16_t port, unsigned bytes) = 0;
    virtual void write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) = 0;

    /// An interrupt waits whose priority lets it through (RFLAGS.IF is the processor's affair).
    virtual bool interrupt_pending() = 0;
    /// Takes the interrupt that interrupt_pending() spoke of and gives its vector.
    virtual std::uint8_t acknowledge_interrupt() = 0;

    /// CR8: bits 7:4 of the task-priority register.
    virtual std::uint8_t task_priority_class() = 0;
    virtual void set_task_priority_class(std::uint8_t priority_class) = 0;

    /// IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC MSRs (800H to 8FFH). Nothing or false: #GP(0).
    virtual std::optional<std::uint64_t> read_apic_msr(std::uint32_t index) = 0;
    virtual bool write_apic_msr(std::uint32_t index, std::uint64_t value) = 0;
    /// IA32_APIC_BASE, for CPUID and for those who ask without a fault.
    virtual std::uint64_t apic_base() = 0;

    /// The time-stamp counter is virtual time plus this from now on: it moves the APIC timer's deadline.
    virtual void set_time_stamp_offset(std::uint64_t /*offset*/) {}

    /// FERR#: an unmasked x87 exception with CR0.NE = 0 (IRQ 13 on a PC).
    virtual void signal_ferr() = 0;
    /// The processor went into shutdown (a triple fault).
    virtual void signal_shutdown() = 0;
    /// Physical address bit 20 passes.
    virtual bool a20_enabled() = 0;
};

}  // namespace hyperstep::cpu
