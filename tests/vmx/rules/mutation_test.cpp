#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/vmx/rules/mutant.hpp"
#include "vmx/rules/boundary.hpp"
#include "vmx/rules/check_code.hpp"
#include "vmx/rules/evaluate.hpp"

// Do the boundary states notice a wrong predicate? Every operation of every predicate is done wrong once, and some
// state must then be judged differently: a rule's own broken state, one of its twins, or a valid state.
namespace hyperstep::vmx {
namespace {

/// A state of which it is known which rules it breaks: the valid states, and both sides of every boundary.
struct Witness {
    State state;
    std::set<std::string_view> broken;
    std::string_view about;  ///< the rule for whose boundary it was written; empty for a valid state
};

/// The state with its MSR-load entry `number` (from 1) in view.
State showing_entry(State state, std::size_t number) {
    const MsrEntry entry = state.msr_load.at(number - 1);
    state.set(Slot::msr_entry_number, number);
    state.set(Slot::msr_entry_index, entry.index);
    state.set(Slot::msr_entry_reserved, entry.reserved);
    state.set(Slot::msr_entry_value, entry.value);
    return state;
}

std::vector<Witness> all_witnesses() {
    std::vector<Witness> witnesses;
    for (const BaseState base : all_base_states) witnesses.push_back({base_state(base), {}, {}});
    for (const Boundary& b : all_boundaries()) {
        witnesses.push_back({twin_state(b), {}, b.id});
        // The twins of a rule about a long area have hundreds of entries, all the same.
        const State twin = twin_state(b);
        for (std::size_t n = 1; n <= std::min<std::size_t>(twin.msr_load.size(), 4); ++n)
            witnesses.push_back({showing_entry(twin, n), {}, b.id});
        if (b.broken.empty()) continue;
        Witness witness{broken_state(b), {b.also_broken.begin(), b.also_broken.end()}, b.id};
        witness.broken.insert(b.id);
        const std::size_t entry = evaluate(*find_check(b.id), witness.state).msr_entry;
        if (entry != 0) witness.state = showing_entry(witness.state, entry);
        witnesses.push_back(std::move(witness));
    }
    return witnesses;
}

/// The rule is broken in this state, as the mutated code sees it. Sets what was mutated, and how many operations ran.
bool broken_with(const CheckCode<MutantView>& code, const State& state, Mutation& mutation) {
    mutation.count = 0;
    current_mutation = &mutation;
    const MutantView view{state};
    const bool applies = code.applies(view).value;
    const bool holds = code.holds(view).value;
    return applies && !holds;
}

struct Mutant {
    std::size_t check;
    std::uint64_t at;
    Mutation::Kind kind;
    bool caught;
};

/// All witnesses, those of the rule's own boundaries first: they catch nearly every mutant.
std::vector<const Witness*> witnesses_for(std::string_view id, const std::vector<Witness>& all) {
    std::vector<const Witness*> ordered;
    for (const Witness& w : all) ordered.push_back(&w);
    std::stable_partition(ordered.begin(), ordered.end(), [&](const Witness* w) { return w->about == id; });
    return ordered;
}

bool is_caught(std::size_t check, Mutation& mutation, const std::vector<const Witness*>& witnesses) {
    const auto code = check_code<MutantView>()[check];
    return std::any_of(witnesses.begin(), witnesses.end(), [&](const Witness* w) {
        return broken_with(code, w->state, mutation) != w->broken.contains(all_checks()[check].id);
    });
}

std::vector<Mutant> mutants_of(std::size_t check, const std::vector<Witness>& all) {
    const auto witnesses = witnesses_for(all_checks()[check].id, all);
    Mutation plain;
    broken_with(check_code<MutantView>()[check], witnesses.front()->state, plain);
    std::vector<Mutant> mutants;
    for (std::uint64_t at = 0; at < plain.count; ++at) {
        Mutation mutation;
        mutation.at = at;
        const bool caught = is_caught(check, mutation, witnesses);
        mutants.push_back({check, at, mutation.done, caught});
    }
    return mutants;
}

TEST(Mutations, AViewWithoutAMutationIsExact) {
    const auto witnesses = all_witnesses();
    for (std::size_t i = 0; i < all_checks().size(); ++i) {
        SCOPED_TRACE(all_checks()[i].id);
        Mutation none;
        EXPECT_FALSE(is_caught(i, none, witnesses_for(all_checks()[i].id, witnesses)));
    }
}

std::string name_of(Mutation::Kind kind) {
    constexpr std::array names{"none",     "swap_field", "other_bit", "comparison", "condition",
                               "negation", "shift",      "choice",    "mask",       "width"};
    return names.at(static_cast<std::size_t>(kind));
}

TEST(Mutations, AreCaught) {
    std::map<std::string, std::pair<std::size_t, std::size_t>> by_kind;
    std::vector<std::string> survivors;
    const auto witnesses = all_witnesses();
    for (std::size_t i = 0; i < all_checks().size(); ++i) {
        if (all_checks()[i].outcome.kind == Outcome::Kind::none) continue;
        for (const Mutant& m : mutants_of(i, witnesses)) {
            auto& [caught, total] = by_kind[name_of(m.kind)];
            ++total;
            if (m.caught) ++caught;
            if (!m.caught)
                survivors.push_back(std::string{all_checks()[i].id} + " " + std::to_string(m.at) + " " + name_of(m.kind));
        }
    }
    for (const auto& [kind, counts] : by_kind)
        std::printf("%-12s %4zu of %4zu caught\n", kind.c_str(), counts.first, counts.second);
    for (const std::string& s : survivors) std::printf("survived: %s\n", s.c_str());
}

}  // namespace
}  // namespace hyperstep::vmx
