// Covers: explain/vmcs12.cpp
#include "tests/fuzz/dump_properties.hpp"

// The binary of KVM_GET_NESTED_STATE.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
