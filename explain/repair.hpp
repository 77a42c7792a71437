#pragma once
#include <span>
#include <vector>

#include "explain/verdict.hpp"

namespace hyperstep::explain {

/// Looks for the smallest change of VMCS fields that satisfies a broken check and breaks no other: fewest
/// bits first, then what a human would rather change (guest state before controls, a flag before a mode bit,
/// clearing before setting). The checker itself tries each candidate; the work is bounded. Empty if nothing
/// was found, and for MSR-load entries, which are no fields. `findings` are those of evaluate_all(state).
std::vector<Repair> find_repair(std::size_t check,
                                const vmx::State& state,
                                std::span<const vmx::Finding> findings);

}  // namespace hyperstep::explain
