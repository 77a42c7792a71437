#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> x87_rows() {
    return {};
}

}  // namespace hyperstep::cpu
