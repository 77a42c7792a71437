// Covers: explain/haxm_dump.cpp explain/field_names.cpp
#include "tests/fuzz/dump_properties.hpp"

// HAXM's dump of the VMCS.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
