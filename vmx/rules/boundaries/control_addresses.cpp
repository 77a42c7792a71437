#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

namespace {

/// The two rules on the address of a 4-KByte structure. SDM "VM-Execution Control Fields" of "Checks on VMX
/// Controls".
struct AddressRules {
    std::string_view aligned;
    std::string_view width;
};

/// `enabling` puts the address into force; without its last change the address is not looked at. The
/// physical-address width is 46, or 32 where IA32_VMX_BASIC[48] is 1.
std::vector<Boundary> structure_address(AddressRules rules, Slot slot, std::vector<Change> enabling) {
    const auto with = [](std::vector<Change> changes, std::initializer_list<Change> more) {
        changes.insert(changes.end(), more);
        return changes;
    };
    const std::vector<Change> on = enabling;
    enabling.pop_back();
    const std::vector<Change> off = enabling;
    const Change narrow = set_bits(vmx_basic, 0x1'0000'0000'0000);
    return {
        {rules.aligned,
         long_mode,
         with(on, {assign(slot, 0x30'7800)}),
         with(on, {assign(slot, 0x30'7000)}),
         {}},
        {rules.aligned,
         long_mode,
         with(on, {assign(slot, 0x30'7001)}),
         with(off, {assign(slot, 0x30'7001)}),
         {}},
        {rules.width,
         long_mode,
         with(on, {assign(slot, 0x4000'0000'0000)}),
         with(on, {assign(slot, 0x2000'0000'0000)}),
         {}},
        {rules.width,
         long_mode,
         with(on, {assign(slot, 0x8000'0000'0000'0000)}),
         with(off, {assign(slot, 0x8000'0000'0000'0000)}),
         {}},
        {rules.width,
         long_mode,
         with(on, {assign(slot, 0x1'0000'0000), narrow}),
         with(on, {assign(slot, 0x8000'0000), narrow}),
         {}},
        {rules.width,
         long_mode,
         with(on, {assign(slot, 0x1'0000'0000), narrow}),
         with(on, {assign(slot, 0x1'0000'0000)}),
         {}},
    };
}

void append(std::vector<Boundary>& all, const std::vector<Boundary>& some) {
    all.insert(all.end(), some.begin(), some.end());
}

}  // namespace

std::vector<Boundary> control_address_boundaries() {
    std::vector<Boundary> all;
    append(all,
           structure_address({"ctl.io_bitmap_a.aligned", "ctl.io_bitmap_a.width"},
                             io_bitmap_a,
                             {turn_on(primary::use_io_bitmaps)}));
    append(all,
           structure_address({"ctl.io_bitmap_b.aligned", "ctl.io_bitmap_b.width"},
                             io_bitmap_b,
                             {turn_on(primary::use_io_bitmaps)}));
    append(all,
           structure_address({"ctl.msr_bitmap.aligned", "ctl.msr_bitmap.width"},
                             msr_bitmap,
                             {turn_on(primary::use_msr_bitmaps)}));
    append(all,
           structure_address({"ctl.virtual_apic.aligned", "ctl.virtual_apic.width"},
                             virtual_apic_addr,
                             {turn_on(primary::use_tpr_shadow)}));
    append(all,
           structure_address({"ctl.apic_access.aligned", "ctl.apic_access.width"},
                             apic_access_addr,
                             {turn_on(secondary::virtualize_apic_accesses)}));
    append(
        all,
        structure_address({"ctl.pml.aligned", "ctl.pml.width"}, pml_addr, {turn_on(secondary::enable_pml)}));
    append(all,
           structure_address({"ctl.spptp.aligned", "ctl.spptp.width"},
                             spptp,
                             {turn_on(secondary::sub_page_write_permissions)}));
    append(all,
           structure_address({"ctl.eptp_list.aligned", "ctl.eptp_list.width"},
                             eptp_list_addr,
                             {turn_on(secondary::enable_vm_functions), assign(vmfunc_controls, 0x1)}));
    append(all,
           structure_address({"ctl.eptp_list.aligned", "ctl.eptp_list.width"},
                             eptp_list_addr,
                             {assign(vmfunc_controls, 0x1), turn_on(secondary::enable_vm_functions)}));
    append(all,
           structure_address({"ctl.vmread_bitmap.aligned", "ctl.vmread_bitmap.width"},
                             vmread_bitmap,
                             {turn_on(secondary::vmcs_shadowing)}));
    append(all,
           structure_address({"ctl.vmwrite_bitmap.aligned", "ctl.vmwrite_bitmap.width"},
                             vmwrite_bitmap,
                             {turn_on(secondary::vmcs_shadowing)}));
    append(all,
           structure_address({"ctl.ve_info.aligned", "ctl.ve_info.width"},
                             ve_info_addr,
                             {turn_on(secondary::ept_violation_ve)}));
    append(all,
           structure_address({"ctl.pasid.low.aligned", "ctl.pasid.low.width"},
                             low_pasid_dir_addr,
                             {turn_on(secondary::pasid_translation)}));
    append(all,
           structure_address({"ctl.pasid.high.aligned", "ctl.pasid.high.width"},
                             high_pasid_dir_addr,
                             {turn_on(secondary::pasid_translation)}));
    return all;
}

}  // namespace hyperstep::vmx
