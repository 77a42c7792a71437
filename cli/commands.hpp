#pragma once

namespace CLI {
class App;
}

// Each subcommand is a file <name>_command.cpp with one function that adds it. When the subcommand was named
// on the command line it runs, and leaves the process's exit status in `status`: that of CONTRACTS; 2 for
// unreadable input.
namespace hyperstep::cli {

void add_explain(CLI::App& app, int& status);
void add_rules(CLI::App& app, int& status);
void add_vmcs(CLI::App& app, int& status);
void add_cpu(CLI::App& app, int& status);
void add_generate(CLI::App& app, int& status);
void add_tour(CLI::App& app, int& status);
void add_report(CLI::App& app, int& status);
void add_run(CLI::App& app, int& status);

}  // namespace hyperstep::cli
