#pragma once
#include <functional>
#include <span>

#include "tests/cpu/table_machine.hpp"

namespace hyperstep::cpu {

/// One check of a transfer: what breaks it, and the fault that follows. Rows stand in the manual's order.
struct Check {
    const char* what;
    void (*violate)(TableMachine& machine);
    Fault expected;
};

/// Each check alone gives its fault; so it does when all the checks after it are violated as well. `attempt`
/// sets up a machine, lets the row violate it, makes the transfer and gives its outcome. Nothing of the
/// processor changes.
void expect_checks_in_order(std::span<const Check> checks,
                            const std::function<void(TableMachine&)>& prepare,
                            const std::function<Outcome(TableMachine&)>& attempt);

/// Changes bits of a descriptor of the GDT.
inline void clear_bits(TableMachine& machine, std::uint16_t selector, std::uint64_t bits) {
    machine.set_descriptor(selector, machine.descriptor(selector) & ~bits);
}
inline void set_bits(TableMachine& machine, std::uint16_t selector, std::uint64_t bits) {
    machine.set_descriptor(selector, machine.descriptor(selector) | bits);
}
inline constexpr std::uint64_t present_bit = 1ULL << 47, dpl_bits = 3ULL << 45, code_bit = 1ULL << 43,
                               writable_bit = 1ULL << 41, granularity_bit = 1ULL << 55,
                               accessed_bit = 1ULL << 40;

}  // namespace hyperstep::cpu
