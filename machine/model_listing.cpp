#include "machine/model_listing.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <vector>

#include "cpu/msrs.hpp"

namespace hyperstep::machine {
namespace {

using cpu::Feature;
using cpu::Model;
using nlohmann::ordered_json;

using Features = decltype(Model::features);

std::vector<Feature> list_of(const Features& features) {
    std::vector<Feature> list;
    for (std::size_t i = 0; i < features.size(); ++i)
        if (features[i]) list.push_back(static_cast<Feature>(i));
    return list;
}

/// What a processor has that the interpreter does not: of `max`, what any of them has.
Features lacking_in(const Model& model) {
    if (&model != &cpu::model_max()) return model.lacking;
    Features all;
    for (const Model& each : cpu::models()) all |= each.lacking;
    return all;
}

struct MsrLine {
    std::string index;
    std::string_view name;
};
std::vector<MsrLine> msrs_of(const Model& model) {
    std::vector<MsrLine> lines;
    for (const cpu::MsrName& each : cpu::msr_names())
        if (model.has(each.feature)) lines.push_back({fmt::format("{:#x}", each.index), each.name});
    if (model.has(Feature::apic)) lines.push_back({"0x1b", "IA32_APIC_BASE"});
    if (model.has(Feature::tsc_deadline)) lines.push_back({"0x6e0", "IA32_TSC_DEADLINE"});
    if (model.has(Feature::x2apic)) lines.push_back({"0x800-0x8ff", "registers of the local APIC"});
    return lines;
}

std::string features_text(const Features& features) {
    std::string text;
    for (const Feature each : list_of(features))
        text += fmt::format("  {:<20}  {}\n", cpu::name_of(each), cpu::meaning_of(each));
    return text.empty() ? "  none\n" : text;
}

ordered_json features_json(const Features& features) {
    ordered_json list = ordered_json::array();
    for (const Feature each : list_of(features))
        list.push_back(
            {{"name", std::string{cpu::name_of(each)}}, {"meaning", std::string{cpu::meaning_of(each)}}});
    return list;
}

}  // namespace

std::string model_text(const Model& model) {
    std::string text = fmt::format(
        "{}: {}\n\nCPUID.01H:EAX is {:#x}; {} bits of physical and {} of linear addresses\n\nFeatures\n",
        model.name,
        model.brand,
        model.signature,
        model.physical_width,
        model.linear_width);
    text += features_text(model.features);
    text += "\nFeatures of real processors that are not emulated (CPUID bit 0, opcodes #UD)\n";
    text += features_text(lacking_in(model));
    text += "\nMSRs (any other: #GP)\n";
    for (const MsrLine& each : msrs_of(model)) text += fmt::format("  {:<11}  {}\n", each.index, each.name);
    text += "\nCases in which a run ends with `unimplemented`\n";
    for (const cpu::UnimplementedCase& each : cpu::unimplemented_cases())
        text += fmt::format("  {:<20}  {} ({})\n", each.name, each.what, each.reason);
    if (cpu::unimplemented_cases().empty()) text += "  none\n";
    return text;
}

std::string model_json(const Model& model) {
    ordered_json msrs = ordered_json::array();
    for (const MsrLine& each : msrs_of(model))
        msrs.push_back({{"index", each.index}, {"name", std::string{each.name}}});
    ordered_json cases = ordered_json::array();
    for (const cpu::UnimplementedCase& each : cpu::unimplemented_cases())
        cases.push_back({{"name", std::string{each.name}},
                         {"what", std::string{each.what}},
                         {"reason", std::string{each.reason}}});
    return ordered_json{{"name", std::string{model.name}},
                        {"brand", std::string{model.brand}},
                        {"signature", fmt::format("{:#x}", model.signature)},
                        {"physical_width", model.physical_width},
                        {"linear_width", model.linear_width},
                        {"features", features_json(model.features)},
                        {"not_emulated", features_json(lacking_in(model))},
                        {"msrs", std::move(msrs)},
                        {"unimplemented", std::move(cases)}}
        .dump();
}

std::string models_text() {
    std::string text;
    for (const Model& each : cpu::models()) text += fmt::format("{:<14} {}\n", each.name, each.brand);
    return text;
}

std::string models_json() {
    ordered_json list = ordered_json::array();
    for (const Model& each : cpu::models())
        list.push_back({{"name", std::string{each.name}}, {"brand", std::string{each.brand}}});
    return list.dump();
}

}  // namespace hyperstep::machine
