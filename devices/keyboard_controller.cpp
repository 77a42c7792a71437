#include "devices/keyboard_controller.hpp"

namespace hyperstep::devices {
namespace {

constexpr std::uint16_t data_register = 0;

// Status.
constexpr std::uint8_t output_full = 0x01;
constexpr std::uint8_t system_flag = 0x04;
constexpr std::uint8_t was_command = 0x08;
constexpr std::uint8_t not_inhibited = 0x10;
// Command byte.
constexpr std::uint8_t interrupts = 0x01;
constexpr std::uint8_t keyboard_disabled = 0x10;
constexpr std::uint8_t mouse_disabled = 0x20;
// Output port.
constexpr std::uint8_t not_reset = 0x01;
constexpr std::uint8_t a20 = 0x02;
constexpr std::uint8_t output_buffer_full = 0x10;

// The controller's commands.
enum : std::uint8_t {
    read_command_byte = 0x20,
    write_command_byte = 0x60,
    disable_mouse = 0xa7,
    enable_mouse = 0xa8,
    test_mouse_port = 0xa9,
    self_test = 0xaa,
    test_keyboard_port = 0xab,
    disable_keyboard = 0xad,
    enable_keyboard = 0xae,
    read_input_port = 0xc0,
    read_output_port = 0xd0,
    write_output = 0xd1,
    write_keyboard_buffer = 0xd2,
    write_mouse_buffer = 0xd3,
    write_to_mouse = 0xd4,
    disable_a20 = 0xdd,
    enable_a20 = 0xdf,
    read_test_inputs = 0xe0,
    first_pulse = 0xf0
};
// The keyboard's.
enum : std::uint8_t {
    set_indicators = 0xed,
    echo = 0xee,
    scan_code_set = 0xf0,
    identify = 0xf2,
    set_rate = 0xf3,
    enable_scanning = 0xf4,
    disable_scanning = 0xf5,
    set_defaults = 0xf6,
    resend = 0xfe,
    reset_keyboard = 0xff
};
constexpr std::uint8_t acknowledged = 0xfa;
constexpr std::uint8_t test_passed = 0xaa;

}  // namespace

KeyboardController::KeyboardController(MachineSignals& signals, A20Gate& a20_gate, InterruptLine& interrupt)
    : signals_{signals}, a20_{a20_gate}, interrupt_{interrupt} {
    reset();
}

// As a power-on self-test leaves it: the system flag set, the keyboard's interrupt on.
void KeyboardController::reset() {
    state_ = {};
    state_.command_byte = interrupts | system_flag;
    state_.output_port = not_reset | a20;
    update();
}

void KeyboardController::update() {
    const bool full = !state_.output.empty();
    interrupt_.set(level_if(full && (state_.command_byte & interrupts) != 0));
}

void KeyboardController::put(std::uint8_t byte) {
    if (state_.output.size() < most_output) state_.output.push_back(byte);
}

void KeyboardController::type(std::uint8_t byte) {
    if (!state_.scanning || (state_.command_byte & keyboard_disabled) != 0) return;
    put(byte);
    update();
}

void KeyboardController::write_output_port(std::uint8_t value) {
    state_.output_port = static_cast<std::uint8_t>(value & ~output_buffer_full);
    a20_.set(A20Gate::Source::keyboard_controller, level_if((value & a20) != 0));
    if ((value & not_reset) == 0) signals_.soft_reset();
}

void KeyboardController::command(std::uint8_t value) {
    state_.awaited_by = 0;
    switch (value) {
        case read_command_byte: return put(state_.command_byte);
        case write_command_byte:
        case write_output:
        case write_keyboard_buffer:
        case write_mouse_buffer:
        case write_to_mouse: state_.awaited_by = value; return;
        case disable_mouse: state_.command_byte |= mouse_disabled; return;
        case enable_mouse: state_.command_byte &= static_cast<std::uint8_t>(~mouse_disabled); return;
        case test_mouse_port: return put(0x01);
        case self_test: state_.command_byte |= system_flag; return put(0x55);
        case test_keyboard_port: return put(0x00);
        case disable_keyboard: state_.command_byte |= keyboard_disabled; return;
        case enable_keyboard: state_.command_byte &= static_cast<std::uint8_t>(~keyboard_disabled); return;
        case read_input_port: return put(0x80);  // the key lock is open
        case read_output_port:
            return put(static_cast<std::uint8_t>(
                state_.output_port | (state_.output.empty() ? 0U : unsigned{output_buffer_full})));
        case disable_a20: return write_output_port(state_.output_port & static_cast<std::uint8_t>(~a20));
        case enable_a20: return write_output_port(state_.output_port | a20);
        case read_test_inputs: return put(0x00);
        default: break;
    }
    // A pulse of the output lines whose bits are 0; only the line to reset matters.
    if (value >= first_pulse && (value & not_reset) == 0) signals_.soft_reset();
}

void KeyboardController::data_for_controller(std::uint8_t value) {
    const std::uint8_t for_command = state_.awaited_by;
    state_.awaited_by = 0;
    switch (for_command) {
        case write_command_byte: state_.command_byte = value; break;
        case write_output: write_output_port(value); break;
        case write_keyboard_buffer: put(value); break;
        default: break;  // there is no mouse
    }
}

void KeyboardController::keyboard(std::uint8_t value) {
    const std::uint8_t for_command = state_.keyboard_command;
    state_.keyboard_command = 0;
    if (for_command == scan_code_set && value <= 3) {
        put(acknowledged);
        if (value == 0)
            put(state_.scan_code_set);
        else
            state_.scan_code_set = value;
        return;
    }
    if (for_command != 0) return put(acknowledged);
    switch (value) {
        case set_indicators:
        case set_rate:
        case scan_code_set: state_.keyboard_command = value; return put(acknowledged);
        case echo: return put(echo);
        case identify:
            put(acknowledged);
            put(0xab);
            return put(0x83);
        case enable_scanning: state_.scanning = true; return put(acknowledged);
        case disable_scanning: state_.scanning = false; return put(acknowledged);
        case set_defaults:
            state_.scanning = true;
            state_.scan_code_set = 2;
            return put(acknowledged);
        case reset_keyboard:
            state_.scanning = true;
            state_.scan_code_set = 2;
            put(acknowledged);
            return put(test_passed);
        case resend: return put(state_.last_output);
        default: return put(resend);
    }
}

std::uint32_t KeyboardController::read(std::uint16_t offset, IoWidth /*width*/) {
    if (offset != data_register) {
        const unsigned full = state_.output.empty() ? 0U : unsigned{output_full};
        return full | (state_.command_byte & unsigned{system_flag}) |
               (state_.last_was_command ? unsigned{was_command} : 0U) | not_inhibited;
    }
    if (!state_.output.empty()) {
        state_.last_output = state_.output.front();
        state_.output.erase(state_.output.begin());
        interrupt_.set(Level::deasserted);  // the next byte is an edge of its own
        update();
    }
    return state_.last_output;
}

void KeyboardController::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    state_.last_was_command = offset != data_register;
    if (offset != data_register) {
        command(byte);
    } else if (state_.awaited_by != 0) {
        data_for_controller(byte);
    } else {
        // Data for the keyboard enables its port.
        state_.command_byte &= static_cast<std::uint8_t>(~keyboard_disabled);
        keyboard(byte);
    }
    update();
}

}  // namespace hyperstep::devices
