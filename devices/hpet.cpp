#include "devices/hpet.hpp"

#include <algorithm>

namespace hyperstep::devices {
namespace {

// IA-PC HPET Specification "Register Overview".
enum : std::uint64_t {
    reg_capabilities = 0x000,
    reg_configuration = 0x010,
    reg_interrupt_status = 0x020,
    reg_counter = 0x0f0,
    reg_timers = 0x100,
    timer_bytes = 0x20,
    timer_configuration = 0x00,
    timer_comparator = 0x08
};

// "General Capabilities and ID Register": 8086, legacy replacement, 64 bits, 3 timers, revision 1.
constexpr std::uint64_t femtoseconds_per_count = Hpet::ticks_per_count * 1'000'000;
constexpr std::uint64_t capabilities = femtoseconds_per_count << 32U | 0x8086a201ULL;

using OverallEnable = Bits<0>;
using LegacyReplacement = Bits<1>;
// "Timer N Configuration and Capabilities Register".
using LevelTriggered = Bits<1>;
using InterruptEnable = Bits<2>;
using Periodic = Bits<3>;
using ValueSet = Bits<6>;
using Mode32Bit = Bits<8>;
using Route = Bits<13, 9>;
constexpr std::uint64_t timer_writable = LevelTriggered::mask | InterruptEnable::mask | Periodic::mask |
                                         ValueSet::mask | Mode32Bit::mask | Route::mask;
constexpr std::uint64_t timer_capabilities =
    std::uint64_t{Hpet::routable_lines} << 32U | 0x30;  // periodic, 64 bits

std::uint64_t width_of(const Hpet::Timer& timer) {
    return Mode32Bit::get(timer.configuration) ? 0xffff'ffffULL : ~0ULL;
}

}  // namespace

Hpet::Hpet(Timeline& timeline, InterruptWires& wires)
    : timeline_{timeline}, pit_output_{wires.connect(0)}, rtc_output_{wires.connect(8)} {
    for (unsigned line = 0; line < lines_.size(); ++line)
        if ((routable_lines >> line & 1U) != 0) lines_[line] = &wires.connect(line == 2 ? 0 : line);
}

void Hpet::reset() {
    const Level pit = state_.pit;
    const Level rtc = state_.rtc;
    state_ = {};
    state_.pit = pit;
    state_.rtc = rtc;
    for (Timer& timer : state_.all) timer.comparator = ~0ULL;
    update_lines();
}

void Hpet::LegacyInput::set(Level level) {
    hpet_.state_.*level_ = level;
    hpet_.update_lines();
}

bool Hpet::is_running() const {
    return OverallEnable::get(state_.configuration);
}
bool Hpet::replaces_legacy() const {
    return LegacyReplacement::get(state_.configuration);
}

std::uint64_t Hpet::count_at(std::uint64_t now) const {
    return is_running() ? state_.counter + (now - state_.started) / ticks_per_count : state_.counter;
}

std::uint64_t Hpet::tick_after(std::uint64_t counts) const {
    const std::uint64_t whole = (timeline_.now - state_.started) / ticks_per_count * ticks_per_count;
    const std::uint64_t began = state_.started + whole;  // when the count became what it is
    return counts < (Timeline::never - began) / ticks_per_count ? began + counts * ticks_per_count
                                                                : Timeline::never;
}

// ---- matches ----------------------------------------------------------------------------------------------

/// The next match is the one after now: the counter may equal the comparator for another few ticks.
void Hpet::schedule(Timer& timer) {
    timer.due = Timeline::never;
    if (!is_running()) return;
    const std::uint64_t left = (timer.comparator - count_at(timeline_.now) - 1) & width_of(timer);
    if (left != ~0ULL) timer.due = tick_after(left + 1);
}

void Hpet::fire(std::size_t index) {
    Timer& timer = state_.all[index];
    const std::uint64_t mask = width_of(timer);
    const std::uint64_t period = timer.period & mask;
    if (Periodic::get(timer.configuration) && period != 0) {
        const std::uint64_t least = shortest_interrupt_period;
        const std::uint64_t step = period < least ? (least + period - 1) / period * period : period;
        const std::uint64_t behind = (count_at(timeline_.now) - timer.comparator) & mask;
        timer.comparator = (timer.comparator + (behind / step + 1) * step) & mask;
    }
    schedule(timer);
    if (LevelTriggered::get(timer.configuration)) {
        state_.interrupt_status |= 1ULL << index;
    } else if (InterruptEnable::get(timer.configuration)) {
        timer.edge_high = false;
        update_lines();
        timer.edge_high = true;
    }
    update_lines();
}

InterruptLine* Hpet::line_of(std::size_t index) {
    if (replaces_legacy() && index == 0) return &pit_output_;
    if (replaces_legacy() && index == 1) return &rtc_output_;
    const auto line = static_cast<std::size_t>(Route::get(state_.all[index].configuration));
    return line < lines_.size() ? lines_[line] : nullptr;
}

void Hpet::update_lines() {
    const auto asserts = [&](const InterruptLine* line) {
        for (std::size_t i = 0; i < timers; ++i) {
            const Timer& timer = state_.all[i];
            if (line_of(i) != line || !InterruptEnable::get(timer.configuration)) continue;
            const bool status = (state_.interrupt_status >> i & 1U) != 0;
            if (LevelTriggered::get(timer.configuration) ? status : timer.edge_high) return true;
        }
        return false;
    };
    for (InterruptLine* line : lines_)
        if (line != nullptr) line->set(level_if(asserts(line)));
    pit_output_.set(replaces_legacy() ? level_if(asserts(&pit_output_)) : state_.pit);
    rtc_output_.set(replaces_legacy() ? level_if(asserts(&rtc_output_)) : state_.rtc);
}

std::uint64_t Hpet::next_deadline() const {
    std::uint64_t deadline = Timeline::never;
    for (const Timer& timer : state_.all)
        if (InterruptEnable::get(timer.configuration)) deadline = std::min(deadline, timer.due);
    return deadline;
}

void Hpet::advance_to(std::uint64_t now) {
    for (std::size_t i = 0; i < timers; ++i)
        if (state_.all[i].due <= now) fire(i);
}

// ---- registers --------------------------------------------------------------------------------------------

std::uint64_t Hpet::read_register(std::uint64_t offset) const {
    switch (offset) {
        case reg_capabilities: return capabilities;
        case reg_configuration: return state_.configuration;
        case reg_interrupt_status: return state_.interrupt_status;
        case reg_counter: return count_at(timeline_.now);
        default: break;
    }
    const std::uint64_t index = (offset - reg_timers) / timer_bytes;
    if (offset < reg_timers || index >= timers) return 0;
    const Timer& timer = state_.all[static_cast<std::size_t>(index)];
    switch (offset % timer_bytes) {
        case timer_configuration: return timer.configuration | timer_capabilities;
        case timer_comparator: return timer.comparator & width_of(timer);
        default: return 0;
    }
}

void Hpet::write_configuration(std::uint64_t value) {
    const bool ran = is_running();
    const std::uint64_t count = count_at(timeline_.now);
    state_.configuration = value & (OverallEnable::mask | LegacyReplacement::mask);
    if (ran != is_running()) write_counter(count);
}

void Hpet::write_counter(std::uint64_t value) {
    state_.counter = value;
    state_.started = timeline_.now;
    for (Timer& timer : state_.all) schedule(timer);
}

void Hpet::write_timer(std::size_t index, std::uint64_t offset, std::uint64_t value) {
    Timer& timer = state_.all[index];
    if (offset == timer_configuration) {
        std::uint64_t next = value & timer_writable;
        const auto line = static_cast<unsigned>(Route::get(next));
        if (line >= lines_.size() || lines_[line] == nullptr) next = Route::put(next, 0);
        timer.configuration = next;
        timer.comparator &= width_of(timer);
        if (!InterruptEnable::get(next) || LevelTriggered::get(next)) timer.edge_high = false;
    } else if (offset == timer_comparator) {
        const bool is_periodic = Periodic::get(timer.configuration);
        value &= width_of(timer);
        if (!is_periodic || ValueSet::get(timer.configuration)) timer.comparator = value;
        if (is_periodic) timer.period = value;
        timer.configuration = ValueSet::put(timer.configuration, false);
    } else {
        return;
    }
    schedule(timer);
    // The counter equals the comparator at this moment.
    const std::uint64_t left = (timer.comparator - count_at(timeline_.now)) & width_of(timer);
    if (offset == timer_comparator && is_running() && left == 0) fire(index);
}

void Hpet::write_register(std::uint64_t offset, std::uint64_t value, std::uint64_t written) {
    switch (offset) {
        case reg_configuration: return write_configuration(value);
        case reg_interrupt_status: state_.interrupt_status &= ~(value & written); return;
        case reg_counter: return write_counter(value);
        default: break;
    }
    const std::uint64_t index = (offset - reg_timers) / timer_bytes;
    if (offset < reg_timers || index >= timers) return;
    write_timer(static_cast<std::size_t>(index), offset % timer_bytes, value);
}

std::uint64_t Hpet::read(std::uint64_t offset, unsigned bytes) {
    advance_to(timeline_.now);
    const std::uint64_t ones = bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
    return read_register(offset & ~7ULL) >> (8 * (offset & 7U)) & ones;
}

void Hpet::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
    advance_to(timeline_.now);
    const std::uint64_t ones = bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
    const std::uint64_t shift = 8 * (offset & 7U);
    const std::uint64_t written = ones << shift;
    const std::uint64_t before = read_register(offset & ~7ULL);
    write_register(offset & ~7ULL, (before & ~written) | (value << shift & written), written);
    update_lines();
    timeline_.stop_no_later_than(next_deadline());
}

}  // namespace hyperstep::devices
