#include "devices/uart.hpp"

#include <algorithm>
#include <utility>

namespace hyperstep::devices {
namespace {

enum : std::uint16_t {
    reg_data = 0,
    reg_interrupt_enable = 1,
    reg_interrupt_identification = 2,  // read; FIFO control when written
    reg_line_control = 3,
    reg_modem_control = 4,
    reg_line_status = 5,
    reg_modem_status = 6,
    reg_scratch = 7
};

// Interrupt enable.
constexpr std::uint8_t enable_received = 0x01;
constexpr std::uint8_t enable_transmitter = 0x02;
constexpr std::uint8_t enable_line_status = 0x04;
constexpr std::uint8_t enable_modem_status = 0x08;
// Interrupt identification.
constexpr std::uint8_t none_pending = 0x01;
constexpr std::uint8_t is_line_status = 0x06;
constexpr std::uint8_t is_received = 0x04;
constexpr std::uint8_t is_timeout = 0x0c;
constexpr std::uint8_t is_transmitter = 0x02;
constexpr std::uint8_t is_modem_status = 0x00;
constexpr std::uint8_t fifos_enabled = 0xc0;
// Line status.
constexpr std::uint8_t data_ready = 0x01;
constexpr std::uint8_t overrun_error = 0x02;
constexpr std::uint8_t break_interrupt = 0x10;
constexpr std::uint8_t transmitter_empty = 0x60;
constexpr std::uint8_t error_in_fifo = 0x80;
// Modem control and status.
constexpr std::uint8_t loopback = 0x10;
constexpr std::uint8_t ring_indicator = 0x40;
constexpr std::uint8_t plugged_in = 0xb0;  // CTS, DSR, DCD

std::uint8_t low(unsigned value) {
    return static_cast<std::uint8_t>(value);
}

}  // namespace

Uart::Uart(Timeline& timeline, InterruptLine& interrupt, Sink sink)
    : timeline_{timeline}, interrupt_{interrupt}, sink_{std::move(sink)} {
    reset();
}

// PC16550D "Reset Configuration". The divisor survives a master reset of the chip; the board's power-on does
// not.
void Uart::reset() {
    const std::uint8_t inputs = state_.modem_inputs;
    state_ = {};
    state_.modem_inputs = inputs == 0 ? plugged_in : inputs;
    update();
}

bool Uart::divisor_selected() const {
    return (state_.line_control & 0x80U) != 0;
}
bool Uart::fifo_enabled() const {
    return (state_.fifo_control & 1U) != 0;
}
bool Uart::in_loopback() const {
    return (state_.modem_control & loopback) != 0;
}
std::size_t Uart::capacity() const {
    return fifo_enabled() ? fifo_bytes : 1;
}
std::size_t Uart::trigger_level() const {
    constexpr std::size_t levels[] = {1, 4, 8, 14};
    return fifo_enabled() ? levels[state_.fifo_control >> 6U] : 1;
}
bool Uart::can_receive() const {
    return state_.received.size() < capacity();
}

std::uint8_t Uart::line_status() const {
    const bool ready = !state_.received.empty();
    const bool bad = fifo_enabled() && std::any_of(state_.received.begin(),
                                                   state_.received.end(),
                                                   [](auto entry) { return entry >> 8U != 0; });
    return low(state_.line_errors | (ready ? data_ready : 0U) | transmitter_empty |
               (bad ? error_in_fifo : 0U));
}

// In loopback CTS, DSR, RI and DCD are RTS, DTR, OUT1 and OUT2.
std::uint8_t Uart::modem_status() const {
    unsigned inputs = state_.modem_inputs;
    if (in_loopback()) {
        const unsigned control = state_.modem_control;
        inputs = (control & 2U) << 3U | (control & 1U) << 5U | (control & 4U) << 4U | (control & 8U) << 4U;
    }
    return low(inputs | state_.modem_deltas);
}

// PC16550D "Interrupt Control Functions": the order is the priority.
std::uint8_t Uart::interrupt_identification() const {
    const unsigned enable = state_.interrupt_enable;
    if ((enable & enable_line_status) != 0 && state_.line_errors != 0) return is_line_status;
    if ((enable & enable_received) != 0) {
        if (!state_.received.empty() && state_.received.size() >= trigger_level()) return is_received;
        if (state_.timeout_interrupt) return is_timeout;
    }
    if ((enable & enable_transmitter) != 0 && state_.transmitter_interrupt) return is_transmitter;
    if ((enable & enable_modem_status) != 0 && state_.modem_deltas != 0) return is_modem_status;
    return none_pending;
}

void Uart::update() {
    interrupt_.set(level_if(interrupt_identification() != none_pending));
    timeline_.stop_no_later_than(state_.timeout_at);
}

void Uart::advance_to(std::uint64_t now) {
    if (state_.timeout_at > now) return;
    state_.timeout_at = Timeline::never;
    state_.timeout_interrupt = true;
    update();
}

// PC16550D "FIFO Interrupt Mode Operation": four characters' time without a byte in or out.
void Uart::restart_timeout() {
    state_.timeout_interrupt = false;
    state_.timeout_at = Timeline::never;
    if (!fifo_enabled() || state_.received.empty() || state_.divisor == 0) return;
    const unsigned control = state_.line_control;
    const unsigned bits =
        1 + 5 + (control & 3U) + ((control & 8U) != 0 ? 1 : 0) + ((control & 4U) != 0 ? 2 : 1);
    const std::uint64_t clocks = std::uint64_t{4} * bits * 16 * state_.divisor;
    state_.timeout_at = timeline_.now + clocks * Timeline::ticks_per_second / crystal;
}

// ---- receiver ---------------------------------------------------------------------------------------------

/// The errors of a byte show when it reaches the top.
void Uart::expose_errors() {
    if (state_.received.empty()) return;
    std::uint16_t& top = state_.received.front();
    state_.line_errors |= low(top >> 8U);
    top &= 0xffU;
}

void Uart::store(std::uint8_t byte, std::uint8_t errors) {
    if (!can_receive()) {
        state_.line_errors |= overrun_error;
        if (fifo_enabled())
            return;  // it is lost in the shift register; without FIFO it replaces the unread one
        state_.received.clear();
    }
    state_.received.push_back(static_cast<std::uint16_t>(errors << 8U | byte));
    if (state_.received.size() == 1) expose_errors();
    restart_timeout();
}

void Uart::receive(std::uint8_t byte) {
    advance_to(timeline_.now);
    if (in_loopback()) return;
    store(byte, 0);
    update();
}

void Uart::receive_break() {
    advance_to(timeline_.now);
    if (in_loopback()) return;
    store(0, break_interrupt);
    update();
}

std::uint8_t Uart::read_receiver() {
    if (state_.received.empty()) return 0;
    const std::uint8_t byte = low(state_.received.front());
    state_.received.erase(state_.received.begin());
    expose_errors();
    restart_timeout();
    return byte;
}

// ---- transmitter and modem --------------------------------------------------------------------------------

void Uart::transmit(std::uint8_t byte) {
    constexpr unsigned word_bits_least = 5;
    const unsigned bits = word_bits_least + (state_.line_control & 3U);
    const std::uint8_t sent = low(byte & ((1U << bits) - 1));
    if (in_loopback())
        store(sent, 0);
    else if (sink_)
        sink_(static_cast<char>(sent));
    state_.transmitter_interrupt = true;  // cleared by the write, and raised as the byte leaves
}

void Uart::modem_changed(std::uint8_t before) {
    const unsigned now = modem_status();
    const unsigned changes = (before ^ now) >> 4U;
    unsigned deltas = changes & 0xbU;
    if ((before & ring_indicator) != 0 && (now & ring_indicator) == 0)
        deltas |= 4U;  // the trailing edge only
    state_.modem_deltas |= low(deltas);
}

void Uart::set_modem_inputs(std::uint8_t bits) {
    const std::uint8_t before = modem_status();
    state_.modem_inputs = bits & 0xf0U;
    modem_changed(before);
    update();
}

void Uart::write_modem_control(std::uint8_t value) {
    const std::uint8_t before = modem_status();
    state_.modem_control = value & 0x1fU;
    modem_changed(before);
}

// ---- registers --------------------------------------------------------------------------------------------

void Uart::write_interrupt_enable(std::uint8_t value) {
    const std::uint8_t before = state_.interrupt_enable;
    state_.interrupt_enable = value & 0xfU;
    // The transmitter is empty: enabling its interrupt raises it.
    if ((before & enable_transmitter) == 0 && (value & enable_transmitter) != 0)
        state_.transmitter_interrupt = true;
}

void Uart::write_fifo_control(std::uint8_t value) {
    const bool enables = (value & 1U) != 0;
    if (enables != fifo_enabled() || (enables && (value & 2U) != 0)) state_.received.clear();
    state_.fifo_control = enables ? value & 0xc9U : 0;
    restart_timeout();
}

std::uint32_t Uart::read(std::uint16_t offset, IoWidth /*width*/) {
    advance_to(timeline_.now);
    std::uint8_t value = 0;
    switch (offset) {
        case reg_data: value = divisor_selected() ? low(state_.divisor) : read_receiver(); break;
        case reg_interrupt_enable:
            value = divisor_selected() ? low(state_.divisor >> 8U) : state_.interrupt_enable;
            break;
        case reg_interrupt_identification:
            value = interrupt_identification();
            if (value == is_transmitter) state_.transmitter_interrupt = false;
            if (fifo_enabled()) value |= fifos_enabled;
            break;
        case reg_line_control: value = state_.line_control; break;
        case reg_modem_control: value = state_.modem_control; break;
        case reg_line_status:
            value = line_status();
            state_.line_errors = 0;
            break;
        case reg_modem_status:
            value = modem_status();
            state_.modem_deltas = 0;
            break;
        default: value = state_.scratch; break;
    }
    update();
    return value;
}

void Uart::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    advance_to(timeline_.now);
    const auto byte = static_cast<std::uint8_t>(value);
    switch (offset) {
        case reg_data:
            if (divisor_selected())
                state_.divisor = static_cast<std::uint16_t>((state_.divisor & 0xff00U) | byte);
            else
                transmit(byte);
            break;
        case reg_interrupt_enable:
            if (divisor_selected())
                state_.divisor = static_cast<std::uint16_t>((state_.divisor & 0xffU) | unsigned{byte} << 8U);
            else
                write_interrupt_enable(byte);
            break;
        case reg_interrupt_identification: write_fifo_control(byte); break;
        case reg_line_control: state_.line_control = byte; break;
        case reg_modem_control: write_modem_control(byte); break;
        case reg_scratch: state_.scratch = byte; break;
        default: break;  // the status registers
    }
    update();
}

}  // namespace hyperstep::devices
