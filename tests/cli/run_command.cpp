#include "tests/cli/run_command.hpp"

#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include "cli/command_line.hpp"

namespace hyperstep::cli {

Outcome run_into(std::streambuf& out, const std::vector<std::string>& arguments) {
    std::vector<const char*> words{"hyperstep"};
    for (const std::string& argument : arguments) words.push_back(argument.c_str());
    std::ostringstream err;
    std::streambuf* const old_out = std::cout.rdbuf(&out);
    std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
    const int status = run_command_line(words);
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {status, "", err.str()};
}

Outcome run(const std::vector<std::string>& arguments) {
    std::stringbuf out;
    Outcome outcome = run_into(out, arguments);
    outcome.out = out.str();
    return outcome;
}

bool has(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
}

Folder::Folder() {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("hyperstep_test_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
    std::filesystem::create_directory(path_);
}

Folder::~Folder() {
    std::filesystem::remove_all(path_);
}

std::string Folder::write(const std::string& name, std::string_view text) const {
    const std::string file = (path_ / name).string();
    std::ofstream{file, std::ios::binary} << text;
    return file;
}

}  // namespace hyperstep::cli
