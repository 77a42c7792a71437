#pragma once
#include <cstdint>
#include <vector>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/machine_signals.hpp"
#include "devices/system_control.hpp"

namespace hyperstep::devices {

/// The 8042 keyboard controller with an AT keyboard. Registers: 0 (port 0x60) data, 1 (port 0x64) status and
/// command. Model: commands complete at once; there is no mouse, so what is written to it is lost, and the
/// auxiliary port's test says that the clock line is stuck low.
class KeyboardController final : public PortDevice {
public:
    static constexpr std::size_t most_output = 16;

    struct State {
        std::uint8_t command_byte = 0;
        std::uint8_t output_port = 0;
        std::uint8_t awaited_by =
            0;  ///< the controller's command whose data byte comes next at port 0x60; 0: none
        std::uint8_t keyboard_command = 0;  ///< the keyboard's command whose argument comes next; 0: none
        std::uint8_t scan_code_set = 2;
        bool last_was_command = false;  ///< status bit 3
        bool scanning = true;
        std::vector<std::uint8_t> output;  ///< bytes for the guest, oldest first; the oldest is in the buffer
        std::uint8_t last_output = 0;      ///< what an empty buffer reads as
        auto visit(auto& archive) {
            return archive(field("command_byte", command_byte),
                           field("output_port", output_port),
                           field("awaited_by", awaited_by),
                           field("keyboard_command", keyboard_command),
                           field("scan_code_set", scan_code_set),
                           field("last_was_command", last_was_command),
                           field("scanning", scanning),
                           field("output", at_most<most_output>(output)),
                           field("last_output", last_output));
        }
    };

    /// `interrupt` is IRQ 1.
    KeyboardController(MachineSignals& signals, A20Gate& a20, InterruptLine& interrupt);
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset();
    /// The keyboard sends a byte of a scan code; lost if it does not scan or its buffer is full.
    void type(std::uint8_t byte);

    std::string_view name() const override { return "keyboard controller"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    void command(std::uint8_t value);
    void data_for_controller(std::uint8_t value);
    void keyboard(std::uint8_t value);
    void put(std::uint8_t byte);
    void write_output_port(std::uint8_t value);
    void update();

    State state_;
    MachineSignals& signals_;
    A20Gate& a20_;
    InterruptLine& interrupt_;
};

}  // namespace hyperstep::devices
