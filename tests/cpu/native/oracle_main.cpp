// Runs random instructions on the host's processor and on ours, and prints where they differ.
//
//   native_oracle [--cases N] [--seed S] [--size 16|32|64] [--only MNEMONIC] [--set ISA-SET] [--show N]
//
// Exit status 0: no difference; 1: some; 77: this host cannot run it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "tests/cpu/native/host_processor.hpp"
#include "tests/cpu/native/our_processor.hpp"
#include "tests/cpu/native/trials.hpp"

namespace {

using namespace hyperstep::native;

constexpr int cannot_run = 77;

struct Options {
    std::uint64_t cases = 100'000;
    std::uint64_t seed = 1;
    std::uint64_t show = 1;  ///< differences to print of each mnemonic
    Choice choice;
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
            options.choice.only = value;
        else if (name == "--set")
            options.choice.set = value;
        else if (name == "--size")
            options.choice.size = value == "16"   ? CodeSize::bits_16
                                  : value == "32" ? CodeSize::bits_32
                                                  : CodeSize::bits_64;
    }
    return options;
}

struct Tally {
    std::uint64_t ran = 0;
    std::uint64_t differ = 0;
    std::uint64_t not_ours = 0;  ///< #UD of ours alone: an instruction that the model does not have
};

class Oracle {
public:
    explicit Oracle(const Options& options) : options_{options}, numbers_{options.seed} {}

    int run() {
        std::uint64_t misses = 0;
        while (ran_ < options_.cases && misses < 1'000'000) {
            std::vector<Trial> batch;
            while (batch.size() < HostProcessor::most_trials && misses < 1'000'000) {
                if (const auto trial = draw(numbers_, options_.choice))
                    batch.push_back(*trial);
                else
                    ++misses;
            }
            compare(batch);
        }
        return report();
    }

private:
    void compare(const std::vector<Trial>& batch) {
        std::vector<Result> results(batch.size());
        std::size_t finished = 0;
        if (!host_.run(batch, results, finished) && finished < batch.size())
            std::printf("the child died at: %s\n", disassembly(batch[finished]).c_str());
        for (std::size_t i = 0; i < finished; ++i) {
            const Result ours = ours_.run(batch[i]);
            ++ran_;
            Tally& tally = tallies_[mnemonic(batch[i])];
            ++tally.ran;
            const std::string text = difference(batch[i], results[i], ours);
            if (text.empty()) continue;
            if (ours.vector == 6 && results[i].vector != 6) {
                ++tally.not_ours;
                continue;
            }
            if (++tally.differ <= options_.show)
                std::printf("%s\n%s", disassembly(batch[i]).c_str(), text.c_str());
        }
    }

    int report() const {
        std::uint64_t differ = 0;
        std::string missing;
        for (const auto& [name, tally] : tallies_) {
            differ += tally.differ;
            if (tally.differ != 0)
                std::printf("%s: %llu of %llu differ\n",
                            name.c_str(),
                            static_cast<unsigned long long>(tally.differ),
                            static_cast<unsigned long long>(tally.ran));
            if (tally.not_ours != 0) missing += " " + name;
        }
        if (!missing.empty()) std::printf("not in the model:%s\n", missing.c_str());
        std::printf("%llu cases of %zu mnemonics, %llu differ\n",
                    static_cast<unsigned long long>(ran_),
                    tallies_.size(),
                    static_cast<unsigned long long>(differ));
        return differ == 0 ? 0 : 1;
    }

    Options options_;
    Numbers numbers_;
    HostProcessor host_;
    OurProcessor ours_;
    std::uint64_t ran_ = 0;
    std::map<std::string, Tally> tallies_;
};

}  // namespace

int main(int count, char** words) {
    try {
        return Oracle{options_of(count, words)}.run();
    } catch (const std::system_error& error) {
        std::fprintf(stderr, "native_oracle: %s\n", error.what());
        return cannot_run;
    }
}
