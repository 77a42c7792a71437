#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> segments_rows() {
    return {};
}

}  // namespace hyperstep::cpu
