#include "cpu/xsave.hpp"

#include <algorithm>

#include "cpu/extended_state.hpp"

namespace hyperstep::cpu {
namespace {

/// SDM "FINIT/FNINIT": what the x87 state is initialized to; the registers themselves are zero.
bool x87_is_initial(const FpuState& fpu) {
    FpuState initial;
    initial.control = 0x37f;
    initial.empty = 0xff;
    return fpu == initial;
}

}  // namespace

std::uint64_t components_in_use(const State& state) {
    const auto any_of = [&](std::size_t first, std::size_t last) {
        return std::any_of(state.vector.begin(), state.vector.end(), [&](const VectorRegister& each) {
            return std::any_of(each.begin() + static_cast<std::ptrdiff_t>(first),
                               each.begin() + static_cast<std::ptrdiff_t>(last),
                               [](std::uint64_t part) { return part != 0; });
        });
    };
    std::uint64_t in_use = 0;
    if (!x87_is_initial(state.fpu)) in_use |= 1U << component::x87;
    if (any_of(0, 2)) in_use |= 1U << component::sse;
    if (any_of(2, 4)) in_use |= 1U << component::avx;
    if (state.pkru != 0) in_use |= 1U << component::pkru;
    return in_use;
}

}  // namespace hyperstep::cpu
