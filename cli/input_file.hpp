#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hyperstep::cli {

/// Reads a file ("-": standard input) in pieces of at most 64 KiB, in order. If it cannot be read to its end:
/// a sentence for stderr that names the file and the reason.
std::optional<std::string> read_pieces(const std::string& file,
                                       const std::function<void(std::string_view)>& take);

}  // namespace hyperstep::cli
