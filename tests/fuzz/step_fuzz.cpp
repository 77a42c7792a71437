// Covers: cpu/run.cpp cpu/fetch.cpp cpu/decode.cpp cpu/access.cpp cpu/boundary.cpp cpu/deliver.cpp
// Rooms: cpu
// With: tests/cpu/random_machine.cpp tests/cpu/random_state.cpp
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "tests/cpu/random_machine.hpp"

// Any program in any state, for some hundred ticks: nothing but the guest's memory is touched, the state
// stays one that a processor can be in, and without caches, tick by tick, the same happens.
namespace hyperstep::cpu {
namespace {

void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

void check(std::span<const std::uint8_t> input) {
    static RandomMachine machine;
    static Trail cached, plain;
    machine.run(input, {}, cached);
    if (!cached.complaint.empty()) fail(cached.complaint);
    machine.run(input, {.use_blocks = false, .use_tlb = false, .slice = 1}, plain);
    if (!plain.complaint.empty()) fail("without caches: " + plain.complaint);
    const std::string text = difference(cached, plain);
    if (!text.empty()) fail("with and without caches:\n" + text);
}

}  // namespace
}  // namespace hyperstep::cpu

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 2048) return 0;
    hyperstep::cpu::check({data, size});
    return 0;
}
