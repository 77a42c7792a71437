#include "devices/chipset.hpp"

#include <algorithm>
#include <cassert>

namespace hyperstep::devices {

Chipset::Chipset(const ChipsetConfiguration& configuration,
                 Timeline& timeline,
                 MachineSignals& signals,
                 std::span<ProcessorLines* const> processors)
    : intr_{*this},
      pic_{intr_},
      io_apic_{apic_bus_},
      wires_{pic_, io_apic_},
      hpet_{timeline, wires_},
      pit_{timeline, hpet_.pit_input()},
      power_{configuration.power, timeline, wires_.connect(9), signals},
      rtc_{timeline, hpet_.rtc_input(), configuration.cmos, [this] { power_.rtc_alarm(); }},
      a20_{signals},
      control_a_{signals, a20_},
      keyboard_{signals, a20_, wires_.connect(1)},
      pci_{signals},
      com1_{timeline, wires_.connect(4), configuration.serial},
      debug_exit_{signals},
      shutdown_port_{signals},
      test_device_{signals, wires_} {
    for (std::size_t i = 0; i < processors.size(); ++i) {
        LocalApicModel model = configuration.processor;
        model.id = static_cast<std::uint32_t>(i);
        model.role = i == 0 ? LocalApicModel::Role::bootstrap : LocalApicModel::Role::application;
        local_apics_.push_back(std::make_unique<LocalApic>(model, timeline, apic_bus_, *processors[i], pic_));
    }
    pci_.add(0, 0, host_bridge_440fx());
    pci_.add(1, 0, isa_bridge_piix3());
    if (configuration.second_serial)
        com2_ = std::make_unique<Uart>(timeline, wires_.connect(3), configuration.second_serial);
    if (configuration.debug_console)
        debug_console_ = std::make_unique<DebugConsole>(configuration.debug_console);
    timed_ = {&pit_, &rtc_, &hpet_, &power_, &com1_};
    if (com2_) timed_.push_back(com2_.get());
    for (const auto& apic : local_apics_) timed_.push_back(apic.get());
    attach_ports(configuration);
    hpet_.reset();
}

Chipset::~Chipset() = default;

void Chipset::attach(std::uint16_t first, std::uint16_t count, PortDevice& device, std::uint16_t offset) {
    [[maybe_unused]] const auto attached = ports.attach({first, count}, device, offset);
    assert(attached.has_value());
}

void Chipset::attach_ports(const ChipsetConfiguration& configuration) {
    attach(0x20, 2, pic_);
    attach(0xa0, 2, pic_, 2);
    attach(0x4d0, 2, pic_, 4);
    attach(0x40, 4, pit_);
    attach(0x61, 1, pit_, 4);
    attach(0x60, 1, keyboard_);
    attach(0x64, 1, keyboard_, 1);
    attach(0x70, 2, rtc_);
    attach(0x80, 1, post_code_);
    attach(0x92, 1, control_a_);
    attach(0xb2, 2, power_, PowerManagement::smi_command);
    attach(0xe0, 8, test_device_);
    attach(0x2000, InterruptWires::lines, test_device_, TestDevice::first_line_register);
    if (debug_console_) attach(0xe9, 1, *debug_console_);
    attach(0x3f8, 8, com1_);
    if (com2_) attach(0x2f8, 8, *com2_);
    attach(0x510, 2, firmware_);
    attach(0x600, 6, power_);
    attach(0x608, 4, power_, 8);
    attach(0x620, 4, power_, 0x20);
    attach(0xcf8, 8, pci_);
    attach(0x8900, 1, shutdown_port_);
    if (const auto attached = ports.attach({configuration.debug_exit_port, 4}, debug_exit_); !attached)
        debug_exit_error_ = attached.error();
}

void Chipset::reset() {
    wires_.reset();
    pic_.reset();
    io_apic_.reset();
    for (const auto& apic : local_apics_) apic->reset();
    hpet_.reset();
    pit_.reset();
    power_.reset();
    rtc_.reset();
    control_a_.reset();
    keyboard_.reset();
    pci_.reset();
    firmware_.reset();
    com1_.reset();
    if (com2_) com2_->reset();
    shutdown_port_.reset();
    post_code_.reset();
    test_device_.reset();
    a20_.reset();
}

void Chipset::IntrOutput::set(Level level) {
    for (const auto& apic : chipset_.local_apics_) apic->set_lint0(level);
}

std::uint64_t Chipset::next_deadline() const {
    std::uint64_t deadline = Timeline::never;
    for (const TimedDevice* device : timed_) deadline = std::min(deadline, device->next_deadline());
    return deadline;
}

std::uint64_t Chipset::next_wakeup() const {
    std::uint64_t deadline = std::min(hpet_.next_deadline(), power_.next_deadline());
    const auto consider = [&](const TimedDevice& device, bool is_heard) {
        if (is_heard) deadline = std::min(deadline, device.next_deadline());
    };
    for (const auto& apic : local_apics_) consider(*apic, true);
    consider(pit_, wires_.is_heard(0));
    // The alarm is a wake event too, and interrupts through line 9.
    consider(rtc_, wires_.is_heard(8) || wires_.is_heard(9) || power_.state().suspended);
    consider(com1_, wires_.is_heard(4));
    if (com2_) consider(*com2_, wires_.is_heard(3));
    return deadline;
}

void Chipset::advance_to(std::uint64_t now) {
    for (TimedDevice* device : timed_) device->advance_to(now);
}

}  // namespace hyperstep::devices
