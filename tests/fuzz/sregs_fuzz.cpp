// Covers: explain/sregs_dump.cpp explain/guest_view.cpp
#include "tests/fuzz/dump_properties.hpp"

// Prints of KVM_GET_SREGS.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
