#include "explain/entry_check_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explain/field_bits.hpp"
#include "explain/repair.hpp"
#include "explain/report_words.hpp"

namespace hyperstep::explain {
namespace {

using nlohmann::ordered_json;
using vmx::Outcome;
using vmx::Slot;

constexpr unsigned exit_of_vmlaunch = 20;
constexpr unsigned exit_of_vmresume = 24;
constexpr std::uint32_t entry_failure_bit = 0x8000'0000;

std::uint32_t exit_reason_of(const vmx::EntryCheck& check, const vmx::State& state) {
    if (check.outcome.kind == Outcome::Kind::entry_failure) return entry_failure_bit | check.outcome.number;
    return state[Slot::instruction].value == 0 ? exit_of_vmlaunch : exit_of_vmresume;
}

void add_outcome(ordered_json& object, const vmx::Failure& failure, const vmx::State& state) {
    const vmx::EntryCheck& check = check_of(failure);
    switch (check.outcome.kind) {
        case Outcome::Kind::none: object["outcome"] = "enter"; break;
        case Outcome::Kind::fault:
            object["outcome"] = "fault";
            object["vector"] = check.outcome.number;
            break;
        case Outcome::Kind::vmfail_invalid: object["outcome"] = "vmfail_invalid"; break;
        case Outcome::Kind::vmfail_valid:
            object["outcome"] = "vmfail_valid";
            object["error"] = check.outcome.number;
            break;
        case Outcome::Kind::vm_exit:
        case Outcome::Kind::entry_failure:
            object["outcome"] = "exit";
            object["reason"] = exit_reason_of(check, state);
            object["qualification"] = fmt::format("{:#x}", qualification_of(failure));
            break;
    }
}

ordered_json row_json(const StandingRow& row, const vmx::State& state) {
    const vmx::EntryCheck& check = vmx::all_checks()[row.check];
    ordered_json fields = ordered_json::object();
    for (const Slot s : check.reads)
        if (vmx::field_in(s) && state.knows(s))
            fields[std::string{vmx::info(s).name}] = fmt::format("{:#x}", state[s].value);
    ordered_json object{{"id", std::string{check.id}},
                        {"standing", std::string{to_string(row.standing)}},
                        {"section", std::string{vmx::title(check.section)}},
                        {"rule", std::string{check.rule}},
                        {"outcome", to_string(check.outcome)},
                        {"fields", std::move(fields)}};
    if (row.standing == vmx::Standing::broken) object["fix"] = row.fix;
    if (row.standing == vmx::Standing::unknown) {
        ordered_json needs = ordered_json::array();
        for (const Slot s : vmx::unknown_reads(row.check, state))
            needs.push_back(std::string{vmx::info(s).name});
        object["needs"] = std::move(needs);
    }
    return object;
}

std::string row_text(const StandingRow& row, const vmx::State& state) {
    const vmx::EntryCheck& check = vmx::all_checks()[row.check];
    std::string text = fmt::format("{}: {}\n  {}{}{}\n  SDM \"{}\"; {}\n",
                                   check.id,
                                   to_string(row.standing),
                                   check.when,
                                   check.when.empty() ? "" : ": ",
                                   check.rule,
                                   vmx::title(check.section),
                                   to_string(check.outcome));
    for (const Slot s : check.reads)
        if (vmx::field_in(s) && state.knows(s))
            text += fmt::format("  {} = {}\n", vmx::info(s).name, value_in_words(s, state[s].value));
    if (!row.fix.empty()) text += "  smallest change: " + row.fix + '\n';
    return text;
}

}  // namespace

EntryTrial try_entry(const vmx::State& state) {
    EntryTrial trial;
    trial.first = first_broken(state);
    const std::vector<vmx::Finding> findings = evaluate_all(state);
    bool open = false;
    for (std::size_t i = 0; i < findings.size(); ++i) {
        const vmx::Standing standing = findings[i].standing;
        if (standing != vmx::Standing::broken && standing != vmx::Standing::unknown) continue;
        std::string fix;
        if (standing == vmx::Standing::broken)
            fix = fix_in_words({i, findings[i].msr_entry, find_repair(i, state, findings)}, state);
        trial.rows.push_back({i, standing, std::move(fix)});
        open = open || standing == vmx::Standing::unknown;
    }
    if (trial.first)
        trial.result = EntryTrial::Result::refused;
    else if (!open)
        trial.result = EntryTrial::Result::enters;
    return trial;
}

std::string trial_json(const EntryTrial& trial, const vmx::State& state) {
    ordered_json object{{"schema", "hyperstep/vmcs/1"}, {"first", nullptr}};
    if (trial.first) {
        object["first"] = std::string{check_of(*trial.first).id};
        add_outcome(object, *trial.first, state);
        if (trial.first->msr_entry != 0) object["msr_entry"] = trial.first->msr_entry;
    } else {
        object["outcome"] = trial.result == EntryTrial::Result::enters ? "enter" : "unknown";
    }
    ordered_json rows = ordered_json::array();
    for (const StandingRow& row : trial.rows) rows.push_back(row_json(row, state));
    object["rows"] = std::move(rows);
    return object.dump();
}

std::string trial_text(const EntryTrial& trial, const vmx::State& state) {
    std::string text;
    if (trial.first) {
        const vmx::EntryCheck& check = check_of(*trial.first);
        text = fmt::format("refused: {}, first broken rule {}\n", to_string(check.outcome), check.id);
        if (trial.first->msr_entry != 0) text += fmt::format("MSR-load entry {}\n", trial.first->msr_entry);
    } else if (trial.result == EntryTrial::Result::enters) {
        return "enters: every rule holds\n";
    } else {
        text =
            "no rule is broken, but the state leaves some open; say \"complete\": true if what it leaves out "
            "is 0\n";
    }
    std::size_t unknown = 0;
    for (const StandingRow& row : trial.rows) {
        if (row.standing == vmx::Standing::broken)
            text += "\n" + row_text(row, state);
        else
            ++unknown;
    }
    if (unknown > 0) text += fmt::format("\n{} rules cannot be told (--json names them)\n", unknown);
    return text;
}

}  // namespace hyperstep::explain
