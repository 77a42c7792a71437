// Covers: explain/dump_scanner.cpp explain/line_decoder.cpp explain/log_prefixes.cpp
// Covers: explain/record_joiner.cpp explain/words.cpp explain/draft.cpp
#include "tests/fuzz/dump_properties.hpp"

// The scanner as a whole and its text layer: lines, transport encodings, prefixes, joined lines.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
