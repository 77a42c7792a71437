// Covers: base/archive.cpp base/archive.hpp base/fields.hpp
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/base/machine_state.hpp"

// What loads saves to the same bytes; what does not load says where within them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hyperstep;
    const std::span<const std::uint8_t> bytes{data, size};
    const auto loaded = load<archive_test::MachineState>(bytes);
    if (!loaded) {
        if (loaded.error().offset > size || to_string(loaded.error().kind).empty()) std::abort();
        return 0;
    }
    const auto saved = save(*loaded);
    if (!std::equal(saved.begin(), saved.end(), bytes.begin(), bytes.end())) std::abort();
    const archive_test::MachineState other = archive_test::busy_state();
    const bool same = differences(*loaded, other).empty();
    if (same != (state_hash(*loaded) == state_hash(other))) std::abort();
    return 0;
}
