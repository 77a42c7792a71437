#include "explain/report_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explain/report_words.hpp"

namespace hyperstep::explain {
namespace {

using nlohmann::ordered_json;
using vmx::Slot;

std::string hex(std::uint64_t number) {
    return fmt::format("{:#x}", number);
}

template <class T>
ordered_json hex_or_null(const std::optional<T>& number) {
    if (!number) return nullptr;
    return hex(*number);
}

std::string id_of(std::size_t check) {
    return std::string{vmx::all_checks()[check].id};
}
std::string name_of(Slot s) {
    return std::string{vmx::info(s).name};
}

ordered_json reported(const Reported& r) {
    return {{"reason", hex_or_null(r.reason)},
            {"qualification", hex_or_null(r.qualification)},
            {"instruction_error", hex_or_null(r.instruction_error)},
            {"entry_failed", r.entry_failed}};
}

ordered_json broken(const JudgedDump& judged) {
    ordered_json rows = ordered_json::array();
    for (const BrokenRule& b : judged.verdict.broken) {
        const vmx::EntryCheck& check = vmx::all_checks()[b.check];
        ordered_json fields = ordered_json::object();
        for (const Slot s : check.reads)
            if (vmx::field_in(s) && judged.state.knows(s)) fields[name_of(s)] = hex(judged.state[s].value);
        rows.push_back({{"id", std::string{check.id}},
                        {"section", std::string{vmx::title(check.section)}},
                        {"rule", std::string{check.rule}},
                        {"fields", std::move(fields)},
                        {"fix", fix_in_words(b, judged.state)}});
        if (b.msr_entry != 0) rows.back()["msr_entry"] = b.msr_entry;
    }
    return rows;
}

ordered_json unknown_row(const UnknownRule& rule, bool possible_cause) {
    ordered_json needs = ordered_json::array();
    for (const Slot s : rule.needs) needs.push_back(name_of(s));
    return {{"id", id_of(rule.check)}, {"needs", std::move(needs)}, {"possible_cause", possible_cause}};
}

/// Every rule that cannot be told, in architectural order.
ordered_json unknown(const Verdict& verdict) {
    ordered_json rows = ordered_json::array();
    auto besides = verdict.unknown_besides.begin();
    const auto end = verdict.unknown_besides.end();
    for (const UnknownRule& rule : verdict.unknown) {
        for (; besides != end && besides->check < rule.check; ++besides)
            rows.push_back(unknown_row(*besides, false));
        rows.push_back(unknown_row(rule, true));
    }
    for (; besides != end; ++besides) rows.push_back(unknown_row(*besides, false));
    return rows;
}

ordered_json parts(const std::vector<vmx::DecodedBits>& decoded) {
    ordered_json rows = ordered_json::array();
    for (const vmx::DecodedBits& bits : decoded)
        rows.push_back({{"name", std::string{bits.name}},
                        {"high", bits.high},
                        {"low", bits.low},
                        {"value", hex(bits.value)},
                        {"meaning", std::string{bits.words}}});
    return rows;
}

ordered_json exit(const Dump& dump) {
    const auto record = reported_exit(dump);
    if (!record) return nullptr;
    const auto* row = vmx::find_exit_reason(vmx::basic_reason(record->exit_reason));
    ordered_json object;
    object["reason"] = row != nullptr ? ordered_json(std::string{row->short_name}) : ordered_json(nullptr);
    object["number"] = vmx::basic_reason(record->exit_reason);
    object["name"] = row != nullptr ? ordered_json(std::string{row->name}) : ordered_json(nullptr);
    object["sentence"] = vmx::sentence(*record);
    object["qualification"] = hex_or_null(record->qualification);
    object["qualification_bits"] =
        record->qualification
            ? parts(vmx::decode_qualification(
                  record->exit_reason, *record->qualification, record->interruption_info.value_or(0)))
            : ordered_json::array();
    ordered_json fields = ordered_json::object();
    for (const Slot s : exit_fields(dump)) fields[name_of(s)] = hex(dump.state[s].value);
    object["fields"] = std::move(fields);
    return object;
}

ordered_json rules(const Verdict& verdict) {
    ordered_json rows = ordered_json::array();
    for (std::size_t i = 0; i < verdict.findings.size(); ++i)
        rows.push_back(
            {{"id", id_of(i)}, {"standing", std::string{vmx::to_string(verdict.findings[i].standing)}}});
    return rows;
}

ordered_json dump_object(const JudgedDump& judged, Listing listing) {
    const Dump& dump = judged.dump;
    ordered_json object;
    object["format"] = std::string{to_string(dump.format)};
    object["line_first"] = dump.line_first;
    object["line_last"] = dump.line_last;
    object["reported"] = reported(dump.reported);
    object["verdict"] = std::string{to_string(judged.verdict.conclusion)};
    object["broken"] = broken(judged);
    object["unknown"] = unknown(judged.verdict);
    object["agrees"] = judged.verdict.agrees ? ordered_json(*judged.verdict.agrees) : ordered_json(nullptr);
    ordered_json suspects = ordered_json::array();
    for (const std::size_t check : judged.verdict.suspects) suspects.push_back(id_of(check));
    object["suspects"] = std::move(suspects);
    object["exit"] = exit(dump);
    if (listing == Listing::all_rules) object["rules"] = rules(judged.verdict);
    if (!dump.remarks.empty()) object["remarks"] = dump.remarks;
    return object;
}

}  // namespace

std::string report_json(std::span<const JudgedDump> dumps, Listing listing) {
    ordered_json object;
    object["schema"] = "hyperstep/explain/1";
    ordered_json& rows = object["dumps"] = ordered_json::array();
    for (const JudgedDump& judged : dumps) rows.push_back(dump_object(judged, listing));
    // A message or remark may quote bytes of the input that are no UTF-8.
    return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace hyperstep::explain
