#include "explain/tables_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "vmx/rules/control_dependencies.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

std::string width_in_words(vmx::FieldWidth w) {
    return w == vmx::FieldWidth::natural ? "natural" : fmt::format("{}-bit", to_string(w));
}

}  // namespace

std::string rules_text(std::span<const RuleRow* const> rows) {
    std::size_t longest = 0;
    for (const RuleRow* row : rows) longest = std::max(longest, row->id.size());
    std::string text;
    for (const RuleRow* row : rows) text += fmt::format("{:<{}}  {}\n", row->id, longest, row->rule);
    return text;
}

std::string rule_text(const RuleRow& row) {
    std::string text = fmt::format("{}\n  {}\n  table:   {}\n  section: {}\n  outcome: {}\n",
                                   row.id,
                                   row.rule,
                                   row.table,
                                   row.section,
                                   row.outcome);
    if (!row.reads.empty()) text += fmt::format("  reads:   {}\n", fmt::join(row.reads, ", "));
    if (!row.options.empty()) text += fmt::format("  options: {}\n", fmt::join(row.options, ", "));
    return text;
}

std::string coverage_text(const std::map<std::string, TableCoverage>& tables) {
    std::string text;
    for (const auto& [name, table] : tables) {
        text += fmt::format("{}: {} of {}\n", name, table.hit, table.total);
        for (const std::string& id : table.missing) text += fmt::format("  missing: {}\n", id);
    }
    return text;
}

std::string quirks_text() {
    std::string text =
        "Deviations from the hardware: none.\nOptions, where the manual leaves something open (the first "
        "choice is the default):\n";
    for (const vmx::OptionInfo& o : vmx::all_options())
        text += fmt::format("  {} = {} | {}\n      {}\n", o.name, o.choices[0], o.choices[1], o.meaning);
    return text;
}

std::string fields_text(const vmx::Capabilities* cpu) {
    std::string text = fmt::format(
        "{:<8} {:<8} {:<8} {:<8} {:<28} {}\n", "encoding", "high", "width", "type", "name", "title");
    for (const vmx::FieldInfo& f : vmx::all_fields()) {
        const auto high = high_encoding(f.field);
        std::string title{f.name};
        if (cpu != nullptr) {
            const vmx::Truth exists = field_exists(*cpu, f.field);
            if (exists == vmx::Truth::no) title += " [does not exist on this processor]";
            if (exists == vmx::Truth::unknown) title += " [not on every processor]";
        }
        text += fmt::format("{:<8} {:<8} {:<8} {:<8} {:<28} {}\n",
                            fmt::format("{:#06x}", encoding(f.field)),
                            high ? fmt::format("{:#06x}", *high) : "-",
                            width_in_words(width_of(f.field)),
                            to_string(type_of(f.field)),
                            f.short_name,
                            title);
    }
    return text;
}

std::string encoding_text(std::uint32_t encoding) {
    std::string text = fmt::format("{:#06x}: index {}, type {}, width {}, access {}\n",
                                   encoding,
                                   encoding >> 1U & 0x1ffU,
                                   to_string(static_cast<vmx::FieldType>(encoding >> 10U & 3U)),
                                   width_in_words(static_cast<vmx::FieldWidth>(encoding >> 13U & 3U)),
                                   (encoding & 1U) != 0 ? "high (bits 63:32)" : "full");
    const auto field = vmx::field_with_encoding(encoding);
    if (!field) return text + "no field has this encoding\n";
    const vmx::FieldInfo& row = vmx::info(*field);
    return text + fmt::format("{} ({})\n", row.short_name, row.name);
}

std::string field_text(vmx::Field f) {
    std::string text = fmt::format("{:#06x}", encoding(f));
    if (const auto high = high_encoding(f)) text += fmt::format(" (bits 63:32: {:#06x})", *high);
    return text + '\n';
}

std::string processors_text() {
    std::string text;
    for (const vmx::PresetInfo& p : vmx::all_presets()) text += fmt::format("{:<14} {}\n", p.name, p.meaning);
    return text;
}

std::string processor_text(const NamedProcessor& cpu) {
    std::string text = fmt::format("{}: {}\n\nMSRs\n", cpu.name, cpu.meaning);
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability))
        if (vmx::info(s).number != 0)
            text += fmt::format("  {:#x}  {:<28}  {}\n",
                                vmx::info(s).number,
                                vmx::info(s).name,
                                capability_in_words(cpu.capabilities, s));
    text += "\nCPUID and others\n";
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability))
        if (vmx::info(s).number == 0)
            text +=
                fmt::format("  {:<36}  {}\n", vmx::info(s).name, capability_in_words(cpu.capabilities, s));
    text += "\nControls\n";
    for (const vmx::ControlInfo& c : vmx::all_controls()) {
        const std::string needs = vmx::dependencies_of(c.control);
        text += fmt::format("  {:<40}  {}{}\n",
                            c.short_name,
                            to_string(setting_of(cpu.capabilities, c.control)),
                            needs.empty() ? "" : " (" + needs + ")");
    }
    text += "\nBits of the capability MSRs\n";
    for (const vmx::CapabilityPart& p : vmx::all_capability_parts()) {
        if (p.is_whole_word()) continue;
        const auto value = part_of(cpu.capabilities, p);
        text += fmt::format("  {:<24}  {:<8}  {}\n",
                            p.short_name,
                            value ? fmt::format("{:#x}", *value) : "unknown",
                            p.meaning);
    }
    return text;
}

std::string differences_text(const NamedProcessor& a, const NamedProcessor& b) {
    const auto found = differences(a.capabilities, b.capabilities);
    if (found.empty()) return {};
    std::string text = fmt::format("{:<42} {:<20} {}\n", "", a.name, b.name);
    for (const CapabilityDifference& d : found) text += fmt::format("{:<42} {:<20} {}\n", d.name, d.a, d.b);
    return text;
}

}  // namespace hyperstep::explain
