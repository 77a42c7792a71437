#include "cli/command_line.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "cli/commands.hpp"
#include "explain/nearest_name.hpp"

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

/// The command that the arguments name, as far as its words exist, and the word behind it.
struct NamedCommand {
    const CLI::App* app;
    std::string path;  ///< "vmcs check"; empty for the whole program
    std::string next;  ///< empty at the end of the arguments
};

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

NamedCommand named_command(const CLI::App& app, std::span<const char* const> arguments) {
    NamedCommand named{&app, "", ""};
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        named.next = arguments[i];
        const auto subs = subcommands_of(*named.app);
        const auto sub = std::find_if(
            subs.begin(), subs.end(), [&](const auto* s) { return s->get_name() == named.next; });
        if (sub == subs.end()) return named;
        named.app = *sub;
        named.path += (named.path.empty() ? "" : " ") + named.next;
    }
    named.next.clear();
    return named;
}

/// CLI11 asks for a subcommand where one was given that does not exist.
std::string what_is_required(const CLI::App& app,
                             std::span<const char* const> arguments,
                             const CLI::RequiredError& error) {
    const NamedCommand named = named_command(app, arguments);
    const std::string what = error.what();
    if (!what.starts_with("A subcommand")) return named.path.empty() ? what : named.path + ": " + what;
    std::vector<std::string> names;
    for (const CLI::App* sub : subcommands_of(*named.app)) names.push_back(sub->get_name());
    if (named.next.empty() || named.next.starts_with('-')) {
        std::string text = named.path.empty() ? "name a subcommand:" : named.path + ": name a subcommand:";
        for (const std::string& name : names) text += " " + name;
        return text;
    }
    return "there is no subcommand \"" + (named.path.empty() ? "" : named.path + " ") + named.next + '"' +
           explain::did_you_mean(named.next, names);
}

/// Which argument a command does not take, and which option was meant.
std::string what_is_not_taken(const CLI::App& app, std::span<const char* const> arguments) {
    const NamedCommand named = named_command(app, arguments);
    std::vector<std::string> names;
    for (const CLI::Option* option : named.app->get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string command = named.path.empty() ? "" : named.path + ": ";
    for (const std::string_view argument : arguments.subspan(1)) {
        const std::string option{argument.substr(0, argument.find('='))};
        if (option.starts_with("--") && option != "--" &&
            std::find(names.begin(), names.end(), option) == names.end())
            return command + "there is no option " + option + explain::did_you_mean(option, names);
    }
    const std::vector<std::string> extra = app.remaining(true);
    return command + "it takes no argument \"" + (extra.empty() ? "" : extra.front()) + '"';
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
        std::cerr << "hyperstep: " << what_is_required(app, arguments, error) << " (see hyperstep --help)\n";
        return exit_usage;
    } catch (const CLI::ExtrasError&) {
        std::cerr << "hyperstep: " << what_is_not_taken(app, arguments) << " (see hyperstep --help)\n";
        return exit_usage;
    } catch (const CLI::ParseError& error) {
        std::cerr << "hyperstep: " << error.what() << " (see hyperstep --help)\n";
        return exit_usage;
    }
}

/// What could not be written is an error, also when the disk is full only at the end.
int status_when_written(int status) {
    errno = 0;
    std::cout.flush();
    if (std::cout) return status;
    const int error = errno;
    std::cout.clear();
    std::cerr << "hyperstep: the output cannot be written"
              << (error != 0 ? ": " + std::generic_category().message(error) : std::string{}) << '\n';
    return status == exit_internal ? status : exit_usage;
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
        add_tour(app, status);
        add_report(app, status);
        add_run(app, status);
        return status_when_written(parse(app, arguments, status));
    } catch (const std::exception& error) {
        std::cerr << "hyperstep: internal error: " << error.what() << '\n';
    } catch (...) {
        std::cerr << "hyperstep: internal error\n";
    }
    return exit_internal;
}

}  // namespace hyperstep::cli
