#pragma once
// What the benchmark guests share. Each repeats one piece of work `n` times (command line "n=1000", default
// 1), and every repetition must give the checksum of expected.hpp, which checksums.py computes in Python.

#include "bench/guests/expected.hpp"
#include "tests/guests/runtime/guest.hpp"

inline u64 mix(u64 sum, u64 value) {
    return (sum ^ value) * 0x100000001b3;  // FNV-1a, 64 bits at a time
}

// Knuth's MMIX generator; next() is its upper half.
struct Random {
    u64 state = 1;
    u32 next() {
        state = state * 6364136223846793005 + 1442695040888963407;
        return static_cast<u32>(state >> 32);
    }
};

template <typename Work>
[[noreturn]] void repeat(const char* name, u64 expected, Work work) {
    u64 found = expected;
    for (u64 n = guest::argument("n", 1); n != 0 && found == expected; --n) {
        found = work();
    }
    guest::finish(name, found, expected);
}
