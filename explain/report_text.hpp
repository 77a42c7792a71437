#pragma once
#include <string>

#include "explain/dump.hpp"
#include "explain/verdict.hpp"

namespace hyperstep::explain {

enum class Colour : std::uint8_t { plain, ansi };
enum class Listing : std::uint8_t {
    findings,   ///< broken checks, and in short what is unknown
    all_rules,  ///< every rule's standing as well
};
struct TextOptions {
    Colour colour = Colour::plain;
    Listing listing = Listing::findings;
};

/// A verdict for people: what was reported, each broken check with the values' bits and the smallest change,
/// whether this agrees with the report, what to collect to tell the rest. Ends with a newline.
std::string report_text(const Dump& dump,
                        const vmx::Capabilities& cpu,
                        const Verdict& verdict,
                        TextOptions options = {});

}  // namespace hyperstep::explain
