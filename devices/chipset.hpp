#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/apic_bus.hpp"
#include "devices/bus.hpp"
#include "devices/debug_ports.hpp"
#include "devices/firmware_config.hpp"
#include "devices/hpet.hpp"
#include "devices/interrupt_wires.hpp"
#include "devices/io_apic.hpp"
#include "devices/keyboard_controller.hpp"
#include "devices/local_apic.hpp"
#include "devices/pci.hpp"
#include "devices/pic.hpp"
#include "devices/pit.hpp"
#include "devices/power_management.hpp"
#include "devices/rtc.hpp"
#include "devices/system_control.hpp"
#include "devices/uart.hpp"

namespace hyperstep::devices {

struct ChipsetConfiguration {
    CmosContents cmos;
    PowerManagementModel power;
    std::uint16_t debug_exit_port = 0xf4;
    Uart::Sink serial;                 ///< COM1
    Uart::Sink second_serial;          ///< COM2; empty: there is none
    DebugConsole::Sink debug_console;  ///< port 0xe9; empty: there is none
    /// Of every local APIC; the ids are 0, 1, 2 ... and 0 is the bootstrap processor.
    LocalApicModel processor;
};

/// All devices of the small PC, wired. The machine connects it with processors and memory:
/// - `ports` answers IN and OUT;
/// - `io_apic` and `hpet` belong at their default addresses; each `local_apic(n)` at its page_address(), for
///   accesses of processor n only, while it is in xAPIC mode;
/// - next_deadline() and advance_to() run what time brings.
class Chipset final : public TimedDevice {
public:
    /// One local APIC for each of `processors`. Everything that is passed by reference outlives the chipset.
    Chipset(const ChipsetConfiguration& configuration,
            Timeline& timeline,
            MachineSignals& signals,
            std::span<ProcessorLines* const> processors);
    Chipset(const Chipset&) = delete;
    Chipset& operator=(const Chipset&) = delete;
    ~Chipset() override;

    /// Why the debug-exit port that was asked for has no place; nothing: it is where it should be.
    std::optional<PortError> debug_exit_error() const { return debug_exit_error_; }

    /// A hard reset of all devices; local APICs too.
    void reset();

    PortBus ports;

    LocalApic& local_apic(std::size_t processor) { return *local_apics_[processor]; }
    std::size_t processors() const { return local_apics_.size(); }
    ApicBus& apic_bus() { return apic_bus_; }
    IoApic& io_apic() { return io_apic_; }
    Hpet& hpet() { return hpet_; }
    PicPair& pic() { return pic_; }
    Pit& pit() { return pit_; }
    Rtc& rtc() { return rtc_; }
    Uart& com1() { return com1_; }
    FirmwareConfig& firmware() { return firmware_; }
    PciConfiguration& pci() { return pci_; }
    PowerManagement& power() { return power_; }
    KeyboardController& keyboard() { return keyboard_; }
    InterruptWires& wires() { return wires_; }
    A20Gate& a20() { return a20_; }
    PostCode& post_code() { return post_code_; }

    std::uint64_t next_deadline() const override;
    /// The next deadline that can end the wait of processors that all wait: those of a PIT, RTC or UART whose
    /// line both interrupt controllers mask are left out, since nobody is left to unmask it. Timeline::never:
    /// unless an input comes from outside, they wait for ever.
    std::uint64_t next_wakeup() const;
    void advance_to(std::uint64_t now) override;

    /// Calls f(name, state) for the state of each device, in an order that never changes: for snapshots,
    /// hashes and comparison. Each `state` has a visit().
    template <class F>
    void for_each_state(F&& f);

private:
    /// The 8259A's INTR is wired to LINT0 of every processor.
    class IntrOutput final : public InterruptLine {
    public:
        explicit IntrOutput(Chipset& chipset) : chipset_{chipset} {}
        void set(Level level) override;

    private:
        Chipset& chipset_;
    };

    void attach_ports(const ChipsetConfiguration& configuration);
    void attach(std::uint16_t first, std::uint16_t count, PortDevice& device, std::uint16_t offset = 0);

    IntrOutput intr_;
    ApicBus apic_bus_;
    PicPair pic_;
    IoApic io_apic_;
    InterruptWires wires_;
    Hpet hpet_;
    Pit pit_;
    PowerManagement power_;
    Rtc rtc_;
    A20Gate a20_;
    SystemControlA control_a_;
    KeyboardController keyboard_;
    PciConfiguration pci_;
    FirmwareConfig firmware_;
    Uart com1_;
    std::unique_ptr<Uart> com2_;
    DebugExit debug_exit_;
    ShutdownPort shutdown_port_;
    PostCode post_code_;
    std::unique_ptr<DebugConsole> debug_console_;
    TestDevice test_device_;
    std::vector<std::unique_ptr<LocalApic>> local_apics_;
    std::vector<TimedDevice*> timed_;  ///< each device that keeps time
    std::optional<PortError> debug_exit_error_;
};

template <class F>
void Chipset::for_each_state(F&& f) {
    f("pic", pic_.state());
    f("io_apic", io_apic_.state());
    f("wires", wires_.state());
    f("hpet", hpet_.state());
    f("pit", pit_.state());
    f("power", power_.state());
    f("rtc", rtc_.state());
    f("a20", a20_.state());
    f("control_a", control_a_.state());
    f("keyboard", keyboard_.state());
    f("pci", pci_.state());
    f("firmware", firmware_.state());
    f("com1", com1_.state());
    if (com2_) f("com2", com2_->state());
    f("shutdown_port", shutdown_port_.state());
    f("post_code", post_code_.state());
    f("test_device", test_device_.state());
    for (const auto& apic : local_apics_) f("local_apic", apic->state());
}

}  // namespace hyperstep::devices
