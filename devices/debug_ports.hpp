#pragma once
#include <cstdint>
#include <functional>
#include <utility>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_wires.hpp"
#include "devices/machine_signals.hpp"

namespace hyperstep::devices {

/// The debug-exit port (0xf4 unless the machine is told otherwise, 4 bytes): a write of any width ends the
/// run with its value. Reads give 0.
class DebugExit final : public PortDevice {
public:
    explicit DebugExit(MachineSignals& signals) : signals_{signals} {}
    std::string_view name() const override { return "debug exit"; }
    bool takes(std::uint16_t /*offset*/, IoWidth /*width*/) const override { return true; }
    std::uint32_t read(std::uint16_t /*offset*/, IoWidth /*width*/) override { return 0; }
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    MachineSignals& signals_;
};

/// Port 0x8900: the bytes "Shutdown", one after the other, turn the machine off.
class ShutdownPort final : public PortDevice {
public:
    struct State {
        std::uint8_t matched = 0;  ///< bytes of the word so far
        auto visit(auto& archive) { return archive(field("matched", matched)); }
    };
    explicit ShutdownPort(MachineSignals& signals) : signals_{signals} {}
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset() { state_ = {}; }
    std::string_view name() const override { return "shutdown port"; }
    std::uint32_t read(std::uint16_t /*offset*/, IoWidth width) override { return mask_of(width); }
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    State state_;
    MachineSignals& signals_;
};

/// Port 0x80: the byte that firmware shows as its progress. Reads give it back.
class PostCode final : public PortDevice {
public:
    struct State {
        std::uint8_t code = 0;
        auto visit(auto& archive) { return archive(field("code", code)); }
    };
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset() { state_ = {}; }
    std::string_view name() const override { return "POST code"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    State state_;
};

/// Port 0xe9: each byte written goes to `sink`. Reads give 0xe9, by which guests find it.
class DebugConsole final : public PortDevice {
public:
    using Sink = std::function<void(char)>;
    explicit DebugConsole(Sink sink) : sink_{std::move(sink)} {}
    std::string_view name() const override { return "debug console"; }
    std::uint32_t read(std::uint16_t /*offset*/, IoWidth /*width*/) override { return 0xe9; }
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    Sink sink_;
};

/// The device by which test suites drive a machine. Registers: 0 to 3 (ports 0xe0 to 0xe3) scratch of 8, 16
/// or 32 bits; 4 (port 0xe4) takes the address of a page to flush; 0x20 + n (port 0x2000 + n) the level of
/// interrupt line n, 0 to 23.
class TestDevice final : public PortDevice {
public:
    static constexpr std::uint16_t flush_register = 4;
    static constexpr std::uint16_t first_line_register = 0x20;

    struct State {
        std::uint32_t scratch = 0;
        auto visit(auto& archive) { return archive(field("scratch", scratch)); }
    };
    TestDevice(MachineSignals& signals, InterruptWires& wires);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset() { state_ = {}; }
    std::string_view name() const override { return "test device"; }
    bool takes(std::uint16_t offset, IoWidth width) const override;
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    State state_;
    MachineSignals& signals_;
    std::array<InterruptLine*, InterruptWires::lines> lines_{};
};

}  // namespace hyperstep::devices
