#include "devices/power_management.hpp"

#include <algorithm>

namespace hyperstep::devices {
namespace {

// Registers, a byte each.
constexpr std::uint16_t reg_status = 0;
constexpr std::uint16_t reg_enable = 2;
constexpr std::uint16_t reg_control = 4;
constexpr std::uint16_t reg_timer = 8;
constexpr std::uint16_t reg_general_enable = 0x22;
constexpr std::uint16_t reg_smi_status = 0x31;

// ACPI "PM1 Status Registers", "PM1 Enable Registers".
constexpr std::uint16_t timer_carry = 1U << 0;
constexpr std::uint16_t power_button_event = 1U << 8;
constexpr std::uint16_t rtc_event = 1U << 10;
constexpr std::uint16_t wake_event = 1U << 15;
constexpr std::uint16_t enable_bits = 0x0721;
// ACPI "PM1 Control Registers".
constexpr std::uint16_t sci_enable = 1U << 0;
constexpr std::uint16_t control_bits = 0x1c02;  // sleep type, BM_RLD

std::uint16_t with_byte(std::uint16_t word, unsigned index, std::uint8_t value) {
    const unsigned shift = 8 * index;
    return static_cast<std::uint16_t>((word & ~(0xffU << shift)) | unsigned{value} << shift);
}
std::uint8_t byte_of(std::uint32_t word, unsigned index) {
    return static_cast<std::uint8_t>(word >> (8 * index));
}

}  // namespace

PowerManagement::PowerManagement(const PowerManagementModel& model,
                                 Timeline& timeline,
                                 InterruptLine& interrupt,
                                 MachineSignals& signals)
    : model_{model}, timeline_{timeline}, interrupt_{interrupt}, signals_{signals} {
    reset();
}

void PowerManagement::reset() {
    state_ = {};
    state_.carries_seen = clock.clocks_at(timeline_.now) / half_timer();
    update();
}

std::uint64_t PowerManagement::half_timer() const {
    return 1ULL << (static_cast<unsigned>(model_.timer) - 1);
}

std::uint32_t PowerManagement::timer() const {
    return static_cast<std::uint32_t>(clock.clocks_at(timeline_.now) & (2 * half_timer() - 1));
}

void PowerManagement::update() {
    const bool pending = (state_.status & state_.enable & enable_bits) != 0;
    interrupt_.set(level_if(pending && (state_.control & sci_enable) != 0));
    timeline_.stop_no_later_than(next_deadline());
}

void PowerManagement::event(std::uint16_t status_bit) {
    state_.status |= status_bit;
    if (state_.suspended && (state_.enable & status_bit) != 0) {
        state_.suspended = false;
        state_.status |= wake_event;
        signals_.wake();
    }
    update();
}

void PowerManagement::rtc_alarm() {
    event(rtc_event);
}

void PowerManagement::power_button() {
    event(power_button_event);
}

std::uint64_t PowerManagement::next_deadline() const {
    if ((state_.enable & timer_carry) == 0) return Timeline::never;
    return clock.tick_of((state_.carries_seen + 1) * half_timer());
}

void PowerManagement::advance_to(std::uint64_t now) {
    const std::uint64_t carries = clock.clocks_at(now) / half_timer();
    if (carries == state_.carries_seen) return;
    state_.carries_seen = carries;
    event(timer_carry);
}

std::uint8_t PowerManagement::read_byte(std::uint16_t offset) {
    switch (offset & ~1U) {
        case reg_status: return byte_of(state_.status, offset % 2);
        case reg_enable: return byte_of(state_.enable, offset % 2);
        case reg_control: return byte_of(state_.control, offset % 2);
        case reg_timer:
        case reg_timer + 2: return byte_of(timer(), offset - reg_timer);
        case reg_general_enable: return byte_of(state_.general_enable, offset % 2);
        case smi_command: return offset == smi_command ? state_.last_smi_command : state_.smi_status;
        default: return 0;  // the status of general-purpose events
    }
}

// ACPI "Sleeping/Wake Control": SLP_EN reads as 0, and a write of 1 enters the state of SLP_TYP.
void PowerManagement::write_control(std::uint8_t high) {
    constexpr unsigned sleep_enable = 1U << 5;
    if ((high & sleep_enable) == 0) return;
    const unsigned type = high >> 2U & 7U;
    if (type == model_.soft_off_type) {
        signals_.power_off();
    } else if (type == model_.suspend_type) {
        state_.suspended = true;
        signals_.suspend_to_ram();
    }
}

// ACPI "SMI_CMD": what firmware does in the SMI is done here.
void PowerManagement::write_smi_command(std::uint8_t value) {
    state_.last_smi_command = value;
    if (value == model_.acpi_enable)
        state_.control |= sci_enable;
    else if (value == model_.acpi_disable)
        state_.control &= static_cast<std::uint16_t>(~sci_enable);
    else
        signals_.software_smi(value);
}

void PowerManagement::write_byte(std::uint16_t offset, std::uint8_t value) {
    const unsigned index = offset % 2;
    switch (offset & ~1U) {
        case reg_status:
            state_.status &= static_cast<std::uint16_t>(~(unsigned{value} << (8 * index)));
            break;
        case reg_enable: state_.enable = with_byte(state_.enable, index, value) & enable_bits; break;
        case reg_control:
            state_.control = static_cast<std::uint16_t>(
                (state_.control & sci_enable) | (with_byte(state_.control, index, value) & control_bits));
            if (index == 1) write_control(value);
            break;
        case reg_general_enable:
            state_.general_enable = with_byte(state_.general_enable, index, value);
            break;
        case smi_command:
            if (offset == reg_smi_status)
                state_.smi_status = value;
            else
                write_smi_command(value);
            break;
        default: break;
    }
}

std::uint32_t PowerManagement::read(std::uint16_t offset, IoWidth /*width*/) {
    advance_to(timeline_.now);
    return read_byte(offset);
}

void PowerManagement::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    advance_to(timeline_.now);
    write_byte(offset, static_cast<std::uint8_t>(value));
    update();
}

}  // namespace hyperstep::devices
