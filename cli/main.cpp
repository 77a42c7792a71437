#include "cli/command_line.hpp"

int main(int argc, char** argv) {
    return hyperstep::cli::run_command_line({argv, static_cast<std::size_t>(argc)});
}
