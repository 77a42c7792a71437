#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "base/timeline.hpp"

namespace hyperstep::machine {

/// A sequence of numbers from a seed: splitmix64.
struct SeededNumbers {
    std::uint64_t state = 0;
    std::uint64_t next() {
        state += 0x9e37'79b9'7f4a'7c15;
        std::uint64_t z = state;
        z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
        return z ^ z >> 31;
    }
    /// From `low` to `high`, both included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + next() % (high - low + 1); }
    auto visit(auto& archive) { return archive(field("state", state)); }
};

/// Who holds the baton, and for how long. In each round every processor has one quantum; order and lengths
/// come from the seed. Another seed is another legal interleaving.
class Schedule {
public:
    static constexpr unsigned most_processors = 64;
    static constexpr std::uint64_t shortest_quantum = 2000, longest_quantum = 12000;  ///< ticks

    struct State {
        SeededNumbers numbers;
        std::array<std::uint8_t, most_processors> order{};
        std::uint8_t position = 0;      ///< in `order`: who holds the baton
        std::uint64_t quantum_end = 0;  ///< tick
        auto visit(auto& archive) {
            return archive(field("numbers", numbers),
                           field("order", order),
                           field("position", position),
                           field("quantum_end", quantum_end));
        }
    };

    /// Processor 0 has the first quantum. `processors` is 1 to most_processors.
    Schedule(std::uint64_t seed, unsigned processors);

    unsigned holder() const { return state_.order[state_.position]; }
    std::uint64_t quantum_end() const { return state_.quantum_end; }
    /// The next one of the round has the baton for a quantum from `now` on.
    void hand_on(std::uint64_t now);

    State& state() { return state_; }
    const State& state() const { return state_; }

private:
    void begin_quantum(std::uint64_t now);
    void shuffle();

    State state_;
    unsigned processors_;
};

}  // namespace hyperstep::machine
