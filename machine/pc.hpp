#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/timeline.hpp"
#include "base/trace.hpp"
#include "cpu/cpu.hpp"
#include "devices/chipset.hpp"
#include "devices/machine_signals.hpp"
#include "machine/boot.hpp"
#include "machine/device_windows.hpp"
#include "machine/host_clock.hpp"
#include "machine/memory_map.hpp"
#include "machine/processor.hpp"
#include "machine/schedule.hpp"
#include "mmu/guest_memory.hpp"

namespace hyperstep::machine {

/// Why a run ended.
enum class Ended : std::uint8_t {
    debug_exit,     ///< the guest wrote `code` to the debug-exit port
    poweroff,       ///< ACPI S5, or the word at port 0x8900
    reset,          ///< the guest asked for a reset of everything
    triple_fault,   ///< a processor went into shutdown
    unimplemented,  ///< an architectural case that the interpreter does not have
    limit,          ///< as many instructions as were allowed
    pattern,        ///< the serial output that was waited for
    deadlock        ///< every processor waits, and nothing will wake one
};
/// As it is printed: "debug_exit".
std::string_view to_string(Ended ended);

struct Ending {
    Ended ended = Ended::limit;
    std::uint32_t code = 0;  ///< of debug_exit
    unsigned processor = 0;  ///< which one it was, where that means something
    friend bool operator==(const Ending&, const Ending&) = default;
};

struct PcConfiguration {
    const cpu::Model* model = nullptr;  ///< null: `max`
    unsigned processors = 1;            ///< 1 to Schedule::most_processors
    MemoryMap memory;
    std::uint64_t seed = 0;
    ClockSource clock = ClockSource::virtual_time;
    std::uint64_t start_seconds = 0;  ///< time of day at power-on, since 1970-01-01
    devices::Uart::Sink serial;       ///< each byte of COM1
    Trace trace;
    /// Every instruction is reported to the trace: slow, but the run is the same.
    bool traces_instructions = false;
};

/// The small PC: memory, processors, devices, and the baton that the processors share. Not movable: its parts
/// know each other.
class Pc final : public devices::MachineSignals, public ProcessorHost {
public:
    /// Powered on, nothing loaded; the bootstrap processor is at the reset vector, the others wait for SIPI.
    explicit Pc(PcConfiguration configuration);
    ~Pc() override;

    /// Puts an image into memory and the processors into the state that its boot loader leaves. Once, and
    /// before anything ran.
    void boot(const BootPlan& plan);

    /// Runs until all processors together have retired `instructions` instructions since power-on, not one
    /// more, or until the run ends by itself. Nothing: the bound was reached, and the run can go on.
    std::optional<Ending> run_until(std::uint64_t instructions);
    /// The run ends after the instruction that is being executed: for whoever watches its output.
    void end(Ending ending);

    /// xxh3 over every bit of the machine: processors, devices, schedule, time, all RAM and ROM. Caches and
    /// Timeline::stop_at are no part of it.
    std::uint64_t state_hash() const;

    mmu::GuestMemory& memory() { return memory_; }
    const MemoryMap& memory_map() const { return configuration_.memory; }
    const Timeline& time() const { return time_; }
    devices::Chipset& chipset() { return *chipset_; }
    Schedule& schedule() { return schedule_; }
    unsigned processors() const { return static_cast<unsigned>(processors_.size()); }
    Processor& processor(unsigned number) { return *processors_[number]; }
    const Processor& processor(unsigned number) const { return *processors_[number]; }
    ClockSource clock_source() const { return configuration_.clock; }
    /// The firmware's tables were built from this.
    const cpu::Model& model() const { return *configuration_.model; }

    // ---- devices::MachineSignals ----
    void hard_reset() override { end({.ended = Ended::reset}); }
    void soft_reset() override;
    void power_off() override { end({.ended = Ended::poweroff}); }
    void suspend_to_ram() override;
    void wake() override;
    void debug_exit(std::uint32_t code) override { end({.ended = Ended::debug_exit, .code = code}); }
    void set_a20(devices::Level level) override;
    void software_smi(std::uint8_t command) override;
    void flush_page(std::uint64_t address) override;

    // ---- ProcessorHost ----
    void apic_base_changed() override;
    bool a20_enabled() const override { return a20_ == devices::Level::asserted; }

private:
    /// Port 0xf0: a write clears the latch that FERR# set. Model: IGNNE# is not asserted by it.
    class CoprocessorErrorLatch final : public devices::PortDevice {
    public:
        explicit CoprocessorErrorLatch(devices::InterruptLine& line) : line_{line} {}
        std::string_view name() const override { return "coprocessor error"; }
        std::uint32_t read(std::uint16_t /*offset*/, devices::IoWidth width) override {
            return devices::mask_of(width);
        }
        void write(std::uint16_t /*offset*/, devices::IoWidth /*width*/, std::uint32_t /*value*/) override {
            line_.set(devices::Level::deasserted);
        }

    private:
        devices::InterruptLine& line_;
    };

    void add_memory();
    void add_firmware();
    void add_devices();
    void give_firmware_configuration();
    void add_window(std::uint64_t first, devices::MemoryDevice& device);
    void leave_firmware_state();
    void leave_bios_data();
    void enter_waking_vector();

    /// The tick at which the processor that runs next must stop.
    std::uint64_t next_stop(std::uint64_t instructions) const;
    /// One processor runs until it stops. What that means for the run: an ending, or nothing.
    std::optional<Ending> run_holder(std::uint64_t instructions);
    /// Every processor waits: time goes on to the next deadline. Without one, the run is over.
    std::optional<Ending> pass_time();
    /// The processor that runs stops at the next boundary.
    void interrupt_run();

    PcConfiguration configuration_;
    mmu::GuestMemory memory_;
    Timeline time_;
    exec::BlockCache<cpu::Op> blocks_{memory_};
    Schedule schedule_;
    HostClock host_clock_;
    std::vector<std::unique_ptr<Processor>> processors_;
    std::unique_ptr<devices::Chipset> chipset_;
    std::unique_ptr<CoprocessorErrorLatch> coprocessor_error_;
    std::vector<std::unique_ptr<DeviceWindow>> windows_;
    std::vector<std::unique_ptr<ApicWindow>> apic_windows_;
    BatonHolder baton_;
    std::optional<Ending> ending_;
    devices::Level a20_ = devices::Level::asserted;  ///< as the chipset's gate has it
    bool suspended_ = false;                         ///< to RAM; as the power management has it
    bool wake_requested_ = false;
    std::uint64_t due_ = 0;  ///< tick at which the devices are to be advanced: asked before a processor runs
    std::uint64_t asked_ = 0;         ///< bit i: processor i was asked since one ran, and waits
    std::uint32_t silent_jumps_ = 0;  ///< deadlines since a processor ran
};

}  // namespace hyperstep::machine
