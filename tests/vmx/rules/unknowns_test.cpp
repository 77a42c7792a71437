#include <random>
#include <string>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"

// What is said of a state with unknowns must be true of every state that it may be.
namespace hyperstep::vmx {
namespace {

/// `state` with some of its slots, and some bits of others, forgotten.
State forgetful(const State& state, std::mt19937_64& random) {
    State partial = state;
    for (std::size_t i = 0; i < slot_count; ++i) {
        const auto slot = static_cast<Slot>(i);
        if (info(slot).kind == SlotKind::option) continue;
        const std::uint64_t choice = random() % 4;
        if (choice == 0) partial.forget(slot);
        if (choice == 1) partial.set(slot, PartialWord{state[slot].value, random()});
    }
    // A capability is at least as well known as that of an unknown processor.
    const State anyone;
    for (const Slot s : slots_of(SlotKind::capability)) {
        const std::uint64_t known = partial[s].known | anyone[s].known;
        partial.set(s, PartialWord{state[s].value, known});
    }
    if (random() % 2 == 0 && !partial.msr_load.empty()) partial.msr_load.pop_back();
    if (partial.msr_load != state.msr_load || random() % 2 == 0) partial.msr_load_complete = false;
    return partial;
}

void expect_sound(const State& whole, const State& partial, std::string_view where) {
    const auto truth = evaluate_all(whole);
    const auto told = evaluate_all(partial);
    for (std::size_t i = 0; i < truth.size(); ++i) {
        if (told[i].standing == Standing::unknown) continue;
        EXPECT_EQ(told[i].standing == Standing::broken, truth[i].standing == Standing::broken)
            << where << ": " << all_checks()[i].id;
    }
}

TEST(Unknowns, NeverAccuseOrAcquitWrongly) {
    std::mt19937_64 random{1};
    for (const Boundary& b : all_boundaries()) {
        const State twin = twin_state(b);
        const State broken = broken_state(b);
        expect_sound(twin, forgetful(twin, random), b.id);
        expect_sound(broken, forgetful(broken, random), b.id);
    }
}

/// Where everything is known, both ways of evaluating say the same, and nothing is unknown.
TEST(Unknowns, ThereAreNoneInACompleteState) {
    for (const Boundary& b : all_boundaries()) {
        const State state = broken_state(b);
        EXPECT_EQ(first_broken(state), first_broken_exact(state)) << b.id;
        for (const Finding& f : evaluate_all(state)) EXPECT_NE(f.standing, Standing::unknown) << b.id;
    }
}

TEST(Unknowns, NothingIsBrokenWhereNothingIsKnown) {
    const auto findings = evaluate_all(State{});
    for (std::size_t i = 0; i < findings.size(); ++i)
        EXPECT_NE(findings[i].standing, Standing::broken) << all_checks()[i].id;
}

/// Every processor that we know is one of those that an unknown processor may be.
TEST(Unknowns, AnUnknownProcessorMayBeAnyPreset) {
    const Capabilities anyone;
    for (const PresetInfo& row : all_presets()) {
        const Capabilities cap = *preset(row.name);
        EXPECT_TRUE(cap.fully_known()) << row.name;
        for (const Slot s : slots_of(SlotKind::capability))
            EXPECT_EQ(cap[s].value & anyone[s].known, anyone[s].value) << row.name << ": " << info(s).name;
    }
}

}  // namespace
}  // namespace hyperstep::vmx
