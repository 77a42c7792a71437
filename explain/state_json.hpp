#pragma once
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "vmx/rules/state.hpp"

namespace hyperstep::explain {

/// Why a text was refused: where, and what would be right.
struct TextError {
    std::size_t line = 0;  ///< from 1; 0 if the text as a whole is meant
    std::string what;      ///< names the key or value and the cure
};

/// A state as the `hyperstep/state/1` object says it, with the processor it names installed.
struct NamedState {
    vmx::State state;
    std::string cpu;        ///< a preset's name; empty if the object gives MSRs, or nothing
    bool cpu_given = false; ///< the object names a processor or gives its MSRs
};

/// Reads a `hyperstep/state/1` object. Memory that the fields point to (MSR-load area, link pointer, virtual-APIC page,
/// PDPTEs, ...) is taken from "memory". With "complete", absent fields, processor state and memory are 0.
tl::expected<NamedState, TextError> read_state(std::string_view json);

/// Writes the same object on one line: known fields only, unless the state is complete (then fields that are 0 are left
/// out). `cpu` names the preset whose capabilities the state has; if they differ, the MSRs are written out.
std::string write_state(const vmx::State& state, std::string_view cpu);

}  // namespace hyperstep::explain
