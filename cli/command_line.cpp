#include "cli/command_line.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

#include "cli/commands.hpp"

namespace hyperstep::cli {
namespace {

constexpr const char* examples = R"(Examples:
  hyperstep explain dmesg.txt           which VM-entry check failed, and the smallest change that satisfies it
  dmesg | hyperstep explain -           the same from a pipe
  hyperstep explain --json vm.log       the verdict for scripts
  hyperstep explain --cpu coffee-lake --all-rules dump.txt
  hyperstep rules --grep "blocking by STI"
  hyperstep vmcs decode 0x681e
  hyperstep generate --rule guest.int.sti_needs_if

Exit status: 0 nothing broken, 1 something is, 2 bad usage or unreadable input, 70 internal error.)";

/// CLI11 asks for a subcommand where one was given that does not exist.
std::string what_is_required(std::span<const char* const> arguments, const CLI::RequiredError& error) {
    const std::string first = arguments.size() > 1 ? arguments[1] : "";
    std::string what = error.what();
    if (first.empty() || first.starts_with('-') || !what.starts_with("A subcommand")) return what;
    return "there is no subcommand \"" + first + "\"";
}

int parse(CLI::App& app, std::span<const char* const> arguments, const int& status) {
    try {
        app.parse(static_cast<int>(arguments.size()), arguments.data());
        return status;
    } catch (const CLI::Success& request) {  // --help, --version
        std::ostringstream out;
        const int asked = app.exit(request, out, std::cerr);
        const std::string text = out.str();
        std::cout << text.substr(0, text.find_last_not_of('\n') + 1) << '\n';
        return asked;
    } catch (const CLI::RequiredError& error) {
        std::cerr << "hyperstep: " << what_is_required(arguments, error) << " (see hyperstep --help)\n";
        return exit_usage;
    } catch (const CLI::ParseError& error) {
        std::cerr << "hyperstep: " << error.what() << " (see hyperstep --help)\n";
        return exit_usage;
    }
}

}  // namespace

int run_command_line(std::span<const char* const> arguments) {
    try {
        CLI::App app{"Hyperstep knows every check of a VM entry, and tells which one a VMCS dump breaks.",
                     "hyperstep"};
        app.footer(examples);
        app.set_version_flag("--version", "hyperstep " HYPERSTEP_VERSION);
        app.require_subcommand(1);
        int status = exit_ok;
        add_explain(app, status);
        add_rules(app, status);
        add_vmcs(app, status);
        add_cpu(app, status);
        add_generate(app, status);
        return parse(app, arguments, status);
    } catch (const std::exception& error) {
        std::cerr << "hyperstep: internal error: " << error.what() << '\n';
    } catch (...) {
        std::cerr << "hyperstep: internal error\n";
    }
    return exit_internal;
}

}  // namespace hyperstep::cli
