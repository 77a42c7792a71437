// Covers: explain/vmcs_dump.cpp explain/vmcs_lines.cpp explain/xen_dump.cpp explain/segment_slots.cpp
#include "tests/fuzz/dump_properties.hpp"

// Xen's vmcs_dump_vcpu() and its failure banner.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
