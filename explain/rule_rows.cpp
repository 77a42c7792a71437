#include "explain/rule_rows.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <unordered_map>

#include "vmx/rules/capability_parts.hpp"
#include "vmx/rules/control_dependencies.hpp"
#include "vmx/rules/entry_check.hpp"
#include "vmx/rules/exit_reasons.hpp"
#include "vmx/rules/vm_instruction_errors.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

std::string named(std::string_view table, std::string_view short_name) {
    return fmt::format("{}.{}", table, short_name);
}

void add_entry_checks(std::vector<RuleRow>& rows) {
    for (const vmx::EntryCheck& check : vmx::all_checks()) {
        RuleRow row{std::string{check.id},
                    "entry_checks",
                    std::string{vmx::title(check.section)},
                    {},
                    to_string(check.outcome),
                    {},
                    {}};
        row.rule =
            check.when.empty() ? std::string{check.rule} : fmt::format("{}: {}", check.when, check.rule);
        for (const Slot s : check.reads) {
            const vmx::SlotInfo& slot = vmx::info(s);
            (slot.kind == vmx::SlotKind::option ? row.options : row.reads).emplace_back(slot.name);
        }
        rows.push_back(std::move(row));
    }
}

void add_fields(std::vector<RuleRow>& rows) {
    for (const vmx::FieldInfo& f : vmx::all_fields()) {
        std::string encodings = fmt::format("encoding {:#x}", encoding(f.field));
        if (const auto high = high_encoding(f.field)) encodings += fmt::format(", high {:#x}", *high);
        rows.push_back({named("vmcs_fields", f.short_name),
                        "vmcs_fields",
                        "Field Encoding in VMCS",
                        fmt::format("{}: {} field, {}",
                                    f.name,
                                    to_string(type_of(f.field)),
                                    width_of(f.field) == vmx::FieldWidth::natural
                                        ? std::string{"natural width"}
                                        : fmt::format("{} bits", to_string(width_of(f.field)))),
                        std::move(encodings),
                        {},
                        {}});
    }
}

std::string_view section_of(vmx::ControlWord w) {
    switch (w) {
        case vmx::ControlWord::exit:
        case vmx::ControlWord::exit2: return "VM-Exit Control Fields";
        case vmx::ControlWord::entry: return "VM-Entry Control Fields";
        case vmx::ControlWord::pin:
        case vmx::ControlWord::primary:
        case vmx::ControlWord::secondary:
        case vmx::ControlWord::tertiary: break;
    }
    return "VM-Execution Control Fields";
}

/// Runs of reserved bits that are one row with one id.
struct ReservedRun {
    vmx::ControlWord word;
    unsigned first, last;
};
constexpr ReservedRun reserved_runs[] = {
    {vmx::ControlWord::exit, 3, 8},
    {vmx::ControlWord::exit, 10, 11},
    {vmx::ControlWord::exit, 13, 14},
    {vmx::ControlWord::exit, 16, 17},
    {vmx::ControlWord::entry, 3, 8},
};
const ReservedRun* run_with(vmx::Control c) {
    for (const ReservedRun& run : reserved_runs)
        if (run.word == c.word && run.first <= c.bit && c.bit <= run.last) return &run;
    return nullptr;
}

void add_controls(std::vector<RuleRow>& rows) {
    for (const vmx::ControlInfo& c : vmx::all_controls()) {
        std::string short_name{c.short_name};
        std::string where = fmt::format("bit {}", c.control.bit);
        if (const ReservedRun* run = run_with(c.control)) {
            if (c.control.bit != run->first) continue;
            short_name = fmt::format("{}.rsvd{}_{}", to_string(run->word), run->first, run->last);
            where = fmt::format("bits {}:{}", run->last, run->first);
        }
        std::string rule = c.default1 == vmx::Default1::yes ? "reserved, must be 1" : std::string{c.name};
        if (c.default1 == vmx::Default1::clearable)
            rule += "; default 1, may be 0 where the TRUE capability MSR says so";
        if (const std::string needs = vmx::dependencies_of(c.control); !needs.empty()) rule += "; " + needs;
        rows.push_back({named("controls", short_name),
                        "controls",
                        std::string{section_of(c.control.word)},
                        std::move(rule),
                        fmt::format("{} of {}", where, vmx::info(field_of(c.control.word)).short_name),
                        {},
                        {}});
    }
}

