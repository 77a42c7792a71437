#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> sse_float_rows() {
    return {};
}

}  // namespace hyperstep::cpu
