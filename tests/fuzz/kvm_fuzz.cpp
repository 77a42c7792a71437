// Covers: explain/vmcs_dump.cpp explain/vmcs_lines.cpp explain/kvm_dump.cpp explain/segment_slots.cpp
#include "tests/fuzz/dump_properties.hpp"

// KVM's dump_vmcs().
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
