#pragma once
#include <cstdint>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/clock_rate.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/machine_signals.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// What the FADT and the DSDT tell of the power-management hardware.
struct PowerManagementModel {
    enum class TimerWidth : std::uint8_t { bits_24 = 24, bits_32 = 32 };
    TimerWidth timer = TimerWidth::bits_24;
    std::uint8_t soft_off_type = 0;   ///< SLP_TYP of _S5
    std::uint8_t suspend_type = 1;    ///< SLP_TYP of _S3
    std::uint8_t acpi_enable = 0xf1;  ///< bytes for the SMI command port
    std::uint8_t acpi_disable = 0xf0;
};

/// ACPI fixed hardware. Registers: 0, 1 PM1a status (ports 0x600, 0x601), 2, 3 enable; 4, 5 PM1a control
/// (0x604, 0x605); 8 to 11 PM timer (0x608 to 0x60b); 0x20, 0x21 GPE0 status (0x620), 0x22, 0x23 GPE0 enable;
/// 0x30 SMI command (0xb2), 0x31 SMI status (0xb3). ACPI "Fixed Hardware Registers". No general-purpose event
/// ever happens.
class PowerManagement final : public PortDevice, public TimedDevice {
public:
    static constexpr ClockRate clock{3'579'545};
    static constexpr std::uint16_t smi_command = 0x30;

    struct State {
        std::uint16_t status = 0;
        std::uint16_t enable = 0;
        std::uint16_t control = 0;
        std::uint16_t general_enable = 0;
        std::uint8_t last_smi_command = 0;
        std::uint8_t smi_status = 0;
        bool suspended = false;
        std::uint64_t carries_seen = 0;  ///< changes of the timer's highest bit since tick 0
        auto visit(auto& archive) {
            return archive(field("status", status),
                           field("enable", enable),
                           field("control", control),
                           field("general_enable", general_enable),
                           field("last_smi_command", last_smi_command),
                           field("smi_status", smi_status),
                           field("suspended", suspended),
                           field("carries_seen", carries_seen));
        }
    };

    /// `interrupt` is the system control interrupt (line 9, level-triggered).
    PowerManagement(const PowerManagementModel& model,
                    Timeline& timeline,
                    InterruptLine& interrupt,
                    MachineSignals& signals);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();
    /// The RTC's alarm (PM1 status RTC_STS).
    void rtc_alarm();
    /// The power button was pressed (PWRBTN_STS).
    void power_button();

    std::string_view name() const override { return "power management"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;
    std::uint64_t next_deadline() const override;
    void advance_to(std::uint64_t now) override;

private:
    std::uint8_t read_byte(std::uint16_t offset);
    void write_byte(std::uint16_t offset, std::uint8_t value);
    void write_control(std::uint8_t high);
    void write_smi_command(std::uint8_t value);
    std::uint32_t timer() const;
    /// Clocks between two changes of the timer's highest bit.
    std::uint64_t half_timer() const;
    void event(std::uint16_t status_bit);
    void update();

    State state_;
    PowerManagementModel model_;
    Timeline& timeline_;
    InterruptLine& interrupt_;
    MachineSignals& signals_;
};

}  // namespace hyperstep::devices
