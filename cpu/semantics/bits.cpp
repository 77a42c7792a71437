#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> bits_rows() {
    return {};
}

}  // namespace hyperstep::cpu
