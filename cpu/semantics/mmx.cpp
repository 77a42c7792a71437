#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> mmx_rows() {
    return {};
}

}  // namespace hyperstep::cpu
