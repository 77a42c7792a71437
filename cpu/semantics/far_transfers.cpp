#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> far_transfers_rows() {
    return {};
}

}  // namespace hyperstep::cpu
