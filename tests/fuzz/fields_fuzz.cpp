// Covers: explain/field_list.cpp explain/field_names.cpp
#include "tests/fuzz/dump_properties.hpp"

// Lists of fields, by name and by encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hyperstep::explain::check_dumps(data, size);
    return 0;
}
