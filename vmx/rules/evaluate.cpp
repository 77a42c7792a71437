#include "vmx/rules/evaluate.hpp"

#include <algorithm>
#include <array>

#include "vmx/rules/check_code.hpp"
#include "vmx/rules/views.hpp"

namespace hyperstep::vmx {
namespace {

Standing standing(const CheckCode<PartialView>& code, const PartialView& view) {
    const Truth applies = code.applies(view);
    const Truth holds = code.holds(view);
    if (applies == Truth::no) return Standing::not_applicable;
    if (holds == Truth::yes) return Standing::holds;
    if (holds == Truth::no && applies == Truth::yes) return Standing::broken;
    return Standing::unknown;
}

void show_entry(State& state, std::uint32_t number, const MsrEntry& entry) {
    state.set(Slot::msr_entry_number, number);
    state.set(Slot::msr_entry_index, entry.index);
    state.set(Slot::msr_entry_reserved, entry.reserved);
    state.set(Slot::msr_entry_value, entry.value);
}

void show_unknown_entry(State& state) {
    for (const Slot s :
         {Slot::msr_entry_number, Slot::msr_entry_index, Slot::msr_entry_reserved, Slot::msr_entry_value})
        state.forget(s);
}

/// The state as the msr-load checks see it before any entry: number 0.
State without_entry(const State& state) {
    State copy = state;
    show_entry(copy, 0, {});
    return copy;
}

/// How many entries of the area the count field and the list give us to look at.
std::size_t entries_to_look_at(const State& state) {
    const PartialWord count = state[Slot::entry_msr_load_count];
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(count.most(), max_msr_entries));
    return std::min(state.msr_load.size(), most);
}

/// True if the count field, as far as it is known, leaves open whether entry `number` (from 1) is loaded.
bool may_be_beyond_count(const State& state, std::size_t number) {
    return state[Slot::entry_msr_load_count].least() < number;
}

/// True if the area may hold entries that the list does not have.
bool more_entries_possible(const State& state) {
    const PartialWord count = state[Slot::entry_msr_load_count];
    if (count.most() <= state.msr_load.size()) return false;
    return !state.msr_load_complete || count.least() > state.msr_load.size();
}

/// An msr-load check over all entries.
Finding over_entries(const CheckCode<PartialView>& code, const State& state) {
    State copy = without_entry(state);
    const PartialView view{copy};
    Finding finding{standing(code, view), 0};
    for (std::size_t i = 0; i < entries_to_look_at(state) && finding.standing != Standing::broken; ++i) {
        show_entry(copy, static_cast<std::uint32_t>(i + 1), state.msr_load[i]);
        Standing here = standing(code, view);
        if (here == Standing::broken && may_be_beyond_count(state, i + 1)) here = Standing::unknown;
        if (here == Standing::broken) finding = {here, static_cast<std::uint32_t>(i + 1)};
        if (here == Standing::unknown || finding.standing == Standing::not_applicable)
            finding.standing = here;
    }
    if (finding.standing == Standing::broken || !more_entries_possible(state)) return finding;
    show_unknown_entry(copy);
    const Standing beyond = standing(code, view);
    if (beyond == Standing::unknown || finding.standing == Standing::not_applicable)
        finding.standing = beyond;
    return finding;
}

Finding evaluate_with(const CheckCode<PartialView>& code,
                      Stage stage,
                      const State& state,
                      const PartialView& view) {
    if (stage == Stage::msr_load) return over_entries(code, state);
    return {standing(code, view), 0};
}

/// The order of stages that the options choose.
std::array<Stage, 4> stage_order(const State& state) {
    if (state[Slot::opt_host_before_controls].value == 1)
        return {Stage::instruction, Stage::host, Stage::control, Stage::guest};
    return {Stage::instruction, Stage::control, Stage::host, Stage::guest};
}

/// How many entries are loaded before the count itself fails: 512 * (N + 1), N being IA32_VMX_MISC[27:25] or
/// what it may be at most. Whether it fails is for load.msr.count_limit to say.
std::size_t entries_before_limit(const State& state) {
    if (state[Slot::opt_msr_count].value == 1) return max_msr_entries;
    return 512 * (static_cast<std::size_t>(state[Slot::vmx_misc][VmxMisc::msr_list].most()) + 1);
}

/// The entry at which an excessive count fails: the first beyond the limit; 0 if the limit is not known.
std::uint32_t entry_beyond_limit(const State& state) {
    if (!state[Slot::vmx_misc][VmxMisc::msr_list].fully_known()) return 0;
    return static_cast<std::uint32_t>(entries_before_limit(state)) + 1;
}

/// The first check that the MSR-load area breaks: entry by entry, each against all rules, then the area as a
/// whole.
std::optional<Failure> first_broken_entry(const State& state) {
    State copy = without_entry(state);
    const PartialView view{copy};
    const auto code = check_code<PartialView>();
    const auto checks = all_checks();
    const auto broken_here = [&](std::uint32_t number) -> std::optional<Failure> {
        for (std::size_t i = 0; i < checks.size(); ++i)
            if (checks[i].stage == Stage::msr_load && standing(code[i], view) == Standing::broken)
                return Failure{i, number};
        return std::nullopt;
    };
    const std::size_t entries = std::min(entries_to_look_at(state), entries_before_limit(state));
    for (std::size_t i = 0; i < entries && !may_be_beyond_count(state, i + 1); ++i) {
        show_entry(copy, static_cast<std::uint32_t>(i + 1), state.msr_load[i]);
        if (const auto failure = broken_here(static_cast<std::uint32_t>(i + 1))) return failure;
    }
    show_entry(copy, 0, {});
    return broken_here(entry_beyond_limit(state));
}

namespace exact {
using namespace vocabulary;
using enum Slot;

// One function for each stage, its checks inlined one after the other: the position of the first that is
// broken.
#define CHECK(id, section, outcome, when, rule, reads, applies, holds) \
    if constexpr (stage_of(#id) == Only) {                             \
        if ((applies) && !(holds)) return row;                         \
    }                                                                  \
    ++row;

template <Stage Only>
std::size_t first_in_stage(const ExactView& v) {
    using W = ExactWord;
    std::size_t row = 0;
#include "vmx/rules/entry_checks/all.def"
    return row;
}
#undef CHECK
}  // namespace exact

std::size_t first_in_stage(Stage stage, const ExactView& view) {
    switch (stage) {
        case Stage::instruction: return exact::first_in_stage<Stage::instruction>(view);
        case Stage::control: return exact::first_in_stage<Stage::control>(view);
        case Stage::host: return exact::first_in_stage<Stage::host>(view);
        case Stage::guest: return exact::first_in_stage<Stage::guest>(view);
        case Stage::msr_load: break;
    }
    return all_checks().size();
}

}  // namespace

std::string_view to_string(Standing s) {
    constexpr std::array<std::string_view, 4> words{"not applicable", "holds", "broken", "unknown"};
    return words.at(static_cast<std::size_t>(s));
}

const EntryCheck& check_of(const Failure& f) {
    return all_checks()[f.check];
}

std::uint64_t qualification_of(const Failure& f) {
    const Outcome& outcome = check_of(f).outcome;
    if (outcome.kind != Outcome::Kind::entry_failure) return 0;
    return outcome.number == 34 ? f.msr_entry : outcome.qualification;
}

std::optional<Failure> first_broken_exact(const State& state) {
    const ExactView view{state.values()};
    for (const Stage stage : stage_order(state)) {
        const std::size_t row = first_in_stage(stage, view);
        if (row < all_checks().size()) return Failure{row, 0};
    }
    if (view.values[position(Slot::entry_msr_load_count)] == 0) return std::nullopt;
    return first_broken_entry(state);
}

std::optional<Failure> first_broken(const State& state) {
    const auto code = check_code<PartialView>();
    const auto checks = all_checks();
    const PartialView view{state};
    for (const Stage stage : stage_order(state))
        for (std::size_t i = 0; i < checks.size(); ++i)
            if (checks[i].stage == stage && standing(code[i], view) == Standing::broken) return Failure{i, 0};
    return first_broken_entry(state);
}

std::vector<Finding> evaluate_all(const State& state) {
    const auto code = check_code<PartialView>();
    const auto checks = all_checks();
    const PartialView view{state};
    std::vector<Finding> findings;
    findings.reserve(checks.size());
    for (std::size_t i = 0; i < checks.size(); ++i)
        findings.push_back(evaluate_with(code[i], checks[i].stage, state, view));
    return findings;
}

Finding evaluate(std::size_t check, const State& state) {
    return evaluate_with(
        check_code<PartialView>()[check], all_checks()[check].stage, state, PartialView{state});
}

std::vector<Slot> unknown_reads(std::size_t check, const State& state) {
    std::vector<Slot> slots;
    for (const Slot s : all_checks()[check].reads)
        if (!state.knows(s)) slots.push_back(s);
    return slots;
}

}  // namespace hyperstep::vmx
