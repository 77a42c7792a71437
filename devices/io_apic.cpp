#include "devices/io_apic.hpp"

namespace hyperstep::devices {
namespace {

// Registers of the page.
constexpr std::uint64_t select_register = 0x00;
constexpr std::uint64_t window_register = 0x10;
constexpr std::uint64_t eoi_register = 0x40;
// Indirect registers.
constexpr std::uint32_t index_id = 0;
constexpr std::uint32_t index_version = 1;
constexpr std::uint32_t index_arbitration = 2;
constexpr std::uint32_t index_table = 0x10;

constexpr std::uint32_t version = 0x20U | (IoApic::lines - 1U) << 16U;
constexpr std::uint64_t read_only = 0x5000;  // delivery status, remote IRR
constexpr std::uint64_t all_bits = 0xff00'0000'0001'ffffULL;

/// Only these two modes have a level; the others are edges whatever the entry says.
bool is_level_triggered(const RedirectionEntry& entry) {
    const DeliveryMode delivery = entry[RedirectionEntry::delivery];
    return entry[RedirectionEntry::trigger] == TriggerMode::level &&
           (delivery == DeliveryMode::fixed || delivery == DeliveryMode::lowest_priority);
}

}  // namespace

IoApic::IoApic(ApicBus& bus) : bus_{bus} {
    reset();
    bus_.attach(*this);
}

void IoApic::reset() {
    state_.select = 0;
    state_.id = 0;
    state_.table.fill(RedirectionEntry{}.with(RedirectionEntry::mask, true));
}

bool IoApic::send(const RedirectionEntry& entry) {
    InterruptMessage message;
    message.destination = static_cast<std::uint32_t>(entry[RedirectionEntry::destination]);
    if (message.destination == 0xff) message.destination = InterruptMessage::everyone;
    message.destination_mode = entry[RedirectionEntry::destination_mode];
    message.delivery = entry[RedirectionEntry::delivery];
    message.trigger = is_level_triggered(entry) ? TriggerMode::level : TriggerMode::edge;
    message.vector = static_cast<std::uint8_t>(entry[RedirectionEntry::vector]);
    // 82093AA "Delivery Mode": 011 is reserved, and so is 110, start-up.
    if (message.delivery == DeliveryMode::startup || message.delivery == DeliveryMode::reserved) return false;
    return bus_.send(message);
}

void IoApic::service(unsigned line) {
    RedirectionEntry& entry = state_.table[line];
    const bool due = is_level_triggered(entry) && state_.levels[line] == Level::asserted &&
                     !entry[RedirectionEntry::mask] && !entry[RedirectionEntry::remote_irr];
    if (due && send(entry)) entry = entry.with(RedirectionEntry::remote_irr, true);
}

void IoApic::set_line(unsigned line, Level level) {
    if (state_.levels[line] == level) return;
    state_.levels[line] = level;
    const RedirectionEntry entry = state_.table[line];
    if (is_level_triggered(entry)) return service(line);
    if (level == Level::asserted && !entry[RedirectionEntry::mask]) send(entry);
}

void IoApic::end_of_interrupt(std::uint8_t vector) {
    for (unsigned line = 0; line < lines; ++line) {
        RedirectionEntry& entry = state_.table[line];
        if (!entry[RedirectionEntry::remote_irr] || entry[RedirectionEntry::vector] != vector) continue;
        entry = entry.with(RedirectionEntry::remote_irr, false);
        service(line);
    }
}

std::uint32_t IoApic::read_register() const {
    switch (state_.select) {
        case index_id:
        case index_arbitration: return state_.id;
        case index_version: return version;
        default: break;
    }
    const std::uint32_t half = state_.select - index_table;
    if (half >= 2 * lines) return 0;
    return static_cast<std::uint32_t>(state_.table[half / 2].raw >> (half % 2 * 32));
}

void IoApic::write_entry(unsigned line, unsigned half, std::uint32_t value) {
    RedirectionEntry& entry = state_.table[line];
    const unsigned shift = half * 32;
    const std::uint64_t written = 0xffff'ffffULL << shift & all_bits & ~read_only;
    entry.raw = (entry.raw & ~written) | (std::uint64_t{value} << shift & written);
    // Software without an EOI register clears a stuck remote IRR by switching to edge and back.
    if (entry[RedirectionEntry::trigger] == TriggerMode::edge)
        entry = entry.with(RedirectionEntry::remote_irr, false);
    service(line);
}

void IoApic::write_register(std::uint32_t value) {
    if (state_.select == index_id) state_.id = value & 0x0f00'0000U;
    const std::uint32_t half = state_.select - index_table;
    if (half < 2 * lines) write_entry(half / 2, half % 2, value);
}

std::uint64_t IoApic::read(std::uint64_t offset, unsigned bytes) {
    const std::uint64_t ones = bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
    switch (offset) {
        case select_register: return state_.select & ones;
        case window_register: return read_register() & ones;
        default: return 0;
    }
}

void IoApic::write(std::uint64_t offset, unsigned /*bytes*/, std::uint64_t value) {
    switch (offset) {
        case select_register: state_.select = value & 0xffU; break;
        case window_register: write_register(static_cast<std::uint32_t>(value)); break;
        case eoi_register: end_of_interrupt(static_cast<std::uint8_t>(value)); break;
        default: break;
    }
}

}  // namespace hyperstep::devices
