#include "devices/local_apic.hpp"

// The timer of the local APIC. SDM "APIC Timer".
namespace hyperstep::devices {
namespace {

using LvtMask = Bits<16>;

}  // namespace

LocalApic::TimerMode LocalApic::timer_mode() const {
    return Bits<18, 17, TimerMode>::get(state_.local_vectors[lvt_timer]);
}

// Bits 3, 1 and 0 of the divide configuration: 2, 4 ... 128, then 1.
std::uint64_t LocalApic::timer_divider() const {
    const unsigned code = (state_.divide_configuration >> 1U & 4U) | (state_.divide_configuration & 3U);
    return 1ULL << ((code + 1) % 8);
}

// The next expiration that interrupts may lie several periods ahead.
std::uint64_t LocalApic::ticks_left() const {
    const std::uint64_t left = state_.timer_expires - timeline_.now;
    const std::uint64_t period = state_.initial_count * timer_divider();
    if (timer_mode() != TimerMode::periodic || period == 0) return left;
    return (left - 1) % period + 1;
}

void LocalApic::forget_missed_periods() {
    if (state_.timer_expires != Timeline::never) state_.timer_expires = timeline_.now + ticks_left();
}

std::uint32_t LocalApic::current_count() const {
    if (timer_mode() == TimerMode::tsc_deadline || state_.timer_expires == Timeline::never) return 0;
    const std::uint64_t divider = timer_divider();
    return static_cast<std::uint32_t>((ticks_left() + divider - 1) / divider);
}

void LocalApic::start_timer(std::uint32_t count) {
    state_.timer_expires = Timeline::never;
    if (count == 0) return;
    const std::uint64_t left = count * timer_divider();
    if (left < Timeline::never - timeline_.now) state_.timer_expires = timeline_.now + left;
}

void LocalApic::arm_tsc_deadline() {
    state_.timer_expires = Timeline::never;
    if (state_.tsc_deadline == 0) return;
    const std::uint64_t counter = timeline_.now + state_.tsc_offset;
    if (state_.tsc_deadline <= counter) return timer_expired();
    const std::uint64_t left = state_.tsc_deadline - counter;
    if (left < Timeline::never - timeline_.now) state_.timer_expires = timeline_.now + left;
}

void LocalApic::timer_expired() {
    const std::uint64_t expired = state_.timer_expires;
    state_.timer_expires = Timeline::never;
    state_.tsc_deadline = 0;
    if (timer_mode() == TimerMode::periodic && state_.initial_count != 0) {
        const std::uint64_t period = state_.initial_count * timer_divider();
        const std::uint64_t least = (shortest_interrupt_period + period - 1) / period * period;
        const std::uint64_t step = period < shortest_interrupt_period ? least : period;
        const std::uint64_t missed = (timeline_.now - expired) / step;
        const std::uint64_t ahead = expired + missed * step;  // not after now: no overflow
        if (step < Timeline::never - ahead) state_.timer_expires = ahead + step;
    }
    deliver_local(lvt_timer);
}

std::uint64_t LocalApic::tsc_deadline() {
    settle();
    return state_.tsc_deadline;
}

void LocalApic::set_tsc_deadline(std::uint64_t value) {
    settle();
    if (timer_mode() != TimerMode::tsc_deadline || mode() == ApicMode::disabled) return;
    state_.tsc_deadline = value;
    arm_tsc_deadline();
    changed();
}

void LocalApic::set_tsc_offset(std::uint64_t offset) {
    settle();
    state_.tsc_offset = offset;
    if (timer_mode() == TimerMode::tsc_deadline) arm_tsc_deadline();
    changed();
}

// An expiration matters only if its interrupt can be seen: not while it is masked, nor while its vector is
// requested already. Whatever ends that (a register write, an acknowledge) settles the timer first.
std::uint64_t LocalApic::next_deadline() const {
    const std::uint32_t entry = state_.local_vectors[lvt_timer];
    if (LvtMask::get(entry)) return Timeline::never;
    const std::uint32_t vector = entry & 0xffU;
    const bool requested = (state_.request[vector / 32] >> (vector % 32) & 1U) != 0;
    return requested ? Timeline::never : state_.timer_expires;
}

void LocalApic::advance_to(std::uint64_t now) {
    if (state_.timer_expires > now) return;
    timer_expired();
}

}  // namespace hyperstep::devices
