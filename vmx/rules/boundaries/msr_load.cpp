#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using enum Slot;
using enum BaseState;

namespace {

/// An MSR-load area of `count` entries, all for IA32_KERNEL_GS_BASE.
std::vector<Change> entries(std::size_t count) {
    return std::vector<Change>(count, msr_entry(0xc000'0102, 0x1000));
}

std::vector<Change> with(std::vector<Change> changes, Change another) {
    changes.push_back(another);
    return changes;
}

}  // namespace

std::vector<Boundary> msr_load_boundaries() {
    return {
        {"load.msr.reserved",
         long_mode,
         {msr_entry(0xc000'0102, 0x1000, 0x1)},
         {msr_entry(0xc000'0102, 0x1000)},
         {}},
        {"load.msr.reserved",
         long_mode,
         {msr_entry(0xc000'0102, 0x1000, 0x8000'0000)},
         {msr_entry(0xc000'0102, 0x1000)},
         {}},
        {"load.msr.reserved",
         long_mode,
         {msr_entry(0xc000'0102, 0x1000), msr_entry(0xc000'0102, 0x1000, 0x1)},
         {msr_entry(0xc000'0102, 0x1000), msr_entry(0xc000'0102, 0x1000)},
         {}},
        {"load.msr.fs_base",
         long_mode,
         {msr_entry(0xc000'0100, 0x1000)},
         {msr_entry(0xc000'0102, 0x1000)},
         {}},
        {"load.msr.gs_base",
         long_mode,
         {msr_entry(0xc000'0101, 0x1000)},
         {msr_entry(0xc000'0102, 0x1000)},
         {}},
        // An index just outside 800H to 8FFH is no MSR of the processor, so the twins have another.
        {"load.msr.x2apic", long_mode, {msr_entry(0x800, 0)}, {msr_entry(0x10, 0)}, {}},
        {"load.msr.x2apic", long_mode, {msr_entry(0x8ff, 0)}, {msr_entry(0x10, 0)}, {}},
        {"load.msr.x2apic", long_mode, {msr_entry(0x838, 0x1000)}, {msr_entry(0x6e0, 0x1000)}, {}},
        {"load.msr.smm_monitor_ctl", long_mode, {msr_entry(0x9b, 0)}, {msr_entry(0x10, 0)}, {}},
        // An entry that commenced in SMM, to the executive VMCS at 200000H.
        {"load.msr.smm_monitor_ctl",
         long_mode,
         {assign(executive_vmcs_ptr, 0x20'0000), msr_entry(0x9b, 0x5), assign(in_smm, 0)},
         {assign(executive_vmcs_ptr, 0x20'0000), msr_entry(0x9b, 0x5), assign(in_smm, 1)},
         {}},
        {"load.msr.model_specific", long_mode, {msr_entry(0x79, 0x1000)}, {msr_entry(0x10, 0x1000)}, {}},
        {"load.msr.model_specific", long_mode, {msr_entry(0x8b, 0)}, {msr_entry(0x10, 0)}, {}},
        {"load.msr.model_specific",
         long_mode,
         {msr_entry(0x79, 0x1000), assign(opt_msr_79_8b, 0)},
         {msr_entry(0x79, 0x1000), assign(opt_msr_79_8b, 1)},
         {}},
        {"load.msr.model_specific",
         long_mode,
         {msr_entry(0x8b, 0), assign(opt_msr_79_8b, 0)},
         {msr_entry(0x8b, 0), assign(opt_msr_79_8b, 1)},
         {}},
        // The processor recommends at most 512 entries (N = 0).
        {"load.msr.count_limit", long_mode, entries(513), entries(512), {}},
        {"load.msr.count_limit",
         long_mode,
         entries(513),
         with(entries(513), assign(vmx_misc, 0x7204'c1e7)),
         {}},
        {"load.msr.count_limit", long_mode, entries(513), with(entries(513), assign(opt_msr_count, 1)), {}},
        // Had the second entry failed, the first would be loaded all the same.
        {"load.msr.processed_before_failure",
         long_mode,
         {},
         {msr_entry(0x10, 1), msr_entry(0xc000'0102, 0x1000)},
         {}},
    };
}

}  // namespace hyperstep::vmx
