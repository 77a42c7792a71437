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
    std::string cpu;         ///< a preset's name; empty if the object gives MSRs, or nothing
    bool cpu_given = false;  ///< the object names a processor or gives its MSRs
};

/// The largest text that read_state takes, in bytes.
inline constexpr std::size_t max_state_text = std::size_t{64} << 20U;

/// Reads a `hyperstep/state/1` object.
///
/// Memory that the fields point to (current VMCS, link pointer, executive-VMCS pointer, byte 80H of the
/// virtual-APIC page, PDPTEs at CR3, MSR-load area) is taken from "memory". Without "complete", what is not
/// given is unknown.
///
/// With "complete", absent fields, processor state and memory are 0, except for what a processor that runs a
/// hypervisor has: it is in VMX root operation at CPL 0 outside SMM, CR0 is 80050033H, RFLAGS 2, IA32_EFER
/// D01H and CS.L 1 (both 0 if "host address-space size" is 0), current VMCS at 1000H, VMXON region at 2000H,
/// executive VMCS launched with valid controls; the current VMCS begins with the processor's revision
/// identifier unless "memory" covers it; the launch state fits the instruction.
///
/// Beyond those keys: "cpu" as an object takes names of capability facts ("MAXPHYADDR"); "fields" takes
/// encodings
/// ("0x681e"); "options" chooses where the manual leaves something open; "fetched" gives what an entry would
/// read from memory directly, by slot name ("mem.vtpr"), and wins over "memory": a number, or
/// {"at":address,"value":number}, which counts only while the state leads to that address; "msr_load_entries"
/// says how many entries of the MSR-load area are there, if not as many as the count field says.
tl::expected<NamedState, TextError> read_state(std::string_view json);

/// Writes the same object on one line: known fields only, unless the state is complete (then fields that are
/// 0 are left out). Slots of which only some bits are known are left out. `cpu` names the preset whose
/// capabilities the state has; if they differ, the MSRs are written out. read_state gives back an equal state
/// for every complete one whose capabilities are fully known, or as unknown as Capabilities() has them.
std::string write_state(const vmx::State& state, std::string_view cpu);

}  // namespace hyperstep::explain
