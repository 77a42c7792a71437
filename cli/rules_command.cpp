#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/input_file.hpp"
#include "explain/tables_json.hpp"
#include "explain/tables_text.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_missing = 1;
constexpr std::size_t longest_quoted = 80;

constexpr const char* examples = R"(Examples:
  hyperstep rules --grep "CR0.PG"            rules, fields, controls, exits that mention it
  hyperstep rules --id guest.int.sti_needs_if
  HYPERSTEP_COVERAGE_DIR=/tmp/hits ./test_vmx_rules && hyperstep rules --coverage /tmp/hits

Exit status: 0, 1 if --coverage finds something missing, 2 bad usage or unreadable input.)";

struct RulesOptions {
    std::string grep;
    std::string id;
    std::string coverage;
    bool json = false;
    bool quirks = false;
};

int coverage(const RulesOptions& options) {
    namespace fs = std::filesystem;
    std::error_code problem;
    std::vector<fs::path> files;
    for (fs::directory_iterator it{options.coverage, problem}, end; !problem && it != end;
         it.increment(problem))
        if (it->path().extension() == ".jsonl") files.push_back(it->path());
    if (problem) return complain(options.coverage + ": " + problem.message());
    std::sort(files.begin(), files.end());

    std::set<std::string, std::less<>> hit;
    for (const fs::path& file : files) {
        std::string text;
        if (const auto unreadable =
                read_pieces(file.string(), [&](std::string_view piece) { text += piece; }))
            return complain(*unreadable);
        if (const auto added = explain::add_coverage(text, hit); !added)
            return complain(file.string() + ":" + std::to_string(added.error().line) + ": " +
                            added.error().what);
    }
    const auto tables = explain::coverage_of(hit);
    std::cout << explain::coverage_json(tables) << '\n';
    if (!options.json) std::cerr << explain::coverage_text(tables);
    const bool missing = std::any_of(
        tables.begin(), tables.end(), [](const auto& table) { return !table.second.missing.empty(); });
    return missing ? exit_missing : exit_ok;
}

int rules(const RulesOptions& options) {
    if (options.quirks) {
        std::cout << (options.json ? explain::quirks_json() + '\n' : explain::quirks_text());
        return exit_ok;
    }
    if (!options.coverage.empty()) return coverage(options);
    std::vector<const explain::RuleRow*> rows = explain::rule_rows_with(options.grep);
    if (!options.id.empty()) {
        const explain::RuleRow* row = explain::find_rule_row(options.id);
        if (row == nullptr) return complain_about_name("rule", options.id, explain::all_rule_ids());
        std::erase_if(rows, [=](const explain::RuleRow* other) { return other != row; });
    }
    if (options.json)
        std::cout << explain::rules_json(rows) << '\n';
    else if (!options.id.empty() && !rows.empty())
        std::cout << explain::rule_text(*rows.front());
    else
        std::cout << explain::rules_text(rows);
    if (rows.empty())
        std::cerr << "hyperstep: rules: no row contains \"" << options.grep.substr(0, longest_quoted)
                  << "\"\n";
    return exit_ok;
}

}  // namespace

void add_rules(CLI::App& app, int& status) {
    const auto options = std::make_shared<RulesOptions>();
    CLI::App* command =
        app.add_subcommand("rules", "The manual's tables: entry checks, fields, controls, exits, errors");
    command->footer(examples);
    command->add_option("--grep", options->grep, "Only rows that contain this text")->type_name("TEXT");
    command->add_option("--id", options->id, "Only this row, with all it has")->type_name("ID");
    command->add_flag("--json", options->json, "One JSON object on stdout");
    CLI::Option* coverage = command->add_option(
        "--coverage",
        options->coverage,
        "What the *.jsonl of a test run reached: JSON on stdout, without --json also text on stderr");
    coverage->type_name("DIR");
    command->add_flag("--quirks", options->quirks, "Deviations from the hardware, and options")
        ->excludes(coverage);
    command->callback([options, &status] { status = rules(*options); });
}

}  // namespace hyperstep::cli
