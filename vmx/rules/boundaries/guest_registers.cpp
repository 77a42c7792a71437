#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> guest_register_boundaries() {
    return {
        {"guest.cr0.pg_needs_pe", real_mode, {assign(guest_cr0, 0x8000'0030)}, {assign(guest_cr0, 0x8000'0031)}, {}},
    };
}

}  // namespace hyperstep::vmx
