#pragma once
#include <optional>
#include <string>
#include <vector>

#include "explain/dump.hpp"
#include "explain/verdict.hpp"
#include "vmx/rules/exit_reasons.hpp"

// What the text and the JSON report have in common.
namespace hyperstep::explain {

/// The change of a repair in words: "guest_interruptibility: 0x9 -> 0x8 (clear bit 0)". For what is no field,
/// what the hypervisor has to do. `state` is the judged one.
std::string fix_in_words(const BrokenRule& broken, const vmx::State& state);

/// What the processor reported, in one sentence without a full stop; empty if the dump reports nothing.
std::string reported_in_words(const Dump& dump);

/// The exit that the dump shows: its information fields as far as they are known. Nothing if no exit reason
/// was reported, or if VMLAUNCH or VMRESUME failed without one.
std::optional<vmx::ExitRecord> reported_exit(const Dump& dump);

/// The information fields that such an exit gives and the dump has, beside exit reason and qualification.
std::vector<vmx::Slot> exit_fields(const Dump& dump);

/// What somebody has to collect to tell the rest: one thing to do or to read a line; empty if nothing is
/// missing.
std::vector<std::string> to_collect(const Dump& dump, const Verdict& verdict);

}  // namespace hyperstep::explain
