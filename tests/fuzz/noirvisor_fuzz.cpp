// Covers: explain/noirvisor_dump.cpp explain/segment_slots.cpp
#include "tests/fuzz/dump_properties.hpp"

// NoirVisor's print of the guest state.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
