#pragma once
#include <chrono>
#include <cstdint>

#include "base/timeline.hpp"

namespace hyperstep::machine {

/// Where virtual time comes from.
enum class ClockSource : std::uint8_t {
    virtual_time,  ///< instructions and deadlines: a run is a function of its inputs
    host           ///< the host's monotonic clock, sampled at quantum boundaries
};
constexpr const char* to_string(ClockSource source) {
    return source == ClockSource::host ? "host" : "virtual";
}

/// The host's time since the machine was powered on, in ticks (nanoseconds).
class HostClock {
public:
    static_assert(Timeline::ticks_per_second == 1'000'000'000);
    /// Ticks between two samples while a processor runs alone.
    static constexpr std::uint64_t sample_ticks = 100'000;

    std::uint64_t now() const {
        const auto passed = std::chrono::steady_clock::now() - began_;
        return static_cast<std::uint64_t>(std::chrono::nanoseconds{passed}.count());
    }
    /// Returns when the host's clock shows `tick`.
    void sleep_until(std::uint64_t tick) const;

private:
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace hyperstep::machine
