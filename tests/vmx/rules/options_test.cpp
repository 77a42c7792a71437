#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

// Where the manual leaves something open there is an option: the same state, judged once with each choice.
namespace hyperstep::vmx {
namespace {

using enum Slot;
using enum BaseState;

struct Row {
    Slot option;
    BaseState base;
    std::vector<Change> changes;
    std::string with_first, with_second;  ///< what the processor reports first
};

std::vector<Change> msr_entries(std::size_t count) {
    return std::vector<Change>(count, msr_entry(0xc000'0102, 0x1000));
}

std::vector<Row> rows() {
    const std::string enters;
    return {
        // Both a control and the host state are wrong.
        {opt_host_before_controls,
         long_mode,
         {assign(pin_controls, 0x1d), assign(host_cr3, 1ULL << 46)},
         "ctl.pin.must_be_1",
         "host.cr3.width"},
        // An NMI is injected under blocking by STI.
        {opt_nmi_under_sti,
         long_mode,
         {assign(entry_intr_info, 0x8000'0202), assign(guest_interruptibility, 1)},
         "guest.int.nmi_sti",
         enters},
        // #GP with error code 8000H.
        {opt_error_code_bit15,
         long_mode,
         {assign(entry_intr_info, 0x8000'0b0d), assign(entry_exception_error_code, 0x8000)},
         enters,
         "ctl.inject.errcode_high"},
        // #GP with an error code into a guest with CR0.PE = 0 that is not an unrestricted guest.
        {opt_error_code_mode,
         protected_32,
         {assign(entry_intr_info, 0x8000'0b0d), assign(guest_cr0, 0x30)},
         "guest.cr0.fixed0",
         "ctl.inject.errcode_forbidden_realmode"},
        // `all` recommends at most 512 entries.
        {opt_msr_count, long_mode, msr_entries(513), "load.msr.count_limit", enters},
        // SSP = 2^56 in 64-bit mode: bits 63:57 are equal, but it is not canonical.
        {opt_ssp_rule,
         long_mode,
         {turn_on(entry::load_cet), assign(guest_ssp, 1ULL << 56)},
         enters,
         "guest.ssp.linear_width"},
        // SSP = 2^32 outside 64-bit mode.
        {opt_ssp_high32,
         protected_32,
         {turn_on(entry::load_cet), assign(guest_ssp, 1ULL << 32)},
         "guest.ssp.high32",
         enters},
        {opt_msr_79_8b, long_mode, {msr_entry(0x79, 0x1000)}, "load.msr.model_specific", enters},
        // PAE paging without EPT, entered from outside IA-32e mode.
        {opt_pdpte_in_memory,
         host_32,
         {assign(guest_cr4, 0x2020), assign(secondary_controls, 0x20), assign(memory_pdpte0, 0x5f18'a003)},
         "guest.pdpte.reserved_memory",
         enters},
        {opt_guest_s_cet,
         protected_32,
         {turn_on(entry::load_cet), assign(guest_s_cet, 1ULL << 32)},
         enters,
         "guest.s_cet.canonical"},
        // `all` has an HLAT prefix of at most 1.
        {opt_hlat_prefix_size,
         long_mode,
         {turn_on(primary::activate_tertiary_controls),
          turn_on(tertiary::enable_hlat),
          assign(hlat_prefix_size, 2)},
         "ctl.hlat.prefix_size",
         enters},
        {opt_pasid_directories,
         long_mode,
         {turn_on(secondary::pasid_translation), assign(low_pasid_dir_addr, 1)},
         "ctl.pasid.low.aligned",
         enters},
        // A nested exception of type NMI.
        {opt_fred_injection,
         long_mode,
         {assign(entry_intr_info, 0x8000'2202)},
         "ctl.inject.nested_bit_type",
         enters},
    };
}

std::string first_id(State state, Slot option, std::uint64_t choice) {
    state.set(option, choice);
    const auto first = first_broken_exact(state);
    EXPECT_EQ(first_broken(state), first);
    return first ? std::string{check_of(*first).id} : std::string{};
}

TEST(Options, DecideWhatTheManualLeavesOpen) {
    for (const Row& row : rows()) {
        SCOPED_TRACE(info(row.option).name);
        EXPECT_NE(row.with_first, row.with_second) << "the row shows nothing";
        State state = base_state(row.base);
        vmx::apply(state, row.changes);
        EXPECT_EQ(first_id(state, row.option, 0), row.with_first);
        EXPECT_EQ(first_id(state, row.option, 1), row.with_second);
    }
}

TEST(Options, EachHasARow) {
    std::set<Slot> shown;
    for (const Row& row : rows()) shown.insert(row.option);
    for (const OptionInfo& option : all_options()) EXPECT_TRUE(shown.contains(option.slot)) << option.name;
}

}  // namespace
}  // namespace hyperstep::vmx
