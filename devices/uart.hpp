#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// A 16550A UART, registers 0 to 7. National Semiconductor PC16550D.
/// Model: a byte written to the transmitter has left the line at once, so LSR shows it empty always; the
/// interrupt "transmitter holding register empty" is raised and cleared exactly as by a transmitter that
/// takes no time. Modem inputs CTS, DSR and DCD are asserted, RI is not: something is plugged in.
class Uart final : public PortDevice, public TimedDevice {
public:
    static constexpr std::size_t fifo_bytes = 16;
    /// The crystal, in hertz; the divisor divides a sixteenth of it.
    static constexpr std::uint64_t crystal = 1'843'200;

    struct State {
        std::uint16_t divisor = 12;
        std::uint8_t interrupt_enable = 0;
        std::uint8_t fifo_control = 0;  ///< bits 7:6 trigger, 3 DMA mode, 0 enabled
        std::uint8_t line_control = 0;
        std::uint8_t modem_control = 0;
        std::uint8_t line_errors = 0;   ///< LSR bits 4:1 since it was last read
        std::uint8_t modem_deltas = 0;  ///< MSR bits 3:0
        std::uint8_t modem_inputs = 0;  ///< MSR bits 7:4 outside of loopback
        std::uint8_t scratch = 0;
        bool transmitter_interrupt = false;
        bool timeout_interrupt = false;
        std::vector<std::uint16_t>
            received;  ///< the receiver's FIFO, oldest first: byte, LSR errors above it
        std::uint64_t timeout_at = Timeline::never;  ///< tick
        auto visit(auto& archive) {
            return archive(field("divisor", divisor),
                           field("interrupt_enable", interrupt_enable),
                           field("fifo_control", fifo_control),
                           field("line_control", line_control),
                           field("modem_control", modem_control),
                           field("line_errors", line_errors),
                           field("modem_deltas", modem_deltas),
                           field("modem_inputs", modem_inputs),
                           field("scratch", scratch),
                           field("transmitter_interrupt", transmitter_interrupt),
                           field("timeout_interrupt", timeout_interrupt),
                           field("received", at_most<fifo_bytes>(received)),
                           field("timeout_at", timeout_at));
        }
    };

    using Sink = std::function<void(char)>;
    /// Each byte that is sent goes to `sink`.
    Uart(Timeline& timeline, InterruptLine& interrupt, Sink sink);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();

    /// A byte arrives on the line. With no room for it, it is lost and the overrun error is set. In loopback
    /// the line is disconnected and the byte is lost.
    void receive(std::uint8_t byte);
    /// A break condition arrives: a zero byte with the break error.
    void receive_break();
    /// There is room for a byte; a sender that cares waits for it.
    bool can_receive() const;
    /// The modem's inputs change: MSR bits 7:4.
    void set_modem_inputs(std::uint8_t bits);

    std::string_view name() const override { return "UART"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;
    std::uint64_t next_deadline() const override { return state_.timeout_at; }
    void advance_to(std::uint64_t now) override;

private:
    bool divisor_selected() const;
    bool fifo_enabled() const;
    bool in_loopback() const;
    std::size_t capacity() const;
    std::size_t trigger_level() const;
    std::uint8_t line_status() const;
    std::uint8_t modem_status() const;
    std::uint8_t interrupt_identification() const;
    std::uint8_t read_receiver();
    void store(std::uint8_t byte, std::uint8_t errors);
    void expose_errors();
    void transmit(std::uint8_t byte);
    void write_interrupt_enable(std::uint8_t value);
    void write_fifo_control(std::uint8_t value);
    void write_modem_control(std::uint8_t value);
    void restart_timeout();
    void modem_changed(std::uint8_t before);
    void update();

    State state_;
    Timeline& timeline_;
    InterruptLine& interrupt_;
    Sink sink_;
};

}  // namespace hyperstep::devices
