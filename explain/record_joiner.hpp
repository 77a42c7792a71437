#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hyperstep::explain {

/// What one printf wrote: a line, or several that a mailer had wrapped. Log prefixes are gone.
struct Record {
    std::size_t line_first = 0;
    std::size_t line_last = 0;
    std::string text;
};

/// Puts wrapped lines together again.
class RecordJoiner {
public:
    /// Takes the next line; returns the record before it if this line does not continue it.
    std::optional<Record> next(std::size_t number, std::string_view text);
    std::optional<Record> finish();

private:
    bool continues(std::string_view text) const;

    std::optional<Record> pending_;
};

}  // namespace hyperstep::explain
