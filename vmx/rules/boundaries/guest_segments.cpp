#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> guest_segment_boundaries() {
    return {
        {"guest.seg.ds.type_accessed", long_mode, {assign(guest_ds_ar, 0xc092)}, {assign(guest_ds_ar, 0xc091)}, {}},
    };
}

}  // namespace hyperstep::vmx
