#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/processor_choice.hpp"
#include "explain/tables_json.hpp"
#include "explain/tables_text.hpp"
#include "machine/model_listing.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_differs = 1;

constexpr const char* examples = R"(Examples:
  hyperstep cpu list
  hyperstep cpu show max                           what the interpreter has, and what it lacks
  hyperstep cpu show coffee-lake
  hyperstep cpu show --msrs my-msrs.txt            what my processor has
  hyperstep cpu diff coffee-lake kvm-nested

Exit status: 0, 1 if diff finds a difference, 2 bad usage or unreadable input.)";

struct CpuOptions {
    std::string name, other, msrs;
    bool json = false;
};

/// A JSON object with one member more.
std::string with_member(const std::string& object, const std::string& name, const std::string& value) {
    return object.substr(0, object.size() - 1) + ",\"" + name + "\":" + value + '}';
}

int list(const CpuOptions& options) {
    if (options.json)
        std::cout << with_member(explain::processors_json(), "emulated", machine::models_json()) << '\n';
    else
        std::cout << "Processors whose VMX capabilities are known:\n"
                  << explain::processors_text() << "\nProcessors that are emulated:\n"
                  << machine::models_text();
    return exit_ok;
}

int complain_about_processor(const std::string& name) {
    std::vector<std::string> names = explain::processor_names();
    for (const cpu::Model& each : cpu::models())
        if (std::find(names.begin(), names.end(), each.name) == names.end()) names.emplace_back(each.name);
    return complain_about_name("processor", name, names);
}

/// Of a processor that is emulated but has no VMX capabilities.
int show_model(const cpu::Model& model, const CpuOptions& options) {
    if (!options.json) {
        std::cout << machine::model_text(model);
        return exit_ok;
    }
    const std::string head = R"({"schema":"hyperstep/cpu/1","name":")" + options.name + "\"}";
    std::cout << with_member(head, "emulated", machine::model_json(model)) << '\n';
    return exit_ok;
}

int show(const CpuOptions& options) {
    if (options.name.empty() && options.msrs.empty())
        return complain("cpu show: name a processor, or give --msrs FILE");
    const cpu::Model* model = cpu::find_model(options.name);
    explain::NamedProcessor cpu;
    if (!options.name.empty()) {
        const auto named = explain::named_processor(options.name);
        if (!named && model != nullptr && options.msrs.empty()) return show_model(*model, options);
        if (!named) return complain_about_processor(options.name);
        cpu = *named;
    }
    if (!options.msrs.empty()) {
        const auto chosen = choose_processor(options.name, options.msrs);
        if (!chosen) return complain(chosen.error());
        cpu.name += options.name.empty() ? options.msrs : " with " + options.msrs;
        cpu.meaning = "capabilities as that file gives them";
        cpu.capabilities = *chosen;
    }
    if (options.json) {
        const std::string object = explain::processor_json(cpu);
        std::cout << (model == nullptr ? object
                                       : with_member(object, "emulated", machine::model_json(*model)))
                  << '\n';
        return exit_ok;
    }
    std::cout << explain::processor_text(cpu);
    if (model != nullptr) std::cout << "\nAs it is emulated\n\n" << machine::model_text(*model);
    return exit_ok;
}

int diff(const CpuOptions& options) {
    const auto a = explain::named_processor(options.name);
    if (!a) return complain_about_name("processor", options.name, explain::processor_names());
    const auto b = explain::named_processor(options.other);
    if (!b) return complain_about_name("processor", options.other, explain::processor_names());
    std::cout << (options.json ? explain::differences_json(*a, *b) + '\n'
                               : explain::differences_text(*a, *b));
    return a->capabilities == b->capabilities ? exit_ok : exit_differs;
}

}  // namespace

void add_cpu(CLI::App& app, int& status) {
    const auto options = std::make_shared<CpuOptions>();
    CLI::App* command = app.add_subcommand("cpu", "Processors: what each allows and requires");
    command->footer(examples);
    command->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, int (*run)(const CpuOptions&)) {
        CLI::App* sub = command->add_subcommand(name, help);
        sub->footer(examples);
        sub->add_flag("--json", options->json, "One JSON object on stdout");
        sub->callback([options, &status, run] { status = run(*options); });
        return sub;
    };
    add("list", "The names of the processors", list);
    CLI::App* shows =
        add("show", "Controls, EPT and VPID capabilities, MSRs, emulated features of a processor", show);
    shows->add_option("NAME", options->name, "The processor");
    shows->add_option("--msrs", options->msrs, "Its capability MSRs, or some of them, from a file")
        ->type_name("FILE");
    CLI::App* diffs = add("diff", "What two processors differ in", diff);
    diffs->add_option("A", options->name, "One processor")->required();
    diffs->add_option("B", options->other, "The other")->required();
}

}  // namespace hyperstep::cli
