#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "tests/cpu/native/user_state.hpp"

namespace hyperstep::native {

/// The processor that this program runs on, as an oracle: trials run in a child process, one instruction
/// each, single- stepped; what they raise arrives there as signals.
class HostProcessor {
public:
    static constexpr std::size_t most_trials = 256;

    /// Starts the child. Throws std::system_error if the host refuses a process, memory or an LDT entry.
    HostProcessor();
    HostProcessor(const HostProcessor&) = delete;
    HostProcessor& operator=(const HostProcessor&) = delete;
    ~HostProcessor();

    /// Runs up to most_trials trials. False: the child died, at trial `finished`; it is started anew.
    bool run(std::span<const Trial> trials, std::span<Result> results, std::size_t& finished);

private:
    struct Shared;
    void start();
    void stop();

    Shared* shared_ = nullptr;
    int memory_file_ = -1;
    int to_child_ = -1;
    int from_child_ = -1;
    int child_ = -1;
};

}  // namespace hyperstep::native
