#include "cli/input_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace hyperstep::cli {
namespace {

std::string problem(const std::string& file, int error) {
    return (file == "-" ? "standard input" : file) + ": " + std::generic_category().message(error);
}

struct Close {
    void operator()(std::FILE* f) const {
        if (f != stdin) std::fclose(f);
    }
};

/// Reads to the end, or until `take` says that it has had enough.
std::optional<std::string> read_while(const std::string& file,
                                      const std::function<bool(std::string_view)>& take) {
    const std::unique_ptr<std::FILE, Close> stream{file == "-" ? stdin : std::fopen(file.c_str(), "rb")};
    if (!stream) return problem(file, errno);
    std::array<char, std::size_t{1} << 16U> buffer{};
    for (;;) {
        errno = 0;
        const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), stream.get());
        const int error = errno;
        const bool enough = count != 0 && !take({buffer.data(), count});
        if (std::ferror(stream.get()) != 0) return problem(file, error != 0 ? error : EIO);
        if (count == 0 || enough) return std::nullopt;
    }
}

}  // namespace

std::optional<std::string> read_pieces(const std::string& file,
                                       const std::function<void(std::string_view)>& take) {
    return read_while(file, [&](std::string_view piece) {
        take(piece);
        return true;
    });
}

tl::expected<std::string, std::string> read_whole(const std::string& file, std::size_t most) {
    std::string text;
    const auto unreadable = read_while(file, [&](std::string_view piece) {
        text += piece;
        return text.size() <= most;
    });
    if (unreadable) return tl::unexpected(*unreadable);
    if (text.size() > most)
        return tl::unexpected((file == "-" ? "standard input" : file) + ": is longer than " +
                              std::to_string(most) + " bytes");
    return text;
}

}  // namespace hyperstep::cli
