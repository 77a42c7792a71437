// Runs random instructions of system programs on Unicorn and on ours, and prints where they differ.
//
//   unicorn_oracle [--cases N] [--seed S] [--only NAME] [--show N]
//
// Exit status 0: no difference; 1: some.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>

#include "tests/cpu/unicorn/our_system_processor.hpp"
#include "tests/cpu/unicorn/unicorn_processor.hpp"

namespace {

using namespace hyperstep::unicorn;

struct Options {
    std::uint64_t cases = 10'000;
    std::uint64_t seed = 1;
    std::uint64_t show = 1;  ///< differences to print of each instruction
    std::string only;        ///< as Trial::name; empty: any
};

Options options_of(int count, char** words) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = words[i], value = words[i + 1];
        if (name == "--cases")
            options.cases = std::strtoull(value.c_str(), nullptr, 10);
        else if (name == "--seed")
            options.seed = std::strtoull(value.c_str(), nullptr, 10);
        else if (name == "--show")
            options.show = std::strtoull(value.c_str(), nullptr, 10);
        else if (name == "--only")
            options.only = value;
    }
    return options;
}

struct Tally {
    std::uint64_t ran = 0;
    std::uint64_t fault = 0;
    std::uint64_t differ = 0;
};

int run(const Options& options) {
    Numbers numbers{options.seed};
    std::map<std::string, Tally> tallies;
    for (std::uint64_t i = 0; i < options.cases; ++i) {
        const Trial trial = draw(numbers);
        if (!options.only.empty() && trial.name != options.only) continue;
        const Result ours = run_on_ours(trial);
        const std::string text = difference(trial, run_on_unicorn(trial), ours);
        Tally& tally = tallies[trial.name];
        ++tally.ran;
        if (ours.vector != Result::no_fault) ++tally.fault;
        if (text.empty()) continue;
        if (++tally.differ <= options.show) std::printf("%s\n%s", description(trial).c_str(), text.c_str());
    }
    std::uint64_t differ = 0;
    for (const auto& [name, tally] : tallies) {
        differ += tally.differ;
        std::printf("%-24s %6llu cases, %6llu fault, %llu differ\n",
                    name.c_str(),
                    static_cast<unsigned long long>(tally.ran),
                    static_cast<unsigned long long>(tally.fault),
                    static_cast<unsigned long long>(tally.differ));
    }
    return differ == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    try {
        return run(options_of(count, words));
    } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "unicorn_oracle: %s\n", error.what());
        return 1;
    }
}
