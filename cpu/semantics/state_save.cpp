#include "cpu/families.hpp"

namespace hyperstep::cpu {

std::span<const Row> state_save_rows() {
    return {};
}

}  // namespace hyperstep::cpu
