#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timeline.hpp"
#include "machine/pc.hpp"

// A whole run of a PC: `hyperstep run`.
namespace hyperstep::machine {

/// Finds a piece of text, byte by byte, in what goes by.
class PatternWatch {
public:
    /// An empty pattern is never found.
    explicit PatternWatch(std::string pattern);
    /// The next byte. True: with it the pattern is complete.
    bool sees(char byte);

private:
    std::string pattern_;
    /// Of each prefix: the length of its longest proper suffix that is a prefix too (Knuth, Morris, Pratt).
    std::vector<std::size_t> fallback_;
    std::size_t matched_ = 0;
};

struct RunLimits {
    std::uint64_t instructions = Timeline::never;  ///< of all processors
    std::uint64_t hash_every = 0;                  ///< instructions; 0: never
};

/// Whom a run tells what.
struct RunListener {
    /// At every multiple of RunLimits::hash_every.
    std::function<void(std::uint64_t instructions, std::uint64_t hash)> hash;
    /// Now and then: every few hundred milliseconds, by the host's speed.
    std::function<void(std::uint64_t instructions)> progress;
};

/// Runs to the end. Neither hash points nor progress change anything.
Ending run_to_end(Pc& pc, const RunLimits& limits, const RunListener& listener);

/// The exit status of `hyperstep run`: that of a debug exit is (code << 1 | 1) modulo 256.
int exit_status(const Ending& ending);
/// The file of --result: one JSON object.
std::string result_json(Pc& pc, const Ending& ending);
/// 16 hexadecimal digits.
std::string hash_text(std::uint64_t hash);

}  // namespace hyperstep::machine
