#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

#include "vmx/rules/known.hpp"
#include "vmx/rules/slots.hpp"

// Which MSRs exist, and which values WRMSR takes: what loading MSRs on a VM entry depends on. The table is
// loadable_msrs.def; msr_vocabulary.hpp reads it.
namespace hyperstep::vmx {

/// Which processors have an MSR: those with any bit of `mask` set in a capability slot; Slot::count: all.
struct MsrPresence {
    Slot slot = Slot::count;
    std::uint64_t mask = 0;
    friend constexpr auto operator<=>(const MsrPresence&, const MsrPresence&) = default;
};

/// Which values an MSR takes.
struct MsrRule {
    enum class Kind : std::uint8_t {
        any,
        never,              ///< read-only
        without,            ///< no bit of `mask`
        only_bits_in,       ///< no bit that is 0 in `slot`
        canonical_without,  ///< a canonical linear address without the bits of `mask`
        physical_without,   ///< within the physical-address width, without the bits of `mask`
        page_attributes,    ///< SDM "IA32_PAT MSR"
        mtrr_base,          ///< SDM "Variable Range MTRRs"
        mtrr_fixed,         ///< SDM "Fixed Range MTRRs"
        mtrr_default,       ///< SDM "IA32_MTRR_DEF_TYPE MSR"
        machine_check,      ///< SDM "Error-Reporting Register Banks": all but the control takes only 0
        control_flow,       ///< SDM "IA32_U_CET and IA32_S_CET"
        apic_base,          ///< SDM "Local APIC State": x2APIC mode only in an enabled APIC
        extended_features,  ///< SDM "IA32_EFER": LME does not change while CR0.PG = 1
    };
    Kind kind = Kind::any;
    std::uint64_t mask = 0;
    Slot slot = Slot::count;
    friend constexpr auto operator<=>(const MsrRule&, const MsrRule&) = default;
};

struct LoadableMsrs {
    std::uint32_t first, last;
    std::string_view name;
    MsrPresence presence;
    MsrRule rule;
};
/// Both rows say the same of their MSRs.
constexpr bool alike(const LoadableMsrs& a, const LoadableMsrs& b) {
    return a.presence == b.presence && a.rule == b.rule;
}

namespace loadable_msrs_detail {
inline constexpr MsrPresence everywhere{};
/// Not architectural, or without a capability that tells: every processor whose list is known.
inline constexpr MsrPresence listed{Slot::msr_list_known, 1};
constexpr MsrPresence has(Slot slot, std::uint64_t mask) {
    return {slot, mask};
}
constexpr MsrPresence counter(unsigned bit) {
    return {Slot::perf_global_valid, 1ULL << bit};
}
// The allowed 1-settings of a control tell of the feature that it is for.
constexpr MsrPresence secondary_allows(unsigned bit) {
    return {Slot::vmx_procbased_ctls2, 1ULL << (bit + 32)};
}
constexpr MsrPresence entry_allows(unsigned bit) {
    return {Slot::vmx_entry_ctls, 1ULL << (bit + 32)};
}

using Kind = MsrRule::Kind;
inline constexpr MsrRule any{Kind::any};
inline constexpr MsrRule never{Kind::never};
inline constexpr MsrRule page_attributes{Kind::page_attributes};
inline constexpr MsrRule mtrr_base{Kind::mtrr_base};
inline constexpr MsrRule mtrr_fixed{Kind::mtrr_fixed};
inline constexpr MsrRule mtrr_default{Kind::mtrr_default};
inline constexpr MsrRule machine_check{Kind::machine_check};
inline constexpr MsrRule control_flow{Kind::control_flow};
inline constexpr MsrRule apic_base{Kind::apic_base};
inline constexpr MsrRule extended_features{Kind::extended_features};
inline constexpr MsrRule canonical_address{Kind::canonical_without};
constexpr MsrRule only(std::uint64_t mask) {
    return {Kind::without, ~mask, Slot::count};
}
constexpr MsrRule only_bits_in(Slot slot) {
    return {Kind::only_bits_in, 0, slot};
}
constexpr MsrRule without(std::uint64_t mask) {
    return {Kind::without, mask, Slot::count};
}
constexpr MsrRule canonical_without(std::uint64_t mask) {
    return {Kind::canonical_without, mask, Slot::count};
}
constexpr MsrRule physical_without(std::uint64_t mask) {
    return {Kind::physical_without, mask, Slot::count};
}
}  // namespace loadable_msrs_detail

/// Without overlap; those that are alike stand together.
inline constexpr auto loadable_msrs = [] {
    using namespace loadable_msrs_detail;
    auto rows = std::to_array<LoadableMsrs>({
#define LOADABLE_MSRS(first, last, name, presence, rule) {first, last, name, presence, rule},
#include "vmx/rules/loadable_msrs.def"
#undef LOADABLE_MSRS
    });
    std::sort(rows.begin(), rows.end(), [](const LoadableMsrs& a, const LoadableMsrs& b) {
        if (a.presence != b.presence) return a.presence < b.presence;
        return a.rule < b.rule;
    });
    return rows;
}();

}  // namespace hyperstep::vmx
