#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> guest_non_register_boundaries() {
    return {
        {"guest.int.sti_needs_if",
         long_mode,
         {assign(guest_interruptibility, 0x1), assign(guest_rflags, 0x2)},
         {assign(guest_interruptibility, 0x1), assign(guest_rflags, 0x202)},
         {}},
    };
}

}  // namespace hyperstep::vmx
