#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> control_boundaries() {
    return {
        {"instr.not_in_vmx", long_mode, {assign(in_vmx_operation, 0)}, {assign(in_vmx_operation, 1)}, {}},
        {"ctl.pin.must_be_1", long_mode, {assign(pin_controls, 0x1d)}, {assign(pin_controls, 0x16)}, {}},
        {"ctl.nmi.window_needs_virtual_nmis",
         long_mode,
         {turn_on(primary::nmi_window_exiting)},
         {turn_on(primary::nmi_window_exiting), turn_on(pin::virtual_nmis)},
         {}},
        {"ctl.apic_access.width",
         long_mode,
         {turn_on(secondary::virtualize_apic_accesses), assign(apic_access_addr, 0x4000'0000'0000)},
         {turn_on(secondary::virtualize_apic_accesses), assign(apic_access_addr, 0x3fff'ffff'f000)},
         {}},
    };
}

}  // namespace hyperstep::vmx
