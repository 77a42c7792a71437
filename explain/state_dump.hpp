#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "explain/draft.hpp"
#include "explain/line_decoder.hpp"

namespace hyperstep::explain {

/// Our own state objects, as JSON over one line or many, also inside what `generate` and `vmcs check` print.
class StateObjects {
public:
    explicit StateObjects(DumpStore& store) : store_{store} {}
    /// True if the line is part of an object. `stripped` is the line without log prefixes.
    bool take(const TextLine& line, std::string_view stripped);

private:
    void append(std::string_view text);
    void complete();

    DumpStore& store_;
    std::string text_;
    std::size_t first_ = 0;
    std::size_t last_ = 0;
    int depth_ = 0;  // of braces and brackets
    bool in_string_ = false;
    bool escaped_ = false;
    bool prefixed_ = false;  // the object's lines have a log prefix
};

}  // namespace hyperstep::explain
