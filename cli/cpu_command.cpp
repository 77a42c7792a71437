#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/processor_choice.hpp"
#include "explain/tables_json.hpp"
#include "explain/tables_text.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_differs = 1;

constexpr const char* examples = R"(Examples:
  hyperstep cpu list
  hyperstep cpu show coffee-lake
  hyperstep cpu show --msrs my-msrs.txt            what my processor has
  hyperstep cpu diff coffee-lake kvm-nested

Exit status: 0, 1 if diff finds a difference, 2 bad usage or unreadable input.)";

struct CpuOptions {
    std::string name, other, msrs;
    bool json = false;
};

int list(const CpuOptions& options) {
    std::cout << (options.json ? explain::processors_json() + '\n' : explain::processors_text());
    return exit_ok;
}

int show(const CpuOptions& options) {
    if (options.name.empty() && options.msrs.empty())
        return complain("cpu show: name a processor, or give --msrs FILE");
    explain::NamedProcessor cpu;
    if (!options.name.empty()) {
        const auto named = explain::named_processor(options.name);
        if (!named) return complain_about_name("processor", options.name, explain::processor_names());
        cpu = *named;
    }
    if (!options.msrs.empty()) {
        const auto chosen = choose_processor(options.name, options.msrs);
        if (!chosen) return complain(chosen.error());
        cpu.name += options.name.empty() ? options.msrs : " with " + options.msrs;
        cpu.meaning = "capabilities as that file gives them";
        cpu.capabilities = *chosen;
    }
    std::cout << (options.json ? explain::processor_json(cpu) + '\n' : explain::processor_text(cpu));
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
    CLI::App* shows = add("show", "Controls, EPT and VPID capabilities, MSRs of a processor", show);
    shows->add_option("NAME", options->name, "The processor");
    shows->add_option("--msrs", options->msrs, "Its capability MSRs, or some of them, from a file")
        ->type_name("FILE");
    CLI::App* diffs = add("diff", "What two processors differ in", diff);
    diffs->add_option("A", options->name, "One processor")->required();
    diffs->add_option("B", options->other, "The other")->required();
}

}  // namespace hyperstep::cli
