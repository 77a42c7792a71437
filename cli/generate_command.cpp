#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "explain/tables_json.hpp"

namespace hyperstep::cli {
namespace {

constexpr const char* examples = R"(Examples:
  hyperstep generate --rule guest.int.sti_needs_if        a state that breaks exactly this rule, and its twin
  hyperstep generate --all > boundaries.jsonl

Output: JSON lines {"rule","side":"broken"|"twin","also_broken","state"}; states name the processor `all`.
A rule whose outcome is no failure has twins only. Exit status: 0, 2 for an unknown rule.)";

struct GenerateOptions {
    std::string rule;
    bool all = false;
    bool json = false;
};

int generate(const GenerateOptions& options) {
    if (options.all == !options.rule.empty())
        return complain("generate: say --rule ID or --all, one of them");
    bool found = options.all;
    for (const vmx::Boundary& boundary : vmx::all_boundaries()) {
        if (!options.all && boundary.id != options.rule) continue;
        found = true;
        if (!boundary.broken.empty())
            std::cout << explain::boundary_json(boundary, explain::BoundarySide::broken) << '\n';
        std::cout << explain::boundary_json(boundary, explain::BoundarySide::twin) << '\n';
    }
    if (found) return exit_ok;
    std::vector<std::string> ids;
    for (const vmx::EntryCheck& check : vmx::all_checks()) ids.emplace_back(check.id);
    return complain_about_name("entry check", options.rule, ids);
}

}  // namespace

void add_generate(CLI::App& app, int& status) {
    const auto options = std::make_shared<GenerateOptions>();
    CLI::App* command =
        app.add_subcommand("generate", "States at the boundary of a rule, for tests and fuzzers");
    command->footer(examples);
    command->add_option("--rule", options->rule, "The entry check")->type_name("ID");
    command->add_flag("--all", options->all, "Every entry check");
    command->add_flag("--json", options->json, "Implied");
    command->callback([options, &status] { status = generate(*options); });
}

}  // namespace hyperstep::cli
