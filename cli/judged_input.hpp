#pragma once
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "explain/report_sarif.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::cli {

/// The processor on which dumps are judged: chosen by --cpu and --msrs, else the one that a dump names, else
/// unknown.
class ChosenProcessor {
public:
    /// The error is a sentence for stderr.
    static tl::expected<ChosenProcessor, std::string> of(const std::string& cpu_name,
                                                         const std::string& msrs_file);

    explain::JudgedDump judge(explain::Dump dump) const;
    vmx::Capabilities processor_of(const explain::Dump& dump) const;

private:
    vmx::Capabilities chosen_;
    bool is_chosen_ = false;
};

/// The dumps of a file, judged. A file that cannot be read to its end, or a state of ours in it that cannot
/// be used, is a problem: a sentence for stderr that names it.
struct JudgedInput {
    explain::JudgedFile content;
    std::vector<std::string> problems;
};

/// Reads a file ("-": standard input) in pieces, with a count of what was read on stderr if that is a
/// terminal and it takes longer than a second, and judges the dumps in it.
JudgedInput judge_file(const std::string& file, const ChosenProcessor& processor);

}  // namespace hyperstep::cli
