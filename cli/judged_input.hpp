#pragma once
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "explain/report_sarif.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::cli {

/// The processor on which dumps are judged: chosen by --cpu and --msrs, else the one that a dump names, else
/// unknown.
class Bench {
public:
    /// The error is a sentence for stderr.
    static tl::expected<Bench, std::string> of(const std::string& cpu_name, const std::string& msrs_file);

    explain::JudgedDump judge(explain::Dump dump) const;
    vmx::Capabilities processor_of(const explain::Dump& dump) const;

private:
    vmx::Capabilities chosen_;
    bool is_chosen_ = false;
};

/// The dumps of a file, judged, and why it could not be read to its end, if so (a sentence for stderr).
struct JudgedInput {
    explain::JudgedFile content;
    std::optional<std::string> problem;
};

/// Reads a file ("-": standard input) in pieces, with a count of what was read on stderr if that is a
/// terminal and it takes longer than a second, and judges the dumps in it.
JudgedInput judge_file(const std::string& file, const Bench& bench);

}  // namespace hyperstep::cli
