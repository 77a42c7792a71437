#include <array>
#include <span>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::vmx {
namespace {

using enum Slot;
struct Value {
    Slot slot;
    std::uint64_t value;
};

/// VMLAUNCH from 64-bit root operation at CPL 0, outside SMM.
constexpr Value processor[] = {
    {instruction, 0},
    {launch_state, 0},
    {current_vmcs, 0x10'0000},
    {vmxon_pointer, 0xf'f000},
    {in_vmx_operation, 1},
    {in_non_root, 0},
    {in_smm, 0},
    {mov_ss_blocking, 0},
    {cur_cpl, 0},
    {cur_cr0, 0x8005'0033},
    {cur_efer, 0xd01},
    {cur_rflags, 0x2},
    {cur_cs_l, 1},
    {cur_rtit_ctl, 0},
    {executive_launch_state, 1},
    {executive_controls_valid, 1},
};

/// The revision identifier of the processor `all` is 15H.
constexpr Value memory[] = {{vmcs_word0, 0x15}, {link_word0, 0x15}, {executive_word0, 0x15}};

/// The default-1 controls; EPT (write-back, four levels); VPID 1; NMI and external-interrupt exiting.
constexpr Value controls[] = {
    {pin_controls, 0x1f},
    {primary_controls, 0x8401'e172},
    {secondary_controls, 0x22},
    {exit_controls, 0x3'6fff},
    {entry_controls, 0x11ff},
    {vpid, 1},
    {eptp, 0x20'001e},
    {vmcs_link_pointer, ~0ULL},
    {io_bitmap_a, 0x30'0000},
    {io_bitmap_b, 0x30'1000},
    {msr_bitmap, 0x30'2000},
    {virtual_apic_addr, 0x30'3000},
    {apic_access_addr, 0xfee0'0000},
    {tsc_multiplier, 0x1'0000'0000'0000},
    {entry_msr_load_addr, 0x30'4000},
    {exit_msr_load_addr, 0x30'5000},
    {exit_msr_store_addr, 0x30'6000},
};

constexpr Value host_64[] = {
    {host_cr0, 0x8005'0033},
    {host_cr3, 0x1000},
    {host_cr4, 0x2020},
    {host_cs_sel, 0x10},
    {host_ss_sel, 0x18},
    {host_tr_sel, 0x40},
    {host_fs_base, 0x7f50'88e0'06c0},
    {host_gs_base, 0xffff'90ec'bec0'0000},
    {host_tr_base, 0xffff'fe4d'122b'd000},
    {host_gdtr_base, 0xffff'fe4d'122b'b000},
    {host_idtr_base, 0xffff'fe00'0000'0000},
    {host_sysenter_cs, 0x10},
    {host_sysenter_esp, 0xffff'fe4d'122b'd000},
    {host_sysenter_eip, 0xffff'ffff'a7e0'2020},
    {host_rsp, 0xffff'acd0'87de'7d28},
    {host_rip, 0xffff'ffff'c11a'ccb0},
    {host_efer, 0xd01},
    {host_pat, 0x0007'0406'0007'0406},
};

constexpr Value guest_common[] = {
    {guest_cr3, 0x2000},
    {guest_dr7, 0x400},
    {guest_rsp, 0x8000},
    {guest_rip, 0x1000},
    {guest_rflags, 0x202},
    {guest_gdtr_limit, 0x7f},
    {guest_idtr_limit, 0xfff},
    {guest_pat, 0x0007'0406'0007'0406},
    {guest_tr_sel, 0x40},
    {guest_tr_limit, 0x67},
    {guest_tr_ar, 0x8b},
    {guest_tr_base, 0x3000},
    {guest_ldtr_ar, 0x1'0000},
};

constexpr Value flat_segments[] = {
    {guest_cs_sel, 0x08},
    {guest_ss_sel, 0x10},
    {guest_ds_sel, 0x10},
    {guest_es_sel, 0x10},
    {guest_fs_sel, 0x10},
    {guest_gs_sel, 0x10},
    {guest_cs_limit, 0xffff'ffff},
    {guest_ss_limit, 0xffff'ffff},
    {guest_ds_limit, 0xffff'ffff},
    {guest_es_limit, 0xffff'ffff},
    {guest_fs_limit, 0xffff'ffff},
    {guest_gs_limit, 0xffff'ffff},
    {guest_cs_ar, 0xc09b},
    {guest_ss_ar, 0xc093},
    {guest_ds_ar, 0xc093},
    {guest_es_ar, 0xc093},
    {guest_fs_ar, 0xc093},
    {guest_gs_ar, 0xc093},
};

constexpr Value long_mode[] = {
    {guest_cr0, 0x8005'0033},
    {guest_cr4, 0x2020},
    {guest_efer, 0xd01},
    {entry_controls, 0x13ff},
    {guest_cs_ar, 0xa09b},
    {guest_rip, 0xffff'ffff'828e'3a0c},
    {guest_rsp, 0xffff'c900'0001'7418},
    {guest_fs_base, 0x7f50'88e0'06c0},
    {guest_gs_base, 0xffff'8882'36e0'0000},
    {guest_tr_base, 0xffff'fe00'0000'3000},
    {guest_gdtr_base, 0xffff'fe00'0000'1000},
    {guest_idtr_base, 0xffff'fe00'0000'0000},
    {guest_sysenter_cs, 0x10},
    {guest_sysenter_esp, 0xffff'fe00'0000'3000},
    {guest_sysenter_eip, 0xffff'ffff'82a0'1e60},
};
constexpr Value pae[] = {
    {guest_cr0, 0x8000'0033},
    {guest_cr4, 0x2020},
    {guest_cr3, 0x2020},
    {guest_pdpte0, 0x5f18'a001},
    {guest_pdpte1, 0x5f18'9001},
    {guest_pdpte2, 0x5f18'8001},
    {guest_pdpte3, 0},
    {memory_pdpte0, 0x5f18'a001},
    {memory_pdpte1, 0x5f18'9001},
    {memory_pdpte2, 0x5f18'8001},
    {memory_pdpte3, 0},
};
constexpr Value protected_32[] = {{guest_cr0, 0x8000'0033}, {guest_cr4, 0x2000}};
constexpr Value real_mode[] = {
    {secondary_controls, 0xa2}, {guest_cr0, 0x30},        {guest_cr4, 0x2000},      {guest_rsp, 0xfffe},
    {guest_rip, 0x7c00},        {guest_cs_sel, 0},        {guest_ss_sel, 0},        {guest_ds_sel, 0},
    {guest_es_sel, 0},          {guest_fs_sel, 0},        {guest_gs_sel, 0},        {guest_cs_limit, 0xffff},
    {guest_ss_limit, 0xffff},   {guest_ds_limit, 0xffff}, {guest_es_limit, 0xffff}, {guest_fs_limit, 0xffff},
    {guest_gs_limit, 0xffff},   {guest_cs_ar, 0x9b},      {guest_ss_ar, 0x93},      {guest_ds_ar, 0x93},
    {guest_es_ar, 0x93},        {guest_fs_ar, 0x93},      {guest_gs_ar, 0x93},      {guest_idtr_limit, 0x3ff},
};
constexpr Value virtual_8086[] = {
    {guest_cr0, 0x8000'0033},  {guest_cr4, 0x2001},       {guest_rflags, 0x2'3202},
    {guest_rsp, 0xfffe},       {guest_rip, 0x100},        {guest_cs_sel, 0x1000},
    {guest_ss_sel, 0x2000},    {guest_ds_sel, 0x3000},    {guest_es_sel, 0x4000},
    {guest_fs_sel, 0x5000},    {guest_gs_sel, 0x6000},    {guest_cs_base, 0x1'0000},
    {guest_ss_base, 0x2'0000}, {guest_ds_base, 0x3'0000}, {guest_es_base, 0x4'0000},
    {guest_fs_base, 0x5'0000}, {guest_gs_base, 0x6'0000}, {guest_cs_limit, 0xffff},
    {guest_ss_limit, 0xffff},  {guest_ds_limit, 0xffff},  {guest_es_limit, 0xffff},
    {guest_fs_limit, 0xffff},  {guest_gs_limit, 0xffff},  {guest_cs_ar, 0xf3},
    {guest_ss_ar, 0xf3},       {guest_ds_ar, 0xf3},       {guest_es_ar, 0xf3},
    {guest_fs_ar, 0xf3},       {guest_gs_ar, 0xf3},
};
constexpr Value host_32[] = {
    {guest_cr0, 0x8000'0033},
    {guest_cr4, 0x2000},
    {cur_efer, 0},
    {cur_cs_l, 0},
    {exit_controls, 0x3'6dff},
    {host_cr0, 0x8000'0033},
    {host_cr4, 0x2000},
    {host_efer, 0},
    {host_fs_base, 0},
    {host_gs_base, 0},
    {host_tr_base, 0x4000},
    {host_gdtr_base, 0x5000},
    {host_idtr_base, 0x6000},
    {host_sysenter_esp, 0x7000},
    {host_sysenter_eip, 0xc010'0000},
    {host_rsp, 0xc020'0000},
    {host_rip, 0xc030'0000},
};

std::span<const Value> particulars(BaseState b) {
    switch (b) {
        case BaseState::long_mode: return long_mode;
        case BaseState::pae: return pae;
        case BaseState::protected_32: return protected_32;
        case BaseState::real_mode: return real_mode;
        case BaseState::virtual_8086: return virtual_8086;
        case BaseState::host_32: break;
    }
    return host_32;
}

}  // namespace

State base_state(BaseState b) {
    State state;
    install(state, *preset("all"));
    for (const std::span<const Value> part : {std::span<const Value>{processor},
                                              std::span<const Value>{memory},
                                              std::span<const Value>{controls},
                                              std::span<const Value>{host_64},
                                              std::span<const Value>{guest_common},
                                              std::span<const Value>{flat_segments},
                                              particulars(b)})
        for (const Value& v : part) state.set(v.slot, v.value);
    state.complete_with_zeros();
    return state;
}

}  // namespace hyperstep::vmx
