#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> host_boundaries() {
    return {
        // `all` has 46 physical-address bits and LAM.
        {"host.cr3.width",
         long_mode,
         {assign(host_cr3, 0x4000'0000'1000)},
         {assign(host_cr3, 0x6000'3fff'ffff'f000)},
         {}},
    };
}

}  // namespace hyperstep::vmx
