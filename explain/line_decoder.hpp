#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hyperstep::explain {

/// One line of the input, decoded, without its end.
struct TextLine {
    std::size_t number = 0;  ///< from 1
    std::string text;
};

/// Cuts bytes into lines and undoes what transport did to them: CR LF, quoted-printable with soft line
/// breaks, no-break spaces, colour escapes, byte order marks, HTML's tags of preformatted text and character
/// references. Control characters become blanks. Lines that begin with # and lines with NUL bytes are left
/// out. A line keeps its first 64 KiB.
class LineDecoder {
public:
    /// Appends the lines that `piece` completes.
    void feed(std::string_view piece, std::vector<TextLine>& lines);
    /// Ends the input. A last line without an end may have been cut: its last word is dropped, for a number
    /// there could have been longer.
    void finish(std::vector<TextLine>& lines);

private:
    void complete(std::vector<TextLine>& lines);

    std::string raw_;      // the line so far
    std::string decoded_;  // what soft line breaks have joined so far
    std::size_t number_ = 0;
    std::size_t first_ = 0;  // where decoded_ began
    bool soft_break_ = false;
    bool quoted_printable_ = false;  // "=3D" has been seen
};

/// Strips what logs and mail put before a line: quoting marks, timestamps, "[ 123.456]", "(XEN)", "host
/// kernel:", "kvm_intel:", logcat's and container logs' columns, and prefixes that an unmistakable line has
/// taught.
class PrefixStripper {
public:
    std::string_view strip(std::string_view line);

private:
    void learn(std::string_view line);

    std::vector<std::string> learned_;  // newest last; runs of digits as one 0
};

}  // namespace hyperstep::explain
