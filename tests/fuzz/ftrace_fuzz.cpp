// Covers: explain/ftrace_dump.cpp
#include "tests/fuzz/dump_properties.hpp"

// KVM's trace events.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
