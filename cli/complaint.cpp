#include "cli/complaint.hpp"

#include <iostream>

#include "cli/command_line.hpp"
#include "explain/nearest_name.hpp"

namespace hyperstep::cli {

int complain(std::string_view sentence) {
    std::cerr << "hyperstep: " << sentence << '\n';
    return exit_usage;
}

int complain_about_name(std::string_view kind, std::string_view typed, std::span<const std::string> names) {
    constexpr std::size_t longest_quoted = 80;
    constexpr std::size_t most_listed = 8;
    std::string text =
        "no " + std::string{kind} + " is named \"" + std::string{typed.substr(0, longest_quoted)} + '"';
    const std::string hint = explain::did_you_mean(typed, names);
    text += hint;
    if (hint.empty() && names.size() <= most_listed) {
        text += "; there are";
        for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? " " : ", ") + names[i];
    }
    return complain(text);
}

}  // namespace hyperstep::cli
