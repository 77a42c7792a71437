#pragma once
#include <cstddef>
#include <cstdint>

namespace hyperstep::explain {

/// Reads any bytes as dumps, and aborts if what must hold of every input does not: what is found does not
/// depend on how the input is cut, is within the input and within the fields' widths, can be written and read
/// again, and can be judged and reported. The targets of the dump families differ in their corpora only.
void check_dumps(const std::uint8_t* data, std::size_t size);

}  // namespace hyperstep::explain
