#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/input_file.hpp"
#include "cli/processor_choice.hpp"
#include "explain/dump.hpp"
#include "explain/report_json.hpp"
#include "explain/report_text.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_broken = 1;

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
    bool all_rules = false;
    std::string cpu;
    std::string msrs;
    std::string colour = "auto";
};

/// How much was read, on stderr from the first second on, if somebody watches.
class Progress {
public:
    ~Progress() {
        if (shown_) std::cerr << "\r\x1b[K";
    }
    Progress() = default;
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(std::size_t bytes) {
        bytes_ += bytes;
        if (!watched_) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::seconds{1}) return;
        last_ = now;
        shown_ = true;
        std::cerr << "\rread " << (bytes_ >> 20U) << " MiB" << std::flush;
    }

private:
    bool watched_ = isatty(STDERR_FILENO) != 0;
    bool shown_ = false;
    std::size_t bytes_ = 0;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
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
        const auto chosen = choose_processor(options_.cpu, options_.msrs);
        if (!chosen) {
            std::cerr << "hyperstep: " << chosen.error() << '\n';
            return exit_usage;
        }
        cpu_ = *chosen;
        const std::vector<std::string> standard_input{"-"};
        for (const std::string& file : options_.files.empty() ? standard_input : options_.files)
            explain(file);
        if (tally_.unreadable) return exit_usage;
        if (tally_.broken) return exit_broken;
        return tally_.dumps == 0 ? exit_usage : exit_ok;
    }

private:
    void explain(const std::string& file) {
        explain::DumpScanner scanner;
        std::optional<std::string> problem;
        {
            Progress progress;
            problem = read_pieces(file, [&](std::string_view piece) {
                scanner.feed(piece);
                progress.add(piece.size());
            });
        }
        std::vector<explain::Dump> dumps = scanner.finish();
        const std::size_t found = dumps.size();
        std::erase_if(dumps, [&](const explain::Dump& dump) { return refuse_unreadable(file, dump); });
        if (problem) {
            std::cerr << "hyperstep: " << *problem << '\n';
            tally_.unreadable = true;
        } else if (found == 0) {
            std::cerr
                << "hyperstep: " << (file == "-" ? "standard input" : file)
                << ": no dump was recognised: it takes the VMCS dumps of KVM, Xen, HAXM, VirtualBox and "
                   "NoirVisor, register dumps of QEMU and KVM_GET_SREGS, the binary vmcs12, KVM's trace "
                   "events, lists of `field = value`, and states as JSON\n";
        }
        tally_.dumps += dumps.size();
        options_.json ? print_json(dumps) : print_text(file, dumps);
    }

    /// A state of ours that cannot be used is unreadable input, no dump.
    bool refuse_unreadable(const std::string& file, const explain::Dump& dump) {
        if (dump.unreadable.empty()) return false;
        std::cerr << "hyperstep: " << (file == "-" ? "standard input" : file) << ":" << dump.line_first
                  << ": " << dump.unreadable << '\n';
        tally_.unreadable = true;
        return true;
    }

    vmx::Capabilities processor_of(const explain::Dump& dump) const {
        const bool chosen = !options_.cpu.empty() || !options_.msrs.empty();
        if (chosen || dump.cpu.empty()) return cpu_;
        return vmx::preset(dump.cpu).value_or(vmx::Capabilities{});
    }

    explain::Listing listing() const {
        return options_.all_rules ? explain::Listing::all_rules : explain::Listing::findings;
    }

    void print_json(const std::vector<explain::Dump>& dumps) {
        std::vector<explain::JudgedDump> judged;
        judged.reserve(dumps.size());
        for (const explain::Dump& dump : dumps) {
            const vmx::Capabilities cpu = processor_of(dump);
            judged.push_back({dump, judged_state(dump, cpu), judge(dump, cpu)});
            tally_.broken = tally_.broken || judged.back().verdict.conclusion == explain::Conclusion::broken;
        }
        std::cout << explain::report_json(judged, listing()) << '\n';
    }

    void print_text(const std::string& file, const std::vector<explain::Dump>& dumps) {
        const explain::TextOptions text{colour(), listing()};
        for (const explain::Dump& dump : dumps) {
            const vmx::Capabilities cpu = processor_of(dump);
            const explain::Verdict verdict = judge(dump, cpu);
            tally_.broken = tally_.broken || verdict.conclusion == explain::Conclusion::broken;
            if (printed_) std::cout << '\n';
            if (options_.files.size() > 1) std::cout << file << ": ";
            std::cout << report_text(dump, cpu, verdict, text);
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
    vmx::Capabilities cpu_;
    Tally tally_;
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
