#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> sse_integer_rows() {
    return {};
}

}  // namespace hyperstep::cpu
