#pragma once
#include <cstdint>
#include <optional>

#include "base/trace.hpp"
#include "cpu/board.hpp"
#include "cpu/cpu.hpp"
#include "devices/chipset.hpp"
#include "devices/local_apic.hpp"
#include "exec/stop.hpp"

namespace hyperstep::machine {

/// What a processor asks of the machine.
class ProcessorHost {
public:
    ProcessorHost() = default;
    ProcessorHost(const ProcessorHost&) = delete;
    ProcessorHost& operator=(const ProcessorHost&) = delete;
    virtual ~ProcessorHost() = default;
    /// IA32_APIC_BASE of some processor changed: its page may be elsewhere.
    virtual void apic_base_changed() = 0;
    virtual bool a20_enabled() const = 0;
};

/// One vCPU of the PC: an x86 processor with its local APIC on the board. Adapts what `cpu` expects of a
/// board and what `devices` expect of a processor.
class Processor final : public cpu::Board, public devices::ProcessorLines {
public:
    struct Wiring {
        mmu::GuestMemory& memory;
        Timeline& time;
        exec::BlockCache<cpu::Op>& blocks;
        const cpu::Model& model;
        cpu::Topology topology;
        ProcessorHost& host;
    };
    Processor(const Wiring& wiring, std::uint32_t number);

    /// To be called before it runs: the chipset is made after the processors.
    void connect(devices::Chipset& chipset, devices::InterruptLine& coprocessor_error, Trace trace);
    /// Runs until Timeline::stop_at, or until it stops by itself. A processor that waits, and to which
    /// nothing has happened since, is not asked.
    exec::Stop run();
    /// The instruction that runs is the last one of its block: something about the world changed.
    void leave_block() { cpu_.leave_block = true; }

    cpu::Cpu& cpu() { return cpu_; }
    const cpu::Cpu& cpu() const { return cpu_; }
    devices::LocalApic& local_apic() { return *apic_; }

    // ---- cpu::Board ----
    std::uint32_t read_port(std::uint16_t port, unsigned bytes) override;
    void write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) override;
    bool interrupt_pending() override { return apic_->has_interrupt(); }
    std::uint8_t acknowledge_interrupt() override { return apic_->acknowledge(); }
    std::uint8_t task_priority_class() override { return static_cast<std::uint8_t>(apic_->cr8()); }
    void set_task_priority_class(std::uint8_t priority_class) override { apic_->set_cr8(priority_class); }
    std::optional<std::uint64_t> read_apic_msr(std::uint32_t index) override;
    bool write_apic_msr(std::uint32_t index, std::uint64_t value) override;
    std::uint64_t apic_base() override { return apic_->base(); }
    void set_time_stamp_offset(std::uint64_t offset) override;
    void signal_ferr() override;
    void signal_shutdown() override {}
    bool a20_enabled() override { return host_.a20_enabled(); }

    // ---- devices::ProcessorLines ----
    void interrupt_request_changed() override { awaken(); }
    void nmi() override;
    void smi() override;
    void init() override;
    void startup(std::uint8_t vector) override;

private:
    /// Something happened: the boundary is looked at, also by a processor that waits.
    void awaken();

    ProcessorHost& host_;
    cpu::Cpu cpu_;
    devices::LocalApic* apic_ = nullptr;
    devices::PortBus* ports_ = nullptr;
    devices::InterruptLine* coprocessor_error_ = nullptr;
    Trace trace_;
    bool sleeps_ = false;  ///< it said that it waits, and nothing has happened since. A cache of the state
};

}  // namespace hyperstep::machine
