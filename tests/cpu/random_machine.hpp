#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu.hpp"
#include "cpu/execute.hpp"

// A processor in any state, with tables and code of any content around it: what the fuzzer and the laws run.
namespace hyperstep::cpu {

/// Numbers from given bytes; once they have ended, from a generator that they seed.
class Numbers {
public:
    explicit Numbers(std::span<const std::uint8_t> bytes);
    std::uint64_t take(unsigned bytes);
    std::uint64_t below(std::uint64_t count) { return take(4) % count; }
    bool one_in(std::uint64_t count) { return take(1) % count == 0; }

private:
    std::span<const std::uint8_t> bytes_;
    std::uint64_t seed_ = 0;
};

/// How a program is run. None of it may show in what the program does.
struct Engine {
    bool use_blocks = true;
    bool use_tlb = true;
    std::uint64_t slice = ~0ULL;  ///< ticks that the processor is given at most
};

/// Everything that a run leaves.
struct Trail {
    State state;
    std::uint64_t now = 0;
    std::vector<std::byte> ram;
    std::vector<exec::Stop> stops;  ///< but for those at the end of a slice
    std::uint64_t decoded = 0;      ///< not compared
    /// What is not as it must be whatever the program does: the first thing; empty if nothing.
    std::string complaint;
};

/// The tables, the state, the events from outside and the hypervisor that some numbers choose. It lives
/// through many runs; each begins afresh.
class RandomMachine {
public:
    static constexpr std::size_t ram_bytes = 0x18'0000;
    static constexpr std::uint64_t rom = 0x18'0000, registers = 0x19'0000;  ///< a page each; then holes

    RandomMachine();
    ~RandomMachine();
    RandomMachine(const RandomMachine&) = delete;
    RandomMachine& operator=(const RandomMachine&) = delete;

    /// Some hundred ticks.
    void run(std::span<const std::uint8_t> input, const Engine& engine, Trail& trail);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// In what two trails differ; empty if in nothing.
std::string difference(const Trail& left, const Trail& right);

}  // namespace hyperstep::cpu
