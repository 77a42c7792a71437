#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> avx_integer_rows() {
    return {};
}

}  // namespace hyperstep::cpu
