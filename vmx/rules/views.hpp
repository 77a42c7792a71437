#pragma once
#include <cstdint>

#include "vmx/rules/known.hpp"
#include "vmx/rules/state.hpp"

namespace hyperstep::vmx {

/// A complete state, read at full speed. The caller has made sure that State::complete().
struct ExactView {
    using Word = ExactWord;
    using Bool = bool;
    const std::uint64_t* values;
    Word operator[](Slot s) const { return Word{values[position(s)]}; }
};

/// A state of which something may be unknown.
struct PartialView {
    using Word = PartialWord;
    using Bool = Truth;
    const State& state;
    Word operator[](Slot s) const { return state[s]; }
};

}  // namespace hyperstep::vmx
