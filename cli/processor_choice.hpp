#pragma once
#include <string>
#include <tl/expected.hpp>

#include "vmx/rules/capabilities.hpp"

namespace hyperstep::cli {

/// The processor that --cpu and --msrs choose: the preset `name` (empty: unknown), then what the file of MSRs
/// says (empty: none). The error is a sentence for stderr.
tl::expected<vmx::Capabilities, std::string> choose_processor(const std::string& name,
                                                              const std::string& msrs_file);

}  // namespace hyperstep::cli
