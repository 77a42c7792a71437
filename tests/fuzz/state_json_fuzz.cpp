// Covers: explain/state_json_read.cpp explain/state_json_write.cpp explain/memory_image.cpp
// Covers: explain/state_dump.cpp
#include <algorithm>
#include <cstdlib>
#include <string>

#include "explain/state_json.hpp"
#include "tests/fuzz/dump_properties.hpp"

// Our own state objects: what is read is written, and read again, without change; what is refused says where.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hyperstep;
    const std::string text(data, data + size);
    explain::check_dumps(data, size);
    const auto named = explain::read_state(text);
    if (!named) {
        const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
        if (named.error().what.empty() || named.error().line > lines) std::abort();
        return 0;
    }
    const std::string written = explain::write_state(named->state, named->cpu);
    const auto again = explain::read_state(written);
    if (!again) std::abort();
    if (named->state.complete() && again->state != named->state) std::abort();
    if (explain::write_state(again->state, again->cpu) != written) std::abort();
    return 0;
}
