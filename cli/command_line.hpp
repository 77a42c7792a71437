#pragma once
#include <span>

namespace hyperstep::cli {

/// Exit statuses that all subcommands share.
enum ExitStatus : int { exit_ok = 0, exit_usage = 2, exit_internal = 70 };

/// The whole command: parses the arguments (the program's name first), runs the subcommand, returns the
/// process's exit status. Never throws: bad usage, and output that cannot be written, is one line on stderr
/// and status 2, anything unforeseen one line and 70.
int run_command_line(std::span<const char* const> arguments);

}  // namespace hyperstep::cli
