#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "tests/cpu/native/user_state.hpp"

namespace hyperstep::native {

/// Numbers that are the same on every machine for a seed.
class Numbers {
public:
    explicit Numbers(std::uint64_t seed)
        : state_{seed * 0x9e37'79b9'7f4a'7c15ULL + 0x1234'5678'9abc'def1ULL} {}
    std::uint64_t next();
    /// 0 to `bound` - 1.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    /// Often a number at which something changes: 0, 1, all ones, only the sign, a small one.
    std::uint64_t interesting();

private:
    std::uint64_t state_;
};

/// What kind of instructions a run is about.
struct Choice {
    CodeSize size = CodeSize::bits_64;
    std::string only;  ///< a mnemonic in lower case; empty: any
    std::string set;   ///< a prefix of the ISA set's name (SSE, X87 ...); empty: any
};

/// An instruction with random operands, state and memory; nothing if the bytes drawn are not to be run on a
/// host: a system call, an instruction whose outcome is the operating system's affair (segments, time,
/// identity).
std::optional<Trial> draw(Numbers& numbers, const Choice& choice);

/// What two results differ in, as text; empty: the same, but for what the manual leaves undefined.
std::string difference(const Trial& trial, const Result& host, const Result& ours);
/// "add eax, ecx".
std::string disassembly(const Trial& trial);
/// "add"
std::string mnemonic(const Trial& trial);

}  // namespace hyperstep::native
