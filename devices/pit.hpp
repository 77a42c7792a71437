#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/clock_rate.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// One counter of an 8254. Times are clocks of 1.193182 MHz since tick 0.
struct PitChannel {
    enum class Access : std::uint8_t { latch, low_byte, high_byte, low_then_high, count };
    enum class Half : std::uint8_t { low, high, count };

    std::uint8_t mode = 0;  ///< 0 to 5
    Access access = Access::low_then_high;
    bool bcd = false;
    bool gate = true;
    bool null_count = false;      ///< a count was written that is not loaded yet
    bool armed = false;           ///< a count was written since the control word
    bool counting = false;        ///< the counting element was loaded since the control word
    bool fired = false;           ///< modes 0, 1, 4 and 5: the terminal count of this round was reached
    Half write_half = Half::low;  ///< of low_then_high
    Half read_half = Half::low;
    std::uint8_t written_low = 0;
    std::uint16_t reload = 0;    ///< the count register, as written: BCD or binary
    std::uint32_t period = 0;    ///< the count that runs, in clocks: 1 to 65536
    std::uint64_t loaded = 0;    ///< clock at which the counting element held `period`
    std::uint64_t loads_at = 0;  ///< modes 2 and 3 with null_count: clock at which `reload` takes over
    std::uint64_t paused = 0;    ///< clocks counted before the gate stopped it
    bool latched_count = false;
    bool latched_status = false;
    std::uint16_t count_latch = 0;
    std::uint8_t status_latch = 0;

    auto visit(auto& archive) {
        return archive(field("mode", mode),
                       field("access", access),
                       field("bcd", bcd),
                       field("gate", gate),
                       field("null_count", null_count),
                       field("armed", armed),
                       field("counting", counting),
                       field("fired", fired),
                       field("write_half", write_half),
                       field("read_half", read_half),
                       field("written_low", written_low),
                       field("reload", reload),
                       field("period", period),
                       field("loaded", loaded),
                       field("loads_at", loads_at),
                       field("paused", paused),
                       field("latched_count", latched_count),
                       field("latched_status", latched_status),
                       field("count_latch", count_latch),
                       field("status_latch", status_latch));
    }
};

/// The 8254 and the system control port B that gates its counter 2.
/// Registers: 0 to 3 (ports 0x40 to 0x43); 4 (port 0x61): bit 0 gate 2, bit 1 speaker, bit 4 refresh toggle,
/// bit 5 OUT 2. Model: a count that is written is loaded at once, not at the next clock pulse; counters 0 and
/// 1 always have their gate high, as a PC wires them.
class Pit final : public PortDevice, public TimedDevice {
public:
    static constexpr ClockRate clock{1'193'182};

    struct State {
        std::array<PitChannel, 3> channels{};
        std::uint8_t control_b = 0;      ///< port 0x61, bits 3:0
        Level out0 = Level::deasserted;  ///< as the interrupt line was last told
        auto visit(auto& archive) {
            return archive(field("channels", channels), field("control_b", control_b), field("out0", out0));
        }
    };

    /// `output` is OUT 0.
    Pit(Timeline& timeline, InterruptLine& output);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();

    std::string_view name() const override { return "PIT"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;
    std::uint64_t next_deadline() const override;
    void advance_to(std::uint64_t now) override;

private:
    void write_control(std::uint8_t value);
    void write_count(PitChannel& channel, std::uint8_t value);
    std::uint8_t read_count(PitChannel& channel);
    void write_control_b(std::uint8_t value);
    std::uint8_t read_control_b();
    void changed();

    State state_;
    Timeline& timeline_;
    InterruptLine& output_;
};

}  // namespace hyperstep::devices
