#pragma once
#include <cstdint>
#include <limits>

#include "base/fields.hpp"

namespace hyperstep {

/// Virtual time of one machine: one counter for all its vCPUs. It advances by each retired instruction, each
/// iteration of a repeated string instruction, each delivered event, each VM entry and exit. A tick is a
/// nanosecond; every time source of the guest derives from it, so all of them agree.
struct Timeline {
    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
    static constexpr std::uint64_t ticks_per_second = 1'000'000'000;

    std::uint64_t now = 0;      ///< ticks since power-on
    std::uint64_t retired = 0;  ///< instructions retired by all vCPUs: the count of --max-instructions
    /// The processor that runs gives control back when `now` reaches this tick. Whoever arms a timer while it
    /// runs brings it forward. Not architectural: a quantum and the next deadline set it.
    std::uint64_t stop_at = never;

    /// The processor stops no later than at `tick`.
    void stop_no_later_than(std::uint64_t tick) {
        if (tick < stop_at) stop_at = tick;
    }

    auto visit(auto& archive) {
        return archive(field("now", now), field("retired", retired), field("stop_at", stop_at));
    }
};

}  // namespace hyperstep
