#pragma once
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <unistd.h>

namespace hyperstep::vmx {

/// Records which rules a test run has reached, for `hyperstep rules --coverage DIR`: with
/// HYPERSTEP_COVERAGE_DIR set, a line {"id","outcome"} in a file of this process there; otherwise nothing.
inline void record_coverage(std::string_view id, std::string_view outcome) {
    static std::mutex mutex;
    static std::ofstream file = [] {
        std::ofstream opened;
        if (const char* directory = std::getenv("HYPERSTEP_COVERAGE_DIR"))
            opened.open(std::string{directory} + "/entry_checks." + std::to_string(::getpid()) + ".jsonl",
                        std::ios::app);
        return opened;
    }();
    const std::lock_guard lock{mutex};
    if (file.is_open()) file << R"({"id":")" << id << R"(","outcome":")" << outcome << "\"}" << std::endl;
}

}  // namespace hyperstep::vmx
