#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/interrupt_wires.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// The high-precision event timers: a 64-bit counter of 100 MHz and three timers, all of which can be
/// periodic. IA-PC HPET Specification 1.0a. Messages (FSB delivery) are not supported. Model: a periodic
/// timer interrupts no more often than once a microsecond: of shorter periods, the interrupts in between are
/// lost.
class Hpet final : public MemoryDevice, public TimedDevice {
public:
    static constexpr std::uint64_t default_address = 0xfed0'0000;
    static constexpr std::uint64_t ticks_per_count = 10;
    static constexpr std::uint64_t shortest_interrupt_period = 100;  ///< counts
    static constexpr std::size_t timers = 3;
    /// The lines that a timer can be routed to.
    static constexpr std::uint32_t routable_lines = 0x00ff'0104;

    struct Timer {
        std::uint64_t configuration = 0;
        std::uint64_t comparator = 0;
        std::uint64_t period = 0;             ///< the last value written; of a periodic timer
        std::uint64_t due = Timeline::never;  ///< tick of the next match
        bool edge_high = false;  ///< edge-triggered: the line stays high until it is to rise again
        auto visit(auto& archive) {
            return archive(field("configuration", configuration),
                           field("comparator", comparator),
                           field("period", period),
                           field("due", due),
                           field("edge_high", edge_high));
        }
    };
    struct State {
        std::uint64_t configuration = 0;
        std::uint64_t interrupt_status = 0;
        std::uint64_t counter = 0;  ///< while halted: the count; while running: the count at tick `started`
        std::uint64_t started = 0;  ///< tick
        std::array<Timer, timers> all{};
        Level pit = Level::deasserted;  ///< the lines that legacy replacement cuts
        Level rtc = Level::deasserted;
        auto visit(auto& archive) {
            return archive(field("configuration", configuration),
                           field("interrupt_status", interrupt_status),
                           field("counter", counter),
                           field("started", started),
                           field("all", all),
                           field("pit", pit),
                           field("rtc", rtc));
        }
    };

    Hpet(Timeline& timeline, InterruptWires& wires);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();

    /// The PIT's and the RTC's interrupts pass through here, and on to lines 0 and 8 unless legacy
    /// replacement is on.
    InterruptLine& pit_input() { return pit_input_; }
    InterruptLine& rtc_input() { return rtc_input_; }

    std::string_view name() const override { return "HPET"; }
    std::uint64_t size() const override { return 0x1000; }
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override;
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;
    std::uint64_t next_deadline() const override;
    void advance_to(std::uint64_t now) override;

private:
    class LegacyInput final : public InterruptLine {
    public:
        LegacyInput(Hpet& hpet, Level State::*level) : hpet_{hpet}, level_{level} {}
        void set(Level level) override;

    private:
        Hpet& hpet_;
        Level State::*level_;
    };

    bool is_running() const;
    bool replaces_legacy() const;
    std::uint64_t count_at(std::uint64_t now) const;
    /// The tick at which the counter has counted `counts` more than at `now`.
    std::uint64_t tick_after(std::uint64_t counts) const;
    std::uint64_t read_register(std::uint64_t offset) const;
    /// `value` is the whole register, of which the bits of `written` were given by the guest.
    void write_register(std::uint64_t offset, std::uint64_t value, std::uint64_t written);
    void write_timer(std::size_t index, std::uint64_t offset, std::uint64_t value);
    void write_configuration(std::uint64_t value);
    void write_counter(std::uint64_t value);
    void schedule(Timer& timer);
    void fire(std::size_t index);
    /// Where a timer's interrupt goes; nullptr: nowhere.
    InterruptLine* line_of(std::size_t index);
    void update_lines();

    State state_;
    Timeline& timeline_;
    std::array<InterruptLine*, InterruptWires::lines> lines_{};
    LegacyInput pit_input_{*this, &State::pit};
    LegacyInput rtc_input_{*this, &State::rtc};
    InterruptLine& pit_output_;
    InterruptLine& rtc_output_;
};

}  // namespace hyperstep::devices
