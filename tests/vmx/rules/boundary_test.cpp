#include "vmx/rules/boundary.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/vmx/rules/coverage.hpp"
#include "vmx/rules/evaluate.hpp"

// For every rule of the entry checks: a state that breaks exactly it, and a nearest one that does not.
namespace hyperstep::vmx {
namespace {

std::set<std::string> broken_ids(const State& state) {
    std::set<std::string> ids;
    const auto findings = evaluate_all(state);
    for (std::size_t i = 0; i < findings.size(); ++i)
        if (findings[i].standing == Standing::broken) ids.emplace(all_checks()[i].id);
    return ids;
}

std::set<std::string> unknown_ids(const State& state) {
    std::set<std::string> ids;
    const auto findings = evaluate_all(state);
    for (std::size_t i = 0; i < findings.size(); ++i)
        if (findings[i].standing == Standing::unknown) ids.emplace(all_checks()[i].id);
    return ids;
}

std::string first_id(const State& state) {
    const auto first = first_broken(state);
    return first ? std::string{check_of(*first).id} : "none";
}

std::string first_id_exact(const State& state) {
    const auto first = first_broken_exact(state);
    return first ? std::string{check_of(*first).id} : "none";
}

const std::set<std::string> nothing;

TEST(BaseStates, AreCompleteAndEnter) {
    for (const BaseState base : all_base_states) {
        SCOPED_TRACE(to_string(base));
        const State state = base_state(base);
        EXPECT_TRUE(state.complete());
        EXPECT_EQ(broken_ids(state), nothing);
        EXPECT_EQ(unknown_ids(state), nothing);
        EXPECT_EQ(first_id_exact(state), "none");
    }
}

TEST(Boundaries, EveryCheckHasOne) {
    std::set<std::string_view> with;
    for (const Boundary& b : all_boundaries()) {
        EXPECT_TRUE(find_check(b.id)) << "no check is named " << b.id;
        with.insert(b.id);
    }
    for (const EntryCheck& check : all_checks())
        EXPECT_TRUE(with.contains(check.id)) << check.id << " has no boundary";
}

TEST(Boundaries, BreakExactlyTheirRule) {
    for (const Boundary& b : all_boundaries()) {
        SCOPED_TRACE(b.id);
        const auto check = find_check(b.id);
        ASSERT_TRUE(check);
        if (all_checks()[*check].outcome.kind == Outcome::Kind::none) {
            EXPECT_TRUE(b.broken.empty()) << "a row without a failure has nothing to break";
            record_coverage(b.id, "no failure");
            continue;
        }
        const State state = broken_state(b);
        std::set<std::string> expected(b.also_broken.begin(), b.also_broken.end());
        expected.emplace(b.id);
        EXPECT_EQ(broken_ids(state), expected);
        EXPECT_EQ(first_id(state), b.id);
        EXPECT_EQ(first_id_exact(state), b.id);
        if (first_id_exact(state) == b.id) record_coverage(b.id, to_string(all_checks()[*check].outcome));
    }
}

TEST(Boundaries, TwinsEnter) {
    for (const Boundary& b : all_boundaries()) {
        SCOPED_TRACE(b.id);
        const State state = twin_state(b);
        EXPECT_TRUE(state.complete());
        EXPECT_EQ(broken_ids(state), nothing);
        EXPECT_EQ(first_id_exact(state), "none");
        EXPECT_FALSE(b.twin.empty());
    }
}

/// A twin says something only if the rule applies to it, or if it is the condition that saves it.
TEST(Boundaries, TwinsAreNearTheirBrokenState) {
    for (const Boundary& b : all_boundaries()) {
        if (b.broken.empty()) continue;
        SCOPED_TRACE(b.id);
        const State broken = broken_state(b);
        const State twin = twin_state(b);
        std::size_t differences = broken.msr_load == twin.msr_load ? 0 : 1;
        for (std::size_t i = 0; i < slot_count; ++i)
            if (broken[static_cast<Slot>(i)].value != twin[static_cast<Slot>(i)].value) ++differences;
        EXPECT_GE(differences, 1U);
        EXPECT_LE(differences, 2U) << "a nearest state differs in one or two slots";
    }
}

}  // namespace
}  // namespace hyperstep::vmx
