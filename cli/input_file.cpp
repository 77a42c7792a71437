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

}  // namespace

std::optional<std::string> read_pieces(const std::string& file,
                                       const std::function<void(std::string_view)>& take) {
    const std::unique_ptr<std::FILE, Close> stream{file == "-" ? stdin : std::fopen(file.c_str(), "rb")};
    if (!stream) return problem(file, errno);
    std::array<char, std::size_t{1} << 16U> buffer{};
    for (;;) {
        errno = 0;
        const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), stream.get());
        const int error = errno;
        if (count != 0) take({buffer.data(), count});
        if (std::ferror(stream.get()) != 0) return problem(file, error != 0 ? error : EIO);
        if (count == 0) return std::nullopt;
    }
}

}  // namespace hyperstep::cli
