#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/judged_input.hpp"
#include "explain/dump.hpp"
#include "explain/report_json.hpp"
#include "explain/report_text.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_broken = 1;
constexpr const char* no_dump_recognised =
    ": no dump was recognised: it takes the VMCS dumps of KVM, Xen, HAXM, VirtualBox and NoirVisor, register "
    "dumps of QEMU and KVM_GET_SREGS, the binary vmcs12, KVM's trace events, lists of `field = value`, and "
    "states as JSON";

constexpr const char* examples = R"(Examples:
  hyperstep explain dmesg.txt           which VM-entry check failed, and the smallest change that satisfies it
  dmesg | hyperstep explain -           the same from a pipe
  hyperstep explain --json vm.log       the verdict for scripts
  hyperstep explain --cpu coffee-lake --all-rules dump.txt
  hyperstep explain --msrs my-msrs.txt dump.txt

Exit status: 0 nothing broken, 1 something is, 2 no dump was recognised, bad usage or unreadable input.)";

struct ExplainOptions {
    std::vector<std::string> files;
    bool json = false;
    bool sarif = false;
    bool all_rules = false;
    std::string cpu;
    std::string msrs;
    std::string colour = "auto";
};

struct Tally {
    std::size_t dumps = 0;
    bool broken = false;
    bool unreadable = false;
};

class Explain {
public:
    explicit Explain(const ExplainOptions& options) : options_{options} {}

    int run() {
        const auto processor = ChosenProcessor::of(options_.cpu, options_.msrs);
        if (!processor) return complain(processor.error());
        const std::vector<std::string> standard_input{"-"};
        for (const std::string& file : options_.files.empty() ? standard_input : options_.files)
            explain(file, *processor);
        if (options_.sarif) std::cout << report_sarif(files_) << '\n';
        if (tally_.unreadable) return exit_usage;
        if (tally_.broken) return exit_broken;
        return tally_.dumps == 0 ? exit_usage : exit_ok;
    }

private:
    void explain(const std::string& file, const ChosenProcessor& processor) {
        JudgedInput input = judge_file(file, processor);
        for (const std::string& sentence : input.problems) complain(sentence);
        if (!input.problems.empty()) tally_.unreadable = true;
        if (input.problems.empty() && input.content.dumps.empty())
            complain((file == "-" ? "standard input" : file) + no_dump_recognised);
        tally_.dumps += input.content.dumps.size();
        for (const explain::JudgedDump& judged : input.content.dumps)
            tally_.broken = tally_.broken || judged.verdict.conclusion == explain::Conclusion::broken;
        if (options_.sarif)
            files_.push_back(std::move(input.content));
        else if (options_.json)
            std::cout << explain::report_json(input.content.dumps, listing()) << '\n';
        else
            print_text(input.content, processor);
    }

    explain::Listing listing() const {
        return options_.all_rules ? explain::Listing::all_rules : explain::Listing::findings;
    }

    void print_text(const explain::JudgedFile& input, const ChosenProcessor& processor) {
        const explain::TextOptions text{colour(), listing()};
        for (const explain::JudgedDump& judged : input.dumps) {
            if (printed_) std::cout << '\n';
            if (options_.files.size() > 1) std::cout << input.file << ": ";
            std::cout << report_text(judged.dump, processor.processor_of(judged.dump), judged.verdict, text);
            printed_ = true;
        }
    }

    explain::Colour colour() const {
        const bool wanted =
            options_.colour == "always" ||
            (options_.colour == "auto" && isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr);
        return wanted ? explain::Colour::ansi : explain::Colour::plain;
    }

    const ExplainOptions& options_;
    Tally tally_;
    std::vector<explain::JudgedFile> files_;  ///< kept for the one log of all files
    bool printed_ = false;
};

}  // namespace

void add_explain(CLI::App& app, int& status) {
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App* command = app.add_subcommand("explain", "Find the VM-entry checks that a dump breaks");
    command->footer(examples);
    command->add_option(
        "FILE", options->files, "Files with dumps and anything else; - or none: standard input");
    command->add_flag("--json", options->json, "One JSON object an input on stdout");
    command->add_flag("--sarif", options->sarif, "One SARIF 2.1.0 log of all inputs on stdout")
        ->excludes("--json");
    command->add_flag("--all-rules", options->all_rules, "Say how every check stands");
    command->add_option("--cpu", options->cpu, "The processor: a preset's name")->type_name("NAME");
    command
        ->add_option("--msrs",
                     options->msrs,
                     "The processor's capability MSRs: lines \"0x480: 0x...\", rdmsr's output, or JSON")
        ->type_name("FILE");
    command->add_option("--colour,--color", options->colour, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
    command->callback([options, &status] { status = Explain{*options}.run(); });
}

}  // namespace hyperstep::cli
