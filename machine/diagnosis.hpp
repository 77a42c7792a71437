#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/trace.hpp"
#include "machine/pc.hpp"
#include "machine/symbols.hpp"

// Why a run ended where nobody wanted it to: for people on stderr, and as members of the result.
namespace hyperstep::machine {

/// One instruction of a disassembly.
struct Instruction {
    std::uint64_t address = 0;  ///< linear
    std::string text;
    bool is_next = false;  ///< RIP points here
};

/// Some instructions before RIP, as far as they can be told, and some from RIP on. Nothing is changed: not
/// even accessed flags. Where memory is not mapped, the list ends.
std::vector<Instruction> code_around_rip(Processor& processor, const Symbols& symbols);

/// Registers as lines for people.
std::string registers_text(const cpu::State& state);

/// What happened, in plain words, and for each processor that matters where it was.
std::string diagnosis(Pc& pc, const Ending& ending, const Symbols& symbols, std::span<const TraceEvent> last);

/// One sentence: "a triple fault on processor 0".
std::string ending_sentence(const Pc& pc, const Ending& ending);

}  // namespace hyperstep::machine
