#pragma once
#include <filesystem>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

// The hyperstep command as a shell sees it: what goes to stdout and stderr, and the exit status.
namespace hyperstep::cli {

struct Outcome {
    int status;
    std::string out, err;
};
/// Runs the command in this process; `arguments` are those behind the program's name.
Outcome run(const std::vector<std::string>& arguments);
/// The same with stdout going to `out`; Outcome::out stays empty.
Outcome run_into(std::streambuf& out, const std::vector<std::string>& arguments);

bool has(const std::string& text, std::string_view words);

/// A folder for files, as long as it lives.
class Folder {
public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    /// Writes a file there and returns its path.
    std::string write(const std::string& name, std::string_view text) const;
    std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

}  // namespace hyperstep::cli
