#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <tl/expected.hpp>
#include <unistd.h>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/input_file.hpp"
#include "explain/dump.hpp"
#include "explain/report_text.hpp"
#include "explain/verdict.hpp"

namespace hyperstep::cli {
namespace {

constexpr const char* examples = R"(Examples:
  hyperstep tour casebook/dumps

The folder's expected.csv has a line FILE,VERDICT,RULES for each dump: the verdict (broken, holds, unknown), and the
ids of the broken rules, separated by spaces. Exit status: 0 if every verdict is the expected one, 1 if one is not,
2 if something cannot be read.)";

constexpr int exit_unexpected = 1;
constexpr std::size_t longest_table = 1U << 20U;
constexpr std::size_t longest_dump = 16U << 20U;

struct Stop {
    std::string file;
    std::string verdict;
    std::set<std::string> rules;
};

/// The lines of expected.csv. The error is a sentence for stderr.
tl::expected<std::vector<Stop>, std::string> read_stops(const std::string& folder) {
    const std::string path = folder + "/expected.csv";
    const auto text = read_whole(path, longest_table);
    if (!text) return tl::unexpected{text.error()};
    std::istringstream lines{*text};
    std::vector<Stop> stops;
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
        if (number == 1 || line.empty()) continue;
        const std::size_t first = line.find(',');
        const std::size_t second = first == std::string::npos ? first : line.find(',', first + 1);
        if (second == std::string::npos)
            return tl::unexpected{path + ":" + std::to_string(number) +
                                  ": three columns are needed: file,verdict,rules"};
        Stop stop{line.substr(0, first), line.substr(first + 1, second - first - 1), {}};
        std::istringstream ids{line.substr(second + 1)};
        for (std::string id; ids >> id;) stop.rules.insert(id);
        if (stop.file.empty() || stop.file.find('/') != std::string::npos)
            return tl::unexpected{path + ":" + std::to_string(number) +
                                  ": the first column is the name of a file in " + folder};
        stops.push_back(std::move(stop));
    }
    if (stops.empty()) return tl::unexpected{path + ": no dump is listed"};
    return stops;
}

/// What was found, in the words of expected.csv.
std::string outcome(std::string_view verdict, const std::set<std::string>& rules) {
    std::string text{verdict};
    for (const std::string& id : rules) text += ' ' + id;
    return text;
}

/// Explains one dump on stdout. True if the verdict is the expected one; the error is a sentence for stderr.
tl::expected<bool, std::string> visit(const std::string& folder,
                                      const Stop& stop,
                                      explain::TextOptions options) {
    const auto text = read_whole(folder + "/" + stop.file, longest_dump);
    if (!text) return tl::unexpected{text.error()};
    std::cout << "== " << stop.file << '\n';
    const auto dumps = explain::find_dumps(*text);
    explain::Conclusion conclusion = explain::Conclusion::holds;
    std::set<std::string> rules;
    for (const explain::Dump& dump : dumps) {
        const explain::Verdict verdict = judge(dump, vmx::Capabilities{});
        std::cout << report_text(dump, vmx::Capabilities{}, verdict, options);
        for (const explain::BrokenRule& b : verdict.broken) rules.emplace(vmx::all_checks()[b.check].id);
        if (conclusion != explain::Conclusion::broken && verdict.conclusion != explain::Conclusion::holds)
            conclusion = verdict.conclusion;
    }
    const std::string found = dumps.empty() ? "no dump" : outcome(to_string(conclusion), rules);
    const bool expected = found == outcome(stop.verdict, stop.rules);
    std::cout << (expected ? "-- as known: "
                           : "-- NOT as known: expected " + outcome(stop.verdict, stop.rules) + ", found ")
              << found << "\n\n";
    return expected;
}

int tour(const std::string& folder) {
    const auto stops = read_stops(folder);
    if (!stops) return complain(stops.error());
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    const explain::TextOptions options{terminal ? explain::Colour::ansi : explain::Colour::plain,
                                       explain::Listing::findings};
    std::size_t as_known = 0;
    for (const Stop& stop : *stops) {
        const auto expected = visit(folder, stop, options);
        if (!expected) return complain(expected.error());
        if (*expected) ++as_known;
    }
    std::cout << as_known << " of " << stops->size() << " dumps: the verdict is the expected one\n";
    return as_known == stops->size() ? exit_ok : exit_unexpected;
}

}  // namespace

void add_tour(CLI::App& app, int& status) {
    const auto folder = std::make_shared<std::string>();
    CLI::App* command =
        app.add_subcommand("tour", "Explain the casebook's dumps and compare with what is known of them");
    command->footer(examples);
    command->add_option("FOLDER", *folder, "A folder of dumps with an expected.csv")->required();
    command->callback([folder, &status] { status = tour(*folder); });
}

}  // namespace hyperstep::cli
