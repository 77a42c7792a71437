#pragma once
#include <string>
#include <tl/expected.hpp>

namespace hyperstep::machine {

/// Why a file cannot be booted.
struct ImageProblem {
    std::string field;  ///< what of the file is wrong: "e_phoff", "multiboot header: load_addr"
    std::string what;   ///< what is wrong with it
    std::string cure;   ///< what would be right; may be empty
    /// One sentence: "e_phoff: lies beyond the end of the file; is the file complete?"
    std::string sentence() const { return field + ": " + what + (cure.empty() ? "" : "; " + cure); }
};

template <class T>
using ImageExpected = tl::expected<T, ImageProblem>;

inline tl::unexpected<ImageProblem> image_problem(std::string field, std::string what, std::string cure) {
    return tl::unexpected{ImageProblem{std::move(field), std::move(what), std::move(cure)}};
}

}  // namespace hyperstep::machine
