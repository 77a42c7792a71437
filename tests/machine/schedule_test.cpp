#include "machine/schedule.hpp"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace hyperstep::machine {
namespace {

struct Quantum {
    unsigned holder;
    std::uint64_t end;
    friend bool operator==(const Quantum&, const Quantum&) = default;
};
std::vector<Quantum> quanta(std::uint64_t seed, unsigned processors, unsigned count) {
    Schedule schedule{seed, processors};
    std::vector<Quantum> all;
    for (unsigned i = 0; i < count; ++i) {
        all.push_back({schedule.holder(), schedule.quantum_end()});
        schedule.hand_on(schedule.quantum_end());
    }
    return all;
}

TEST(Schedule, EveryRoundHasEveryProcessorOnce) {
    const auto all = quanta(5, 7, 70);
    for (unsigned round = 0; round < 10; ++round) {
        std::set<unsigned> holders;
        for (unsigned i = 0; i < 7; ++i) holders.insert(all[round * 7 + i].holder);
        EXPECT_EQ(holders.size(), 7U);
    }
}

TEST(Schedule, QuantaHaveTheirLengths) {
    std::uint64_t began = 0;
    for (const Quantum& quantum : quanta(9, 64, 640)) {
        EXPECT_GE(quantum.end - began, Schedule::shortest_quantum);
        EXPECT_LE(quantum.end - began, Schedule::longest_quantum);
        began = quantum.end;
    }
}

TEST(Schedule, TheSeedDecides) {
    EXPECT_EQ(quanta(1, 4, 40), quanta(1, 4, 40));
    EXPECT_NE(quanta(1, 4, 40), quanta(2, 4, 40));
}

TEST(Schedule, AloneAProcessorIsNotInterrupted) {
    EXPECT_EQ(Schedule(3, 1).quantum_end(), Timeline::never);
}

}  // namespace
}  // namespace hyperstep::machine
