// Covers: explain/virtualbox_dump.cpp explain/segment_slots.cpp
#include "tests/fuzz/dump_properties.hpp"

// VirtualBox's release log after a failed entry.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
