#include "machine/host_clock.hpp"

#include <algorithm>
#include <thread>

namespace hyperstep::machine {

void HostClock::sleep_until(std::uint64_t tick) const {
    // In pieces, so that no sum overflows.
    constexpr std::uint64_t longest = Timeline::ticks_per_second;
    for (std::uint64_t passed = now(); passed < tick; passed = now())
        std::this_thread::sleep_for(std::chrono::nanoseconds{std::min(tick - passed, longest)});
}

}  // namespace hyperstep::machine
