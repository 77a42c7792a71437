#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> crypto_rows() {
    return {};
}

}  // namespace hyperstep::cpu
