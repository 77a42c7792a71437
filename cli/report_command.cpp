#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/judged_input.hpp"
#include "explain/report_markdown.hpp"

namespace hyperstep::cli {
namespace {

constexpr const char* examples = R"(Examples:
  hyperstep report dmesg.txt > report.md      a page to paste into a post to a list
  dmesg | hyperstep report -

Exit status: as explain's: 1 if a dump is broken, 2 if none was recognised or the file cannot be read, else 0.)";

constexpr int exit_broken = 1;

struct ReportOptions {
    std::string file;
    std::string cpu;
    std::string msrs;
};

bool is_broken(const explain::JudgedDump& judged) {
    return judged.verdict.conclusion == explain::Conclusion::broken;
}

int report(const ReportOptions& options) {
    const auto processor = ChosenProcessor::of(options.cpu, options.msrs);
    if (!processor) return complain(processor.error());
    const JudgedInput input = judge_file(options.file, *processor);
    for (const std::string& sentence : input.problems) complain(sentence);
    if (!input.problems.empty()) return exit_usage;
    const auto& dumps = input.content.dumps;
    if (dumps.empty())
        return complain(options.file + ": no dump was recognised; `hyperstep explain` says which it takes");
    std::cout << report_markdown(options.file, dumps);
    return std::any_of(dumps.begin(), dumps.end(), is_broken) ? exit_broken : exit_ok;
}

}  // namespace

void add_report(CLI::App& app, int& status) {
    const auto options = std::make_shared<ReportOptions>();
    CLI::App* command =
        app.add_subcommand("report", "One Markdown page about the dumps of a file, to paste into a post");
    command->footer(examples);
    command->add_option("FILE", options->file, "A file with dumps; -: standard input")->required();
    command->add_option("--cpu", options->cpu, "The processor: a preset's name")->type_name("NAME");
    command->add_option("--msrs", options->msrs, "The processor's capability MSRs")->type_name("FILE");
    command->callback([options, &status] { status = report(*options); });
}

}  // namespace hyperstep::cli
