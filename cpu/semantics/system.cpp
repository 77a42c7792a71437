#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> system_rows() {
    return {};
}

}  // namespace hyperstep::cpu
