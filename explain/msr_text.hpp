#pragma once
#include <string_view>
#include <tl/expected.hpp>

#include "explain/state_json.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::explain {

/// Reads a processor's capability MSRs in the forms people have, on top of `base`:
///   * a line for each MSR, index or name first: "0x48b: 0x5fbcff00000000", "IA32_VMX_BASIC =
///   0xda040000000004";
///   * `rdmsr` as typed and printed: a line with "rdmsr" and the index, then the value once, or once a
///   processor (-a);
///   * JSON: {"0x480":"0x...","MAXPHYADDR":39}, or a whole state object with "cpu".
/// Values are hexadecimal, with or without 0x. Lines that begin with # and MSRs that are no VMX capability
/// are passed over. Refused: a value that is no number, processors that differ, a text without any capability
/// MSR.
tl::expected<vmx::Capabilities, TextError> read_msrs(std::string_view text, const vmx::Capabilities& base);

}  // namespace hyperstep::explain
