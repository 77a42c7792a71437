#pragma once
#include <cstdint>
#include <span>

#include "cpu/model.hpp"
#include "cpu/op.hpp"

namespace hyperstep::cpu {

/// Whether the next instruction in memory may be decoded into the same block.
enum class Flow : std::uint8_t {
    on,   ///< it runs next
    ends  ///< it may not: a branch, or an instruction that changes how code is fetched or decoded, or what is
          ///< due
};

/// An instruction: which processors have it, and how its handler is chosen. A form for which `select` gives
/// null is #UD. Several rows of one mnemonic are tried in order.
struct Row {
    std::uint16_t mnemonic = 0;  ///< a ZydisMnemonic
    Feature feature = Feature::always;
    Handler (*select)(const Form&) = nullptr;
    Flow flow = Flow::on;
};

// One function a family: transfer_rows(), arithmetic_rows() ...
#define FAMILY(identifier) std::span<const Row> identifier##_rows();
#include "cpu/families.def"
#undef FAMILY

/// For a row with one handler whatever the form.
template <Handler handler>
Handler only(const Form& /*form*/) {
    return handler;
}
/// For a row with one handler a size: of 16, 32 or 64 bits, or of 8 too.
template <template <class> class Operation>
Handler by_operand_size(const Form& form) {
    switch (form.operand_bytes) {
        case 1: return Operation<std::uint8_t>::run;
        case 2: return Operation<std::uint16_t>::run;
        case 4: return Operation<std::uint32_t>::run;
        default: return Operation<std::uint64_t>::run;
    }
}

}  // namespace hyperstep::cpu
