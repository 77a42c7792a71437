#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "explain/state_json.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::explain {

/// One capability that a file gives.
struct GivenCapability {
    vmx::Slot slot;
    std::uint64_t value;
    std::size_t line;  ///< where it was said first, from 1
};

/// What a list of MSRs says about a processor.
struct MsrFile {
    std::vector<GivenCapability> given;  ///< each slot once
    std::vector<std::string> notes;      ///< what was passed over, or looks wrong: sentences for the reader

    /// `base` with the given slots replaced. The default base is a processor of which nothing else is known.
    vmx::Capabilities over(vmx::Capabilities base = {}) const;
};

/// Reads the VMX capability MSRs in the forms that people have:
///   0x48b: 0x5fbcff00000000          48b 5fbcff00000000          IA32_VMX_BASIC = 0xda040000000004 BASIC
///   0x...
///   "# rdmsr -a 0x480" and then its output, a value a CPU        {"0x480":"0x...","MAXPHYADDR":39}
///   MAXPHYADDR 39, and the other names of capabilities.def; the "address sizes" line of /proc/cpuinfo
/// MSR values are hexadecimal with or without 0x, other numbers decimal unless they begin with 0x.
/// Lines that begin with # and name no rdmsr command are comments. MSRs of other kinds are passed over with a
/// note. Refused: text without any capability, numbers beyond 64 bits, a capability that two lines give
/// differently, anything that is none of these forms, more than max_msr_file_bytes.
tl::expected<MsrFile, TextError> read_msrs(std::string_view text);

inline constexpr std::size_t max_msr_file_bytes = 1U << 20U;

}  // namespace hyperstep::explain
