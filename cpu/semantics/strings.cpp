#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> strings_rows() {
    return {};
}

}  // namespace hyperstep::cpu
