#include "devices/pit.hpp"

#include <algorithm>

namespace hyperstep::devices {
namespace {

using Access = PitChannel::Access;
using Half = PitChannel::Half;

bool is_rate_generator(const PitChannel& channel) {
    return channel.mode == 2 || channel.mode == 3;
}
bool is_started_by_gate(const PitChannel& channel) {
    return channel.mode == 1 || channel.mode == 5;
}
bool is_stopped(const PitChannel& channel) {
    return !channel.gate && !is_started_by_gate(channel);
}

std::uint32_t modulus(const PitChannel& channel) {
    return channel.bcd ? 10000 : 65536;
}

/// The count register in clocks.
std::uint32_t period_of(const PitChannel& channel) {
    std::uint32_t count = channel.reload;
    if (channel.bcd) {
        count = 0;
        for (unsigned digit = 4; digit-- > 0;) count = count * 10 + (channel.reload >> (4 * digit) & 0xfU);
    }
    if (count == 0) count = modulus(channel);
    return is_rate_generator(channel) ? std::max(count, 2U) : count;
}

/// The count that runs. A saved state may hold anything: never 0.
std::uint32_t running_period(const PitChannel& channel) {
    return std::max(channel.period, 1U);
}

/// Clocks since the counting element was loaded.
std::uint64_t elapsed(const PitChannel& channel, std::uint64_t clock) {
    return is_stopped(channel) ? channel.paused : clock - channel.loaded;
}
/// Mode 3: clocks for which OUT is high at the beginning of a period.
std::uint32_t high_half(std::uint32_t period) {
    return (period + 1) / 2;
}

Level out(const PitChannel& channel, std::uint64_t clock) {
    if (!channel.counting) return level_if(channel.mode != 0);
    const std::uint64_t count = elapsed(channel, clock);
    switch (channel.mode) {
        case 0:
        case 1: return level_if(count >= running_period(channel));
        case 2:
            return level_if(is_stopped(channel) ||
                            count % running_period(channel) != running_period(channel) - 1);
        case 3:
            return level_if(is_stopped(channel) ||
                            count % running_period(channel) < high_half(running_period(channel)));
        default: return level_if(count != running_period(channel));
    }
}

/// The clock at which OUT changes next; Timeline::never: it stays.
std::uint64_t next_change(const PitChannel& channel, std::uint64_t clock) {
    if (!channel.counting || is_stopped(channel)) return Timeline::never;
    const std::uint64_t count = clock - channel.loaded;
    const std::uint64_t period = running_period(channel);
    std::uint64_t left = 0;
    switch (channel.mode) {
        case 2: {
            const std::uint64_t phase = count % period;
            left = phase < period - 1 ? period - 1 - phase : 1;
            break;
        }
        case 3: {
            const std::uint64_t phase = count % period;
            const std::uint64_t high = high_half(running_period(channel));
            left = phase < high ? high - phase : period - phase;
            break;
        }
        case 4:
        case 5:
            if (count > period) return Timeline::never;
            left = count < period ? period - count : 1;
            break;
        default:
            if (count >= period) return Timeline::never;
            left = period - count;
            break;
    }
    return clock + left;
}

void load(PitChannel& channel, std::uint64_t clock) {
    channel.period = period_of(channel);
    channel.loaded = clock;
    channel.paused = 0;
    channel.fired = false;
    channel.counting = true;
    channel.null_count = false;
}

/// A count that was written to a running rate generator takes over. 8254 "Mode 2", "Mode 3".
void take_over(PitChannel& channel) {
    const bool ends_high_half =
        channel.loads_at - channel.loaded == high_half(running_period(channel)) && channel.mode == 3;
    channel.period = period_of(channel);
    channel.loaded = channel.loads_at - (ends_high_half ? high_half(running_period(channel)) : 0);
    channel.null_count = false;
}

/// What happened up to `clock` is in the state. Whether OUT rose since the last time.
bool settle(PitChannel& channel, std::uint64_t clock) {
    if (!channel.counting || is_stopped(channel)) return false;
    if (!is_rate_generator(channel)) {
        const bool pulses = channel.mode >= 4;  // it rises a clock after the terminal count
        if (channel.fired || clock - channel.loaded < running_period(channel) + (pulses ? 1U : 0U))
            return false;
        channel.fired = true;
        return true;
    }
    bool rose = clock - channel.loaded >= running_period(channel);
    if (channel.null_count && clock >= channel.loads_at) {
        take_over(channel);
        rose |= clock - channel.loaded >= running_period(channel);
    }
    channel.loaded += (clock - channel.loaded) / running_period(channel) * running_period(channel);
    return rose;
}

/// The counting element.
std::uint16_t count_of(const PitChannel& channel, std::uint64_t clock) {
    if (!channel.counting) return 0;
    const std::uint64_t count = elapsed(channel, clock);
    const std::uint32_t period = running_period(channel);
    std::uint64_t value = 0;
    if (channel.mode == 2) {
        value = period - count % period;
    } else if (channel.mode == 3) {
        const std::uint64_t phase = count % period;
        const std::uint64_t high = high_half(period);
        value = (period & ~1U) - 2 * (phase < high ? phase : phase - high);
    } else {
        const std::uint64_t wrap = modulus(channel);
        value = (period % wrap + wrap - count % wrap) % wrap;
    }
    if (!channel.bcd) return static_cast<std::uint16_t>(value);
    unsigned digits = 0;
    for (unsigned digit = 0; digit < 4; ++digit, value /= 10)
        digits |= static_cast<unsigned>(value % 10) << (4 * digit);
    return static_cast<std::uint16_t>(digits);
}

// 8254 "Counter Latch Command": a latched count stays until it is read.
void latch_count(PitChannel& channel, std::uint64_t clock) {
    if (channel.latched_count) return;
    channel.latched_count = true;
    channel.count_latch = count_of(channel, clock);
    channel.read_half = Half::low;
}

// 8254 "Read-Back Command".
void latch_status(PitChannel& channel, std::uint64_t clock) {
    if (channel.latched_status) return;
    channel.latched_status = true;
    const bool is_high = out(channel, clock) == Level::asserted;
    channel.status_latch = static_cast<std::uint8_t>(
        (is_high ? 0x80U : 0U) | (channel.null_count ? 0x40U : 0U) |
        static_cast<unsigned>(channel.access) << 4U | unsigned{channel.mode} << 1U | (channel.bcd ? 1U : 0U));
}

void write_mode(PitChannel& channel, std::uint8_t value) {
    const bool gate = channel.gate;
    channel = {};
    channel.gate = gate;
    const unsigned mode = value >> 1U & 7U;
    channel.mode = static_cast<std::uint8_t>(mode > 5 ? mode - 4 : mode);
    channel.access = static_cast<Access>(value >> 4U & 3U);
    channel.bcd = (value & 1U) != 0;
    channel.null_count = true;
}

void count_written(PitChannel& channel, std::uint16_t value, std::uint64_t clock) {
    const bool runs = channel.counting && !is_stopped(channel);
    if (is_rate_generator(channel) && runs) {
        const std::uint64_t high = high_half(running_period(channel));
        const bool in_high_half = channel.mode == 3 && clock - channel.loaded < high;
        channel.loads_at = channel.loaded + (in_high_half ? high : running_period(channel));
    }
    channel.reload = value;
    channel.armed = true;
    channel.null_count = true;
    if (is_started_by_gate(channel) || (is_rate_generator(channel) && runs)) return;
    load(channel, clock);
}

void set_gate(PitChannel& channel, bool gate, std::uint64_t clock) {
    if (channel.gate == gate) return;
    if (!gate && !is_started_by_gate(channel)) channel.paused = clock - channel.loaded;
    channel.gate = gate;
    if (!gate) return;
    if (is_started_by_gate(channel)) {
        if (channel.armed) load(channel, clock);
    } else if (channel.counting && is_rate_generator(channel)) {
        load(channel, clock);
    } else {
        channel.loaded = clock - channel.paused;
    }
}

constexpr std::uint16_t control_register = 3;
constexpr std::uint16_t control_b_register = 4;

}  // namespace

Pit::Pit(Timeline& timeline, InterruptLine& output) : timeline_{timeline}, output_{output} {
    reset();
}

void Pit::reset() {
    state_ = {};
    state_.channels[2].gate = false;
    output_.set(Level::deasserted);
}

void Pit::changed() {
    timeline_.stop_no_later_than(next_deadline());
}

std::uint64_t Pit::next_deadline() const {
    const std::uint64_t change = next_change(state_.channels[0], clock.clocks_at(timeline_.now));
    return change == Timeline::never ? Timeline::never : clock.tick_of(change);
}

void Pit::advance_to(std::uint64_t now) {
    const std::uint64_t at = clock.clocks_at(now);
    settle(state_.channels[1], at);
    settle(state_.channels[2], at);
    // An edge that came and went is told all the same.
    if (settle(state_.channels[0], at)) {
        output_.set(Level::deasserted);
        output_.set(Level::asserted);
        state_.out0 = Level::asserted;
    }
    const Level level = out(state_.channels[0], at);
    if (level == state_.out0) return;
    state_.out0 = level;
    output_.set(level);
}

void Pit::write_control(std::uint8_t value) {
    const std::uint64_t at = clock.clocks_at(timeline_.now);
    const unsigned select = value >> 6U;
    if (select == 3) {
        for (unsigned i = 0; i < 3; ++i) {
            if ((value >> (i + 1) & 1U) == 0) continue;
            if ((value & 0x20U) == 0) latch_count(state_.channels[i], at);
            if ((value & 0x10U) == 0) latch_status(state_.channels[i], at);
        }
        return;
    }
    PitChannel& channel = state_.channels[select];
    if ((value >> 4U & 3U) == 0)
        latch_count(channel, at);
    else
        write_mode(channel, value);
}

void Pit::write_count(PitChannel& channel, std::uint8_t value) {
    const std::uint64_t at = clock.clocks_at(timeline_.now);
    switch (channel.access) {
        case Access::low_byte: return count_written(channel, value, at);
        case Access::high_byte: return count_written(channel, static_cast<std::uint16_t>(value << 8U), at);
        default: break;
    }
    if (channel.write_half == Half::low) {
        channel.write_half = Half::high;
        channel.written_low = value;
        if (channel.mode == 0) channel.counting = false;  // 8254 "Mode 0": the first byte stops it
        return;
    }
    channel.write_half = Half::low;
    count_written(channel, static_cast<std::uint16_t>(value << 8U | channel.written_low), at);
}

std::uint8_t Pit::read_count(PitChannel& channel) {
    if (channel.latched_status) {
        channel.latched_status = false;
        return channel.status_latch;
    }
    const std::uint16_t count =
        channel.latched_count ? channel.count_latch : count_of(channel, clock.clocks_at(timeline_.now));
    const bool in_two = channel.access == Access::low_then_high;
    const bool reads_high = in_two ? channel.read_half == Half::high : channel.access == Access::high_byte;
    if (in_two) channel.read_half = reads_high ? Half::low : Half::high;
    if (!in_two || reads_high) channel.latched_count = false;
    return static_cast<std::uint8_t>(reads_high ? count >> 8U : count);
}

void Pit::write_control_b(std::uint8_t value) {
    state_.control_b = value & 0xfU;
    set_gate(state_.channels[2], (value & 1U) != 0, clock.clocks_at(timeline_.now));
}

std::uint8_t Pit::read_control_b() {
    constexpr std::uint64_t clocks_between_refreshes = 18;
    const std::uint64_t at = clock.clocks_at(timeline_.now);
    const bool toggled = at / clocks_between_refreshes % 2 != 0;
    const bool out2 = out(state_.channels[2], at) == Level::asserted;
    return static_cast<std::uint8_t>(state_.control_b | (toggled ? 0x10U : 0U) | (out2 ? 0x20U : 0U));
}

std::uint32_t Pit::read(std::uint16_t offset, IoWidth /*width*/) {
    advance_to(timeline_.now);
    if (offset == control_b_register) return read_control_b();
    if (offset == control_register) return 0xff;  // write-only
    return read_count(state_.channels[offset]);
}

void Pit::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    advance_to(timeline_.now);
    const auto byte = static_cast<std::uint8_t>(value);
    if (offset == control_b_register)
        write_control_b(byte);
    else if (offset == control_register)
        write_control(byte);
    else
        write_count(state_.channels[offset], byte);
    advance_to(timeline_.now);  // OUT 0 may have another level
    changed();
}

}  // namespace hyperstep::devices
