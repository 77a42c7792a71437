#pragma once
#include <cstdint>

#include "base/timeline.hpp"

namespace hyperstep::devices {

/// A clock that has counted 0 at tick 0 of the timeline and runs at a whole number of hertz. All conversions
/// are exact in integers: the n-th clock begins at the first tick that is not before n seconds / hertz.
struct ClockRate {
    /// From 1 to 10^10, so that no product below overflows.
    std::uint64_t hertz = Timeline::ticks_per_second;

    /// Clocks that have begun at or before tick `now`.
    constexpr std::uint64_t clocks_at(std::uint64_t now) const {
        constexpr std::uint64_t second = Timeline::ticks_per_second;
        return now / second * hertz + now % second * hertz / second;
    }
    /// The first tick at which clocks_at() is `clocks`; Timeline::never if that is beyond the timeline.
    constexpr std::uint64_t tick_of(std::uint64_t clocks) const {
        constexpr std::uint64_t second = Timeline::ticks_per_second;
        const std::uint64_t seconds = clocks / hertz;
        const std::uint64_t rest = (clocks % hertz * second + hertz - 1) / hertz;
        if (seconds >= Timeline::never / second) return Timeline::never;
        return seconds * second + rest;
    }
};

}  // namespace hyperstep::devices
