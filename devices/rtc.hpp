#pragma once
#include <array>
#include <cstdint>
#include <functional>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/clock_rate.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// What firmware finds in the battery-backed memory.
struct CmosContents {
    std::uint64_t start_seconds = 0;    ///< time of day at tick 0: seconds since 1970-01-01 00:00:00
    std::uint64_t memory_below_4g = 0;  ///< bytes, the first megabyte included
    std::uint64_t memory_above_4g = 0;  ///< bytes
    unsigned processors = 1;
};

/// The MC146818 real-time clock with 128 bytes of battery-backed memory. Registers: 0 (port 0x70) index and
/// NMI mask (bit 7), 1 (port 0x71) data. MC146818A data sheet; the century is byte 0x32, and memory sizes are
/// where SeaBIOS reads them. Model: the oscillator runs whatever divider register A selects, but dividers 110
/// and 111 hold the clock. A time that a guest sets beyond a field's range is carried into the next field at
/// the next update.
class Rtc final : public PortDevice, public TimedDevice {
public:
    static constexpr ClockRate oscillator{32768};
    /// Update in progress is set for so long before the time changes: 244 us of warning and 1984 us of
    /// update.
    static constexpr std::uint64_t update_ticks = 2'228'000;

    struct State {
        std::uint8_t index = 0;  ///< as written to port 0x70, bit 7 included
        std::array<std::uint8_t, 128> memory{};
        std::uint64_t second_began = 0;  ///< tick
        std::uint64_t periods_seen = 0;  ///< of the periodic interrupt, since tick 0
        auto visit(auto& archive) {
            return archive(field("index", index),
                           field("memory", memory),
                           field("second_began", second_began),
                           field("periods_seen", periods_seen));
        }
    };

    /// `interrupt` is IRQ 8. `alarm` is called when the alarm's time comes and its interrupt is enabled: the
    /// wake event of power management.
    Rtc(Timeline& timeline,
        InterruptLine& interrupt,
        const CmosContents& contents,
        std::function<void()> alarm);
    State& state() { return state_; }
    const State& state() const { return state_; }
    /// The RESET pin: interrupts are disabled and their flags cleared; the time and the memory stay.
    void reset();
    /// NMIs do not reach the processor.
    bool nmi_is_masked() const { return (state_.index & 0x80U) != 0; }

    std::string_view name() const override { return "RTC"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;
    std::uint64_t next_deadline() const override;
    void advance_to(std::uint64_t now) override;

private:
    bool divider_is_held() const;
    bool clock_runs() const;
    std::uint8_t read_memory(std::uint8_t index);
    void write_memory(std::uint8_t index, std::uint8_t value);
    std::uint64_t time_of_day() const;
    void set_time_of_day(std::uint64_t seconds);
    std::uint8_t decoded(std::uint8_t index) const;
    std::uint8_t encoded(std::uint64_t value) const;
    std::uint64_t hour_of(std::uint8_t index) const;
    std::uint8_t encoded_hour(std::uint64_t hour) const;
    /// Seconds from now to the alarm, 1 to 86400; 0: it never comes.
    std::uint64_t seconds_to_alarm() const;
    std::uint64_t period_clocks() const;
    void update_clock(std::uint64_t now);
    void update_periodic(std::uint64_t now);
    void update_interrupt();
    void changed();

    State state_;
    Timeline& timeline_;
    InterruptLine& interrupt_;
    std::function<void()> alarm_;
};

}  // namespace hyperstep::devices
