#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> flags_rows() {
    return {};
}

}  // namespace hyperstep::cpu
