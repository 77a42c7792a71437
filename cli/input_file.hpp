#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace hyperstep::cli {

/// Reads a file ("-": standard input) in pieces of at most 64 KiB, in order. If it cannot be read to its end:
/// a sentence for stderr that names the file and the reason.
std::optional<std::string> read_pieces(const std::string& file,
                                       const std::function<void(std::string_view)>& take);

/// A whole file, read no further than `most` bytes. The error is a sentence for stderr; a longer file is one.
tl::expected<std::string, std::string> read_whole(const std::string& file, std::size_t most);

}  // namespace hyperstep::cli
