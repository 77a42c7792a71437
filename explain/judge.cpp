#include <algorithm>
#include <array>

#include "explain/inference.hpp"
#include "explain/repair.hpp"
#include "explain/verdict.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Outcome;
using vmx::Standing;

constexpr std::uint32_t entry_failure = 0x8000'0000;

bool reports_failed_exit(const Reported& r) {
    return r.reason && (*r.reason & entry_failure) != 0;
}

/// What was reported is what the processor reports for this failure.
bool accounts_for(const vmx::Failure& failure, const Reported& reported) {
    const Outcome& outcome = check_of(failure).outcome;
    if (reports_failed_exit(reported)) {
        if (outcome.kind != Outcome::Kind::entry_failure || outcome.number != (*reported.reason & 0xffff))
            return false;
        return !reported.qualification || *reported.qualification == qualification_of(failure);
    }
    return outcome.kind == Outcome::Kind::vmfail_valid && reported.instruction_error == outcome.number;
}

/// Checks that only the reported qualification, or the MSR-load reason, belongs to.
bool is_suspect(const vmx::EntryCheck& check, const Reported& reported) {
    if (!reports_failed_exit(reported) || check.outcome.kind != Outcome::Kind::entry_failure) return false;
    if (check.outcome.number != (*reported.reason & 0xffff)) return false;
    if (check.outcome.number == 34) return true;
    return reported.qualification.value_or(0) != 0 && check.outcome.qualification == reported.qualification;
}

std::optional<bool> agreement(const Verdict& verdict, const Reported& reported) {
    const bool numbers = reported.reason || reported.instruction_error.value_or(0) != 0;
    if (!numbers || verdict.broken.empty()) return std::nullopt;
    return std::any_of(verdict.broken.begin(), verdict.broken.end(), [&](const BrokenRule& b) {
        return accounts_for(vmx::Failure{b.check, b.msr_entry}, reported);
    });
}

/// What an unknown check still depends on. An entry of the MSR-load area is named by its index and value
/// only.
std::vector<vmx::Slot> needs_of(std::size_t check, const vmx::State& state) {
    std::vector<vmx::Slot> needs = unknown_reads(check, state);
    if (vmx::all_checks()[check].stage != vmx::Stage::msr_load) return needs;
    std::erase(needs, vmx::Slot::msr_entry_number);
    const auto counted = std::find(needs.begin(), needs.end(), vmx::Slot::entry_msr_load_count);
    if (counted == needs.end() && !state.knows(vmx::Slot::entry_msr_load_count))
        needs.insert(needs.begin(), vmx::Slot::entry_msr_load_count);
    return needs;
}

}  // namespace

std::string_view to_string(Conclusion c) {
    constexpr std::array<std::string_view, 3> words{"holds", "broken", "unknown"};
    return words.at(static_cast<std::size_t>(c));
}

vmx::State judged_state(const Dump& dump, const vmx::Capabilities& cpu) {
    vmx::State state = dump.state;
    if (cpu != vmx::Capabilities()) install(state, cpu);
    infer_processor(state, dump);
    return state;
}

Verdict judge(const Dump& dump, const vmx::Capabilities& cpu) {
    if (dump.reported.svm) {
        Verdict nothing;
        nothing.findings = evaluate_all(vmx::State{});
        return nothing;
    }
    const vmx::State state = judged_state(dump, cpu);
    const Reach reach = reach_of(dump.reported);
    const auto checks = vmx::all_checks();
    Verdict verdict;
    verdict.findings = evaluate_all(state);
    for (std::size_t i = 0; i < checks.size(); ++i) {
        const vmx::Finding& finding = verdict.findings[i];
        if (finding.standing == Standing::broken && checks[i].outcome.kind != Outcome::Kind::none)
            verdict.broken.push_back({i, finding.msr_entry, find_repair(i, state, verdict.findings)});
        if (finding.standing == Standing::unknown) {
            auto& rows = may_be_cause(checks[i].stage, reach) ? verdict.unknown : verdict.unknown_besides;
            rows.push_back({i, needs_of(i, state)});
        }
        if (is_suspect(checks[i], dump.reported)) verdict.suspects.push_back(i);
    }
    if (!verdict.broken.empty())
        verdict.conclusion = Conclusion::broken;
    else
        verdict.conclusion = dump.reported.entry_failed ? Conclusion::unknown : Conclusion::holds;
    verdict.agrees = agreement(verdict, dump.reported);
    return verdict;
}

}  // namespace hyperstep::explain
