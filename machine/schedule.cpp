#include "machine/schedule.hpp"

#include <cassert>
#include <utility>

namespace hyperstep::machine {

Schedule::Schedule(std::uint64_t seed, unsigned processors) : processors_{processors} {
    assert(processors >= 1 && processors <= most_processors);
    state_.numbers.state = seed;
    for (unsigned i = 0; i < processors; ++i) state_.order[i] = static_cast<std::uint8_t>(i);
    begin_quantum(0);
}

void Schedule::hand_on(std::uint64_t now) {
    if (++state_.position == processors_) {
        state_.position = 0;
        shuffle();
    }
    begin_quantum(now);
}

void Schedule::begin_quantum(std::uint64_t now) {
    // Alone, a processor goes on until something is due.
    state_.quantum_end =
        processors_ == 1 ? Timeline::never : now + state_.numbers.between(shortest_quantum, longest_quantum);
}

void Schedule::shuffle() {
    for (unsigned i = processors_; i-- > 1;)
        std::swap(state_.order[i], state_.order[state_.numbers.between(0, i)]);
}

}  // namespace hyperstep::machine
