#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

std::vector<Boundary> instruction_boundaries() {
    return {
        {"instr.not_in_vmx", long_mode, {assign(in_vmx_operation, 0)}, {assign(in_vmx_operation, 1)}, {}},
        {"instr.real_mode", host_32, {assign(cur_cr0, 0x8000'0032)}, {assign(cur_cr0, 0x8000'0031)}, {}},
        {"instr.v8086", host_32, {assign(cur_rflags, 0x2'0002)}, {assign(cur_rflags, 0x1'0002)}, {}},
        {"instr.compat_mode", long_mode, {assign(cur_cs_l, 0)}, {assign(cur_cs_l, 1)}, {}},
        {"instr.compat_mode",
         long_mode,
         {assign(cur_efer, 0x501), assign(cur_cs_l, 0)},
         {assign(cur_efer, 0x501), assign(cur_cs_l, 1)},
         {}},
        {"instr.nonroot", long_mode, {assign(in_non_root, 1)}, {assign(in_non_root, 0)}, {}},
        {"instr.cpl", long_mode, {assign(cur_cpl, 3)}, {assign(cur_cpl, 0)}, {}},
        {"instr.cpl", long_mode, {assign(cur_cpl, 1)}, {assign(cur_cpl, 0)}, {}},
        {"instr.no_current_vmcs",
         long_mode,
         {assign(current_vmcs, ~0ULL)},
         {assign(current_vmcs, 0xffff'ffff'ffff'f000)},
         {}},
        {"instr.shadow_vmcs",
         long_mode,
         {assign(vmcs_word0, 0x8000'0015)},
         {assign(vmcs_word0, 0x4000'0015)},
         {}},
        {"instr.shadow_vmcs",
         long_mode,
         {assign(vmcs_word0, 0x8000'0015)},
         {assign(vmcs_word0, 0x8000'0015), clear_bits(vmx_procbased_ctls2, 0x4000'0000'0000)},
         {}},
        {"instr.movss_blocking", long_mode, {assign(mov_ss_blocking, 1)}, {assign(mov_ss_blocking, 0)}, {}},
        {"instr.vmlaunch_clear",
         long_mode,
         {assign(instruction, 0), assign(launch_state, 1)},
         {assign(instruction, 0), assign(launch_state, 0)},
         {}},
        {"instr.vmlaunch_clear",
         long_mode,
         {assign(instruction, 0), assign(launch_state, 1)},
         {assign(instruction, 1), assign(launch_state, 1)},
         {}},
        {"instr.vmresume_launched",
         long_mode,
         {assign(instruction, 1), assign(launch_state, 0)},
         {assign(instruction, 1), assign(launch_state, 1)},
         {}},
        {"instr.vmresume_launched",
         long_mode,
         {assign(instruction, 1), assign(launch_state, 0)},
         {assign(instruction, 0), assign(launch_state, 0)},
         {}},
    };
}

}  // namespace hyperstep::vmx
