#include "devices/rtc.hpp"

#include <algorithm>
#include <utility>

namespace hyperstep::devices {
namespace {

enum : std::uint8_t {
    reg_seconds = 0x00,
    reg_seconds_alarm = 0x01,
    reg_minutes = 0x02,
    reg_minutes_alarm = 0x03,
    reg_hours = 0x04,
    reg_hours_alarm = 0x05,
    reg_weekday = 0x06,
    reg_day = 0x07,
    reg_month = 0x08,
    reg_year = 0x09,
    reg_a = 0x0a,
    reg_b = 0x0b,
    reg_c = 0x0c,
    reg_d = 0x0d,
    reg_century = 0x32
};

// Register A.
constexpr std::uint8_t update_in_progress = 0x80;
// Register B.
constexpr std::uint8_t set_time = 0x80;
constexpr std::uint8_t periodic_enable = 0x40;
constexpr std::uint8_t alarm_enable = 0x20;
constexpr std::uint8_t update_enable = 0x10;
constexpr std::uint8_t is_binary = 0x04;
constexpr std::uint8_t is_24_hour = 0x02;
// Register C.
constexpr std::uint8_t interrupt_request = 0x80;
constexpr std::uint8_t periodic_flag = 0x40;
constexpr std::uint8_t alarm_flag = 0x20;
constexpr std::uint8_t update_flag = 0x10;
// Register D.
constexpr std::uint8_t power_good = 0x80;

constexpr std::uint64_t second = Timeline::ticks_per_second;
constexpr std::uint64_t day_seconds = 86400;

struct Date {
    std::uint64_t year = 1970;
    std::uint64_t month = 1;  // 1 to 12
    std::uint64_t day = 1;    // from 1
};

/// Days from 1 March of year 0 to a date of the Gregorian calendar; the months count from March so that the
/// day that leap years add comes last.
std::uint64_t days_of(const Date& date) {
    const std::uint64_t month = (date.month + 9) % 12;
    const std::uint64_t year = date.year - (month >= 10 ? 1 : 0);
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date.day - 1;
}

Date date_of(std::uint64_t days) {
    constexpr std::uint64_t days_in_400_years = 146097;
    const std::uint64_t cycle = days / days_in_400_years;
    const std::uint64_t in_cycle = days % days_in_400_years;
    const std::uint64_t year =
        (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / (days_in_400_years - 1)) / 365;
    const std::uint64_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
    const std::uint64_t month = (5 * in_year + 2) / 153;
    return {cycle * 400 + year + (month >= 10 ? 1 : 0),
            (month + 2) % 12 + 1,
            in_year - (153 * month + 2) / 5 + 1};
}

void put_sizes(std::array<std::uint8_t, 128>& memory, const CmosContents& contents) {
    const auto put = [&](std::size_t index, std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) memory[index + i] = static_cast<std::uint8_t>(value >> (8 * i));
    };
    const auto above = [&](std::uint64_t first) {
        return contents.memory_below_4g > first ? contents.memory_below_4g - first : 0;
    };
    constexpr std::uint64_t kib = 1024;
    constexpr std::uint64_t mib = 1024 * kib;
    put(0x15, std::min<std::uint64_t>(contents.memory_below_4g / kib, 640), 2);
    const std::uint64_t extended = std::min<std::uint64_t>(above(mib) / kib, 0xffff);
    put(0x17, extended, 2);
    put(0x30, extended, 2);
    put(0x34, std::min<std::uint64_t>(above(16 * mib) / (64 * kib), 0xffff), 2);
    put(0x5b, std::min<std::uint64_t>(contents.memory_above_4g / (64 * kib), 0xff'ffff), 3);
    put(0x5f, contents.processors - 1, 1);
    put(0x14, 0x06, 1);  // equipment: coprocessor, PS/2 mouse
}

}  // namespace

Rtc::Rtc(Timeline& timeline,
         InterruptLine& interrupt,
         const CmosContents& contents,
         std::function<void()> alarm)
    : timeline_{timeline}, interrupt_{interrupt}, alarm_{std::move(alarm)} {
    state_.memory[reg_a] = 0x26;  // 32768 Hz, and a periodic rate of 1024 Hz
    state_.memory[reg_b] = is_24_hour;
    state_.memory[reg_d] = power_good;
    put_sizes(state_.memory, contents);
    const std::uint64_t epoch = days_of({1970, 1, 1}) * day_seconds;
    // Beyond the year 9999 a two-digit century has no meaning.
    set_time_of_day(epoch + std::min<std::uint64_t>(contents.start_seconds, 253'402'300'799));
}

void Rtc::reset() {
    advance_to(timeline_.now);
    state_.memory[reg_b] &= static_cast<std::uint8_t>(~(periodic_enable | alarm_enable | update_enable));
    state_.memory[reg_c] = 0;
    state_.index = 0;
    update_interrupt();
}

// ---- the calendar -----------------------------------------------------------------------------------------

bool Rtc::divider_is_held() const {
    return (state_.memory[reg_a] & 0x60U) == 0x60;
}

bool Rtc::clock_runs() const {
    return !divider_is_held() && (state_.memory[reg_b] & set_time) == 0;
}

std::uint8_t Rtc::decoded(std::uint8_t index) const {
    const unsigned value = state_.memory[index];
    if ((state_.memory[reg_b] & is_binary) != 0) return static_cast<std::uint8_t>(value);
    return static_cast<std::uint8_t>((value >> 4U) * 10 + (value & 0xfU));
}

std::uint8_t Rtc::encoded(std::uint64_t value) const {
    if ((state_.memory[reg_b] & is_binary) != 0) return static_cast<std::uint8_t>(value);
    return static_cast<std::uint8_t>(value / 10 % 10 << 4U | value % 10);
}

std::uint64_t Rtc::hour_of(std::uint8_t index) const {
    if ((state_.memory[reg_b] & is_24_hour) != 0) return decoded(index);
    const bool is_afternoon = (state_.memory[index] & 0x80U) != 0;
    const unsigned value = state_.memory[index] & 0x7fU;
    const bool binary = (state_.memory[reg_b] & is_binary) != 0;
    const unsigned hour = binary ? value : (value >> 4U) * 10 + (value & 0xfU);
    return hour % 12 + (is_afternoon ? 12 : 0);
}

std::uint8_t Rtc::encoded_hour(std::uint64_t hour) const {
    if ((state_.memory[reg_b] & is_24_hour) != 0) return encoded(hour);
    const std::uint64_t shown = hour % 12 == 0 ? 12 : hour % 12;
    return static_cast<std::uint8_t>(encoded(shown) | (hour >= 12 ? 0x80U : 0U));
}

std::uint64_t Rtc::time_of_day() const {
    Date date;
    // The century is BCD or binary as the rest is. Months beyond 12 carry into the year.
    const std::uint64_t months = decoded(reg_month) == 0 ? 0 : decoded(reg_month) - 1U;
    date.year = std::uint64_t{decoded(reg_century)} * 100 + decoded(reg_year) + months / 12;
    date.month = months % 12 + 1;
    date.day = std::max<std::uint64_t>(decoded(reg_day), 1);
    date.year = std::max<std::uint64_t>(date.year, 1);
    return days_of(date) * day_seconds + hour_of(reg_hours) * 3600 + decoded(reg_minutes) * 60ULL +
           decoded(reg_seconds);
}

void Rtc::set_time_of_day(std::uint64_t seconds) {
    auto& memory = state_.memory;
    const std::uint64_t days = seconds / day_seconds;
    const Date date = date_of(days);
    memory[reg_seconds] = encoded(seconds % 60);
    memory[reg_minutes] = encoded(seconds / 60 % 60);
    memory[reg_hours] = encoded_hour(seconds / 3600 % 24);
    memory[reg_weekday] = encoded((days + 3) % 7 + 1);  // day 0 was a Wednesday; Sunday is 1
    memory[reg_day] = encoded(date.day);
    memory[reg_month] = encoded(date.month);
    memory[reg_year] = encoded(date.year % 100);
    memory[reg_century] = encoded(date.year / 100 % 100);
}

// MC146818A "Alarm": a field whose two highest bits are set matches always.
std::uint64_t Rtc::seconds_to_alarm() const {
    const std::uint64_t now = time_of_day() % day_seconds;
    const auto matches_always = [&](std::uint8_t index) { return (state_.memory[index] & 0xc0U) == 0xc0; };
    const bool any_hour = matches_always(reg_hours_alarm);
    const bool any_minute = matches_always(reg_minutes_alarm);
    const bool any_second = matches_always(reg_seconds_alarm);
    const std::uint64_t hour = hour_of(reg_hours_alarm);
    const std::uint64_t minute = decoded(reg_minutes_alarm);
    const std::uint64_t at = decoded(reg_seconds_alarm);
    if ((!any_hour && hour > 23) || (!any_minute && minute > 59) || (!any_second && at > 59)) return 0;
    // The first match after `now`: jump over what cannot match. Every turn ends an hour, a minute or the
    // search.
    std::uint64_t ahead = 1;
    while (ahead <= day_seconds) {
        const std::uint64_t time = (now + ahead) % day_seconds;
        if (!any_hour && time / 3600 != hour)
            ahead += 3600 - time % 3600;
        else if (!any_minute && time / 60 % 60 != minute)
            ahead += 60 - time % 60;
        else if (!any_second && time % 60 != at)
            ahead += time % 60 < at ? at - time % 60 : 60 - time % 60;
        else
            return ahead;
    }
    return 0;
}

// ---- time passes ------------------------------------------------------------------------------------------

void Rtc::update_clock(std::uint64_t now) {
    if (divider_is_held()) {
        state_.second_began = now;
        return;
    }
    const std::uint64_t seconds = now < state_.second_began ? 0 : (now - state_.second_began) / second;
    if (seconds == 0) return;
    state_.second_began += seconds * second;
    if (!clock_runs()) return;  // SET: seconds go by, and the time does not take them up
    const std::uint64_t to_alarm = seconds_to_alarm();
    set_time_of_day(time_of_day() + seconds);
    state_.memory[reg_c] |= update_flag;
    if (to_alarm == 0 || to_alarm > seconds) return;
    state_.memory[reg_c] |= alarm_flag;
    if ((state_.memory[reg_b] & alarm_enable) != 0 && alarm_) alarm_();
}

// MC146818A "Periodic Interrupt Rate and Square Wave Output Frequency", 32.768 kHz column.
std::uint64_t Rtc::period_clocks() const {
    const unsigned rate = state_.memory[reg_a] & 0xfU;
    if (rate == 0) return 0;
    return 1ULL << (rate <= 2 ? rate + 6 : rate - 1);
}

void Rtc::update_periodic(std::uint64_t now) {
    const std::uint64_t clocks = period_clocks();
    if (clocks == 0) return;
    const std::uint64_t periods = oscillator.clocks_at(now) / clocks;
    if (periods != state_.periods_seen) state_.memory[reg_c] |= periodic_flag;
    state_.periods_seen = periods;
}

void Rtc::update_interrupt() {
    auto& flags = state_.memory[reg_c];
    const bool requested = (flags & state_.memory[reg_b] & (periodic_flag | alarm_flag | update_flag)) != 0;
    flags = static_cast<std::uint8_t>((flags & 0x7fU) | (requested ? interrupt_request : 0U));
    interrupt_.set(level_if(requested));
}

void Rtc::advance_to(std::uint64_t now) {
    update_clock(now);
    update_periodic(now);
    update_interrupt();
}

std::uint64_t Rtc::next_deadline() const {
    const unsigned enabled = state_.memory[reg_b];
    std::uint64_t deadline = Timeline::never;
    if (clock_runs() && (enabled & (alarm_enable | update_enable)) != 0)
        deadline = state_.second_began + second;
    if (const std::uint64_t clocks = period_clocks(); clocks != 0 && (enabled & periodic_enable) != 0)
        deadline = std::min(deadline, oscillator.tick_of((state_.periods_seen + 1) * clocks));
    return deadline;
}

void Rtc::changed() {
    update_interrupt();
    timeline_.stop_no_later_than(next_deadline());
}

// ---- registers --------------------------------------------------------------------------------------------

std::uint8_t Rtc::read_memory(std::uint8_t index) {
    const std::uint8_t value = state_.memory[index];
    if (index == reg_a) {
        const bool updates = clock_runs() && state_.second_began + second - timeline_.now <= update_ticks;
        return static_cast<std::uint8_t>(value | (updates ? update_in_progress : 0U));
    }
    if (index == reg_c) state_.memory[reg_c] = 0;
    return value;
}

void Rtc::write_memory(std::uint8_t index, std::uint8_t value) {
    auto& cell = state_.memory[index];
    switch (index) {
        case reg_a: {
            const bool was_held = divider_is_held();
            cell = value & 0x7fU;
            // MC146818A "Divider Control Bits": the first update comes half a second after the divider
            // starts.
            if (was_held && !divider_is_held())
                state_.second_began = timeline_.now - std::min(timeline_.now, second / 2);
            if (const std::uint64_t clocks = period_clocks(); clocks != 0)
                state_.periods_seen = oscillator.clocks_at(timeline_.now) / clocks;
            break;
        }
        case reg_b:
            cell = value;
            if ((value & set_time) != 0) cell &= static_cast<std::uint8_t>(~update_enable);
            break;
        case reg_c:
        case reg_d: break;  // read-only
        default: cell = value; break;
    }
    if (index == reg_seconds) cell = value & 0x7fU;  // bit 7 is not stored
}

std::uint32_t Rtc::read(std::uint16_t offset, IoWidth /*width*/) {
    if (offset == 0) return 0xff;  // the index is write-only
    advance_to(timeline_.now);
    const std::uint8_t value = read_memory(state_.index & 0x7fU);
    changed();
    return value;
}

void Rtc::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    if (offset == 0) {
        state_.index = byte;
        return;
    }
    advance_to(timeline_.now);
    write_memory(state_.index & 0x7fU, byte);
    changed();
}

}  // namespace hyperstep::devices
