#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "cpu/state.hpp"
#include "tests/cpu/random_machine.hpp"

namespace hyperstep::cpu {

/// Writes to RAM.
class Ram {
public:
    explicit Ram(std::span<std::byte> bytes) : bytes_{bytes} {}
    void put(std::uint64_t address, std::uint64_t value, unsigned count = 8);
    void put_code(std::uint64_t address, std::initializer_list<std::uint8_t> code);

private:
    std::span<std::byte> bytes_;
};

/// Paging structures, descriptor tables, task states and handlers of every mode.
void put_tables(Ram ram);
/// A state that a processor can be in, which uses those tables; a program; some words of RAM that are
/// changed. All chosen by numbers.
State random_state(Numbers& numbers, Ram ram);

}  // namespace hyperstep::cpu
