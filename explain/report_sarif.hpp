#pragma once
#include <span>
#include <string>
#include <vector>

#include "explain/report_json.hpp"

namespace hyperstep::explain {

/// The dumps of one file, with the name under which it was given.
struct JudgedFile {
    std::string file;
    std::vector<JudgedDump> dumps;
};

/// A SARIF 2.1.0 log of one run, for code-scanning services: each broken check is a result of level "error"
/// at the dump's lines; a check that the report points to but that cannot be told is a result of kind "open".
std::string report_sarif(std::span<const JudgedFile> files);

}  // namespace hyperstep::explain
