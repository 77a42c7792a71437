#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "machine/boot.hpp"
#include "machine/memory_map.hpp"
#include "machine/symbols.hpp"

// The files of `hyperstep run`.
namespace hyperstep::cli {

/// What the command line says of the image.
struct ImageOptions {
    std::string file, command_line;
    std::vector<std::string> modules;  ///< FILE or FILE,TEXT
    std::string flat, entry;           ///< addresses; empty: not given
    std::string entry_mode;            ///< "real" and so on; empty: not given
};

/// The files as they were read, and what is to be done with them.
struct GuestImage {
    std::vector<std::string> files;  ///< the image first, then the modules
    machine::BootPlan plan;          ///< points into the strings above, which a move leaves where they are
};

/// A size such as 512M: K, M, G are powers of 1024; 0x is understood. Nothing: not a size.
std::optional<std::uint64_t> size_in(std::string_view text);

/// Reads and plans. The error is a sentence for stderr that names the file.
tl::expected<GuestImage, std::string> read_image(const ImageOptions& options,
                                                 const machine::MemoryMap& memory);
/// Of `file`; of the image itself if it is empty and the image has some.
tl::expected<machine::Symbols, std::string> read_symbols(const std::string& file, const GuestImage& image);

}  // namespace hyperstep::cli
