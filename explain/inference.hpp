#pragma once
#include "explain/dump.hpp"
#include "vmx/rules/entry_check.hpp"

namespace hyperstep::explain {

/// How far the entry came that a dump reports, as far as the report proves it.
enum class Reach : std::uint8_t {
    nothing_reported,  ///< no report, or one that says nothing of where the entry stopped
    instruction,       ///< VMfailValid by a check of the instruction itself: errors 4, 5, 26
    control,           ///< error 7, and the errors of entries that return from SMM
    host,              ///< error 8
    guest,             ///< exit reason 33
    msr_load,          ///< exit reason 34
    machine_check,     ///< exit reason 41: all checks were passed
    entered,           ///< any other VM exit: the entry succeeded
};
Reach reach_of(const Reported& reported);

/// A check of this stage may be why the reported entry failed: what was reported does not prove that it held,
/// nor that the processor never came to it.
bool may_be_cause(vmx::Stage stage, Reach reach);

/// What the report proves of the processor, set where the dump does not know it: that the instruction checks
/// held (VMX root operation, CPL 0, protected mode, no compatibility mode, a current ordinary VMCS, no
/// blocking by MOV SS, outside SMM), the launch state, and IA32_EFER.LMA once the host checks are passed. Our
/// own JSON is taken at its word except for what its report proves. SDM "VMLAUNCH/VMRESUME-Launch/Resume
/// Virtual Machine", "Basic VM-Entry Checks", "Checks Related to Address-Space Size".
void infer_processor(vmx::State& state, const Dump& dump);

}  // namespace hyperstep::explain
