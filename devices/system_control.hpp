#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/machine_signals.hpp"

namespace hyperstep::devices {

/// The two sources of address line 20, ORed as the chipset does (ICH "ALT_A20_GATE"): the keyboard
/// controller's output port and system control port A.
class A20Gate {
public:
    enum class Source : std::uint8_t { keyboard_controller, port_92, count };
    struct State {
        std::array<Level, 2> sources{Level::asserted, Level::deasserted};
        auto visit(auto& archive) { return archive(field("sources", sources)); }
    };
    explicit A20Gate(MachineSignals& signals) : signals_{signals} {}
    State& state() { return state_; }
    const State& state() const { return state_; }
    /// The keyboard controller asserts it, as after power-up; the machine is told.
    void reset();
    Level level() const;
    void set(Source source, Level level);

private:
    State state_;
    MachineSignals& signals_;
};

/// System control port A, port 0x92: bit 1 address line 20, bit 0 INIT when it goes from 0 to 1.
class SystemControlA final : public PortDevice {
public:
    struct State {
        std::uint8_t value = 0;
        auto visit(auto& archive) { return archive(field("value", value)); }
    };
    SystemControlA(MachineSignals& signals, A20Gate& a20) : signals_{signals}, a20_{a20} {}
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset() { state_ = {}; }
    std::string_view name() const override { return "system control A"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    State state_;
    MachineSignals& signals_;
    A20Gate& a20_;
};

}  // namespace hyperstep::devices
