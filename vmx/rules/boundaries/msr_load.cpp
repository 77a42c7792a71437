#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> msr_load_boundaries() {
    return {
        {"load.msr.fs_base",
         long_mode,
         {msr_entry(0xc000'0100, 0x1000)},
         {msr_entry(0xc000'0102, 0x1000)},
         {}},
    };
}

}  // namespace hyperstep::vmx