std::vector<std::string> names_of(const vmx::ReadSet& slots) {
    std::vector<std::string> names;
    for (const Slot s : slots) names.emplace_back(vmx::info(s).name);
    return names;
}

void add_exit_reasons(std::vector<RuleRow>& rows) {
    for (const vmx::ExitReasonInfo& r : vmx::all_exit_reasons()) {
        std::string qualification;
        if (r.qualification != vmx::Layout::always_zero)
            qualification = fmt::format("; qualification: {}", vmx::meaning(r.qualification));
        rows.push_back({named("exit_reasons", r.short_name),
                        "exit_reasons",
                        "VMX Basic Exit Reasons",
                        fmt::format("{}: {}", r.name, r.when),
                        fmt::format("exit reason {}, {}{}", r.number, to_string(r.kind), qualification),
                        names_of(r.valid),
                        {}});
    }
}

void add_instruction_errors(std::vector<RuleRow>& rows) {
    for (const vmx::InstructionErrorInfo& e : vmx::all_instruction_errors())
        rows.push_back({named("vm_instruction_errors", e.short_name),
                        "vm_instruction_errors",
                        "VM Instruction Error Numbers",
                        e.instructions.empty() ? std::string{e.meaning}
                                               : fmt::format("{}: {}", e.instructions, e.meaning),
                        fmt::format("VM-instruction error {}", e.number),
                        {},
                        {}});
}

void add_capability_parts(std::vector<RuleRow>& rows) {
    for (const vmx::CapabilityPart& p : vmx::all_capability_parts()) {
        const std::string bits = p.is_whole_word() ? ""
                                 : p.high == p.low ? fmt::format("[{}]", p.low)
                                                   : fmt::format("[{}:{}]", p.high, p.low);
        rows.push_back({named("vmx_cap_msrs", p.short_name),
                        "vmx_cap_msrs",
                        "VMX Capability Reporting Facility",
                        std::string{p.meaning},
                        fmt::format("{}{} ({:#x})", vmx::info(p.msr).name, bits, vmx::info(p.msr).number),
                        {},
                        {}});
    }
}

std::vector<RuleRow> collect() {
    std::vector<RuleRow> rows;
    add_entry_checks(rows);
    add_fields(rows);
    add_controls(rows);
    add_exit_reasons(rows);
    add_instruction_errors(rows);
    add_capability_parts(rows);
    return rows;
}

bool contains(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

const std::vector<RuleRow>& all_rule_rows() {
    static const std::vector<RuleRow> rows = collect();
    return rows;
}

const RuleRow* find_rule_row(std::string_view id) {
    static const auto positions = [] {
        std::unordered_map<std::string_view, const RuleRow*> map;
        for (const RuleRow& row : all_rule_rows()) map.emplace(row.id, &row);
        return map;
    }();
    const auto found = positions.find(id);
    return found == positions.end() ? nullptr : found->second;
}

std::vector<std::string> all_rule_ids() {
    std::vector<std::string> ids;
    for (const RuleRow& row : all_rule_rows()) ids.push_back(row.id);
    return ids;
}

std::vector<const RuleRow*> rule_rows_with(std::string_view text) {
    std::vector<const RuleRow*> found;
    const auto has = [&](const std::string& part) { return contains(part, text); };
    for (const RuleRow& row : all_rule_rows())
        if (has(row.id) || has(row.section) || has(row.rule) || has(row.outcome) ||
            std::any_of(row.reads.begin(), row.reads.end(), has) ||
            std::any_of(row.options.begin(), row.options.end(), has))
            found.push_back(&row);
    return found;
}

std::map<std::string, TableCoverage> coverage_of(const std::set<std::string, std::less<>>& hit) {
    std::map<std::string, TableCoverage> tables;
    tables["entry_checks"];
    for (const std::string& id : hit)
        if (const RuleRow* row = find_rule_row(id)) tables[row->table];
    for (const RuleRow& row : all_rule_rows()) {
        const auto table = tables.find(row.table);
        if (table == tables.end()) continue;
        ++table->second.total;
        if (hit.contains(row.id))
            ++table->second.hit;
        else
            table->second.missing.push_back(row.id);
    }
    return tables;
}

}  // namespace hyperstep::explain
