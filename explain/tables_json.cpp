#include "explain/tables_json.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace hyperstep::explain {
namespace {

using nlohmann::ordered_json;
using vmx::Slot;

std::string hex(std::uint64_t number) {
    return fmt::format("{:#x}", number);
}

ordered_json truth_json(vmx::Truth t) {
    if (t == vmx::Truth::unknown) return nullptr;
    return t == vmx::Truth::yes;
}

ordered_json field_object(const vmx::FieldInfo& f) {
    ordered_json object{{"name", std::string{f.short_name}}, {"encoding", hex(encoding(f.field))}};
    object["high"] = nullptr;
    if (const auto high = high_encoding(f.field)) object["high"] = hex(*high);
    object["width"] = std::string{to_string(width_of(f.field))};
    object["type"] = std::string{to_string(type_of(f.field))};
    object["index"] = index_of(f.field);
    object["title"] = std::string{f.name};
    return object;
}

ordered_json capability_value(const vmx::Capabilities& cpu, Slot s) {
    if (!cpu[s].fully_known()) return nullptr;
    const std::uint64_t value = cpu[s].value;
    const bool is_mask = vmx::info(s).name.starts_with("valid bits");
    if (vmx::info(s).number != 0 || is_mask) return hex(value);
    return value;
}

}  // namespace

std::string rules_json(std::span<const RuleRow* const> rows) {
    ordered_json rules = ordered_json::array();
    for (const RuleRow* row : rows)
        rules.push_back({{"id", row->id},
                         {"table", row->table},
                         {"section", row->section},
                         {"rule", row->rule},
                         {"outcome", row->outcome},
                         {"reads", row->reads},
                         {"options", row->options}});
    return ordered_json{{"schema", "hyperstep/rules/1"}, {"rules", std::move(rules)}}.dump();
}

std::string coverage_json(const std::map<std::string, TableCoverage>& tables) {
    ordered_json object = ordered_json::object();
    for (const auto& [name, table] : tables)
        object[name] = {{"total", table.total}, {"hit", table.hit}, {"missing", table.missing}};
    return ordered_json{{"schema", "hyperstep/rules/1"}, {"tables", std::move(object)}}.dump();
}

std::string quirks_json() {
    ordered_json options = ordered_json::array();
    for (const vmx::OptionInfo& o : vmx::all_options())
        options.push_back({{"name", std::string{o.name}},
                           {"default", std::string{o.choices[0]}},
                           {"choices", {std::string{o.choices[0]}, std::string{o.choices[1]}}},
                           {"meaning", std::string{o.meaning}}});
    return ordered_json{
        {"schema", "hyperstep/rules/1"}, {"quirks", ordered_json::array()}, {"options", std::move(options)}}
        .dump();
}

tl::expected<void, TextError> add_coverage(std::string_view lines, std::set<std::string, std::less<>>& hit) {
    std::size_t number = 0;
    while (!lines.empty()) {
        ++number;
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const auto object = nlohmann::json::parse(line, nullptr, false);
        const auto id = object.is_object() ? object.find("id") : object.end();
        if (!object.is_object() || id == object.end() || !id->is_string())
            return tl::unexpected{TextError{
                number, R"(expected a line such as {"id":"guest.cr0.pg_needs_pe","outcome":"..."})"}};
        hit.insert(id->get<std::string>());
    }
    return {};
}

std::string fields_json(const vmx::Capabilities* cpu) {
    ordered_json fields = ordered_json::array();
    for (const vmx::FieldInfo& f : vmx::all_fields()) {
        fields.push_back(field_object(f));
        if (cpu != nullptr) fields.back()["exists"] = truth_json(field_exists(*cpu, f.field));
    }
    return ordered_json{{"schema", "hyperstep/vmcs/1"}, {"fields", std::move(fields)}}.dump();
}

std::string encoding_json(std::uint32_t encoding) {
    const auto field = vmx::field_with_encoding(encoding);
    ordered_json object{{"schema", "hyperstep/vmcs/1"}, {"encoding", hex(encoding)}};
    object["access"] = (encoding & 1U) != 0 ? "high" : "full";
    object["field"] = nullptr;
    if (field) object["field"] = field_object(vmx::info(*field));
    return object.dump();
}

std::string processors_json() {
    ordered_json cpus = ordered_json::array();
    for (const vmx::PresetInfo& p : vmx::all_presets())
        cpus.push_back({{"name", std::string{p.name}}, {"meaning", std::string{p.meaning}}});
    return ordered_json{{"schema", "hyperstep/cpu/1"}, {"cpus", std::move(cpus)}}.dump();
}

std::string processor_json(const NamedProcessor& cpu) {
    ordered_json object{{"schema", "hyperstep/cpu/1"}, {"name", cpu.name}, {"meaning", cpu.meaning}};
    ordered_json msrs = ordered_json::object();
    ordered_json facts = ordered_json::object();
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const vmx::SlotInfo& row = vmx::info(s);
        if (row.number != 0)
            msrs[hex(row.number)] = capability_value(cpu.capabilities, s);
        else
            facts[std::string{row.name}] = capability_value(cpu.capabilities, s);
    }
    object["msrs"] = std::move(msrs);
    object["facts"] = std::move(facts);
    ordered_json controls = ordered_json::array();
    for (const vmx::ControlInfo& c : vmx::all_controls())
        controls.push_back({{"name", std::string{c.short_name}},
                            {"title", std::string{c.name}},
                            {"allowed", truth_json(cpu.capabilities.allows(c.control))},
                            {"required", truth_json(cpu.capabilities.requires_1(c.control))}});
    object["controls"] = std::move(controls);
    ordered_json parts = ordered_json::array();
    for (const vmx::CapabilityPart& p : vmx::all_capability_parts()) {
        if (p.is_whole_word()) continue;
        parts.push_back(
            {{"name", std::string{p.short_name}}, {"value", nullptr}, {"meaning", std::string{p.meaning}}});
        if (const auto value = part_of(cpu.capabilities, p)) parts.back()["value"] = *value;
    }
    object["capabilities"] = std::move(parts);
    return object.dump();
}

std::string differences_json(const NamedProcessor& a, const NamedProcessor& b) {
    ordered_json rows = ordered_json::array();
    for (const CapabilityDifference& d : differences(a.capabilities, b.capabilities))
        rows.push_back({{"name", d.name}, {"a", d.a}, {"b", d.b}});
    return ordered_json{
        {"schema", "hyperstep/cpu/1"}, {"a", a.name}, {"b", b.name}, {"differences", std::move(rows)}}
        .dump();
}

std::string boundary_json(const vmx::Boundary& boundary, BoundarySide side) {
    const bool broken = side == BoundarySide::broken;
    ordered_json also = ordered_json::array();
    if (broken)
        for (const std::string_view id : boundary.also_broken) also.push_back(std::string{id});
    const vmx::State state = broken ? broken_state(boundary) : twin_state(boundary);
    const ordered_json head{{"schema", "hyperstep/generate/1"},
                            {"rule", std::string{boundary.id}},
                            {"side", broken ? "broken" : "twin"},
                            {"also_broken", std::move(also)}};
    std::string line = head.dump();
    line.pop_back();
    return line + ",\"state\":" + write_state(state, "all") + "}";
}

}  // namespace hyperstep::explain
