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

// Do the boundary states notice a wrong predicate? Every operation of every predicate is done wrong once, and
// some state must then be judged differently: a rule's own broken state, one of its twins, or a valid state.
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

/// The rule is broken in this state, as the mutated code sees it. Sets what was mutated, and how many
/// operations ran.
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
    constexpr std::array names{"none",
                               "swap_field",
                               "other_bit",
                               "comparison",
                               "condition",
                               "negation",
                               "shift",
                               "choice",
                               "mask",
                               "width"};
    return names.at(static_cast<std::size_t>(kind));
}

/// Mutants that no state can tell from the rule, or only a state that breaks an earlier rule: how many, and
/// why.
struct Indistinguishable {
    std::string_view id;
    std::size_t most;
    std::string_view why;
};
constexpr Indistinguishable indistinguishable[] = {
    {"ctl.inject.errcode_forbidden_realmode",
     1,
     "only an option tells the two conditions apart; options_test.cpp does"},
    {"ctl.inject.errcode_required", 1, "only an option tells the slots apart; options_test.cpp does"},
    {"host.cr3.width", 1, "bit 0 of LAM's mask is 0 already"},
    {"guest.cr3.width", 1, "bit 0 of LAM's mask is 0 already"},
    {"guest.seg.cs.d_with_l",
     1,
     "virtual-8086 mode inside IA-32e mode breaks guest.rflags.vm_ia32e and a row of others"},
    {"guest.rflags.if_with_extint", 1, "type 1 is refused before"},
    {"guest.int.extint_sti_movss", 1, "type 1 is refused before"},
    {"guest.ssp.linear_width", 7, "the branch that option guest_ssp_rule chooses; options_test.cpp shows it"},
    {"guest.act.hlt_events", 3, "types 1 and 7 with another vector are refused before"},
    {"guest.nonreg.vmcs_link.not_vmxon", 1, "an executive-VMCS pointer of all ones is not aligned"},
    {"guest.pdpte.reserved_memory", 1, "the option's own condition; options_test.cpp shows it"},
    {"load.msr.reserved", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.fs_base", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.gs_base", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.x2apic", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.smm_monitor_ctl", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.model_specific", 1, "entry number and MSR are both not 0, but for MSR 0"},
    {"load.msr.count_limit", 2, "entry number and MSR are both not 0, but for MSR 0"},
    // A table of MSRs folded into one expression.
    {"load.msr.wrmsr_gp",
     120,
     "not looked at one by one: many are presence masks and neighbours of the table"},
};

std::size_t most_survivors(std::string_view id) {
    for (const Indistinguishable& row : indistinguishable)
        if (row.id == id) return row.most;
    return 0;
}

struct Score {
    std::size_t caught = 0, all = 0;
};

TEST(Mutations, AreCaught) {
    std::map<std::string, Score> by_kind;
    const auto witnesses = all_witnesses();
    for (std::size_t i = 0; i < all_checks().size(); ++i) {
        if (all_checks()[i].outcome.kind == Outcome::Kind::none) continue;
        std::vector<std::string> survivors;
        for (const Mutant& m : mutants_of(i, witnesses)) {
            Score& score = by_kind[name_of(m.kind)];
            ++score.all;
            if (m.caught) ++score.caught;
            if (!m.caught) survivors.push_back(name_of(m.kind) + " at operation " + std::to_string(m.at));
        }
        EXPECT_LE(survivors.size(), most_survivors(all_checks()[i].id))
            << all_checks()[i].id << ": no state notices " << testing::PrintToString(survivors);
    }
    for (const auto& [kind, score] : by_kind) {
        std::printf("%-12s %4zu of %4zu caught\n", kind.c_str(), score.caught, score.all);
        EXPECT_GE(score.caught * 100, score.all * 90) << kind;
        EXPECT_GE(score.all, 20U) << kind;
    }
    EXPECT_EQ(by_kind.size(), 9U) << "a kind of mutation was not tried";
}

}  // namespace
}  // namespace hyperstep::vmx
