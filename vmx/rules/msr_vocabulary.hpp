#pragma once
#include <cstdint>

#include "vmx/rules/loadable_msrs.hpp"
#include "vmx/rules/vocabulary.hpp"

// The words in which the checks on the VM-entry MSR-load area are written: more of vocabulary.hpp.
namespace hyperstep::vmx::vocabulary {

/// An entry of the MSR-load area is being looked at.
template <class V>
BoolOf<V> at_msr_entry(const V& v) {
    return v[Slot::msr_entry_number] != WordOf<V>{0};
}

/// The entry's MSR belongs to the local APIC in x2APIC mode: 800H to 8FFH.
template <class V>
BoolOf<V> msr_entry_is_x2apic(const V& v) {
    return (v[Slot::msr_entry_index] >> 8U) == WordOf<V>{0x8};
}

/// The MSR-load count is at most 512 * (N + 1), N being IA32_VMX_MISC[27:25].
template <class V>
BoolOf<V> msr_count_recommended(const V& v) {
    using W = WordOf<V>;
    // count <= 512 * (N + 1) if and only if (count - 1) / 512 <= N; a count of 0 passes.
    const W count = v[Slot::entry_msr_load_count];
    return count == W{0} || ((count + W{~0ULL}) >> 9U) <= v[Slot::vmx_misc][VmxMisc::msr_list];
}

/// A memory type that MTRRs take: 0, 1, 4, 5 or 6.
template <class V>
BoolOf<V> mtrr_type_valid(const V& /*v*/, WordOf<V> type) {
    using W = WordOf<V>;
    return type <= W{1} || (type >= W{4} && type <= W{6});
}
/// No byte is 7 in its low bits: PAT takes that type, MTRRs do not.
template <class V>
BoolOf<V> lacks_type_7(const V& /*v*/, WordOf<V> types) {
    using W = WordOf<V>;
    return (types & (types >> 1U) & (types >> 2U) & W{0x0101'0101'0101'0101}) == W{0};
}

/// What many MSRs ask of the MSR-load entry's value.
template <class V>
struct MsrValueShape {
    BoolOf<V> canonical;
    BoolOf<V> within_physical_width;
    BoolOf<V> begins_with_mtrr_type;  ///< bits 7:0
    BoolOf<V> page_attributes;
};

/// The MSR-load entry's value obeys such a rule.
template <class V>
BoolOf<V> msr_value_obeys(const V& v, const MsrRule& rule, const MsrValueShape<V>& shape) {
    using W = WordOf<V>;
    using Kind = MsrRule::Kind;
    const W value = v[Slot::msr_entry_value];
    const auto lacks = [&value](std::uint64_t bits) { return (value & W{bits}) == W{0}; };
    switch (rule.kind) {
        case Kind::any: return always(v);
        case Kind::never: return !always(v);
        case Kind::without: return lacks(rule.mask);
        case Kind::only_bits_in: return (value & ~v[rule.slot]) == W{0};
        case Kind::canonical_without: return shape.canonical && lacks(rule.mask);
        case Kind::physical_without: return shape.within_physical_width && lacks(rule.mask);
        case Kind::page_attributes: return shape.page_attributes;
        case Kind::mtrr_base:
            return shape.within_physical_width && lacks(0xf00) && shape.begins_with_mtrr_type;
        case Kind::mtrr_fixed: return shape.page_attributes && lacks_type_7(v, value);
        case Kind::mtrr_default: return lacks(~0xcffULL) && shape.begins_with_mtrr_type;
        case Kind::machine_check: return (v[Slot::msr_entry_index] & W{0x3}) == W{0} || value == W{0};
        case Kind::control_flow: return shape.canonical && lacks(0x3c0) && (value & W{0xc00}) != W{0xc00};
        case Kind::apic_base:
            return shape.within_physical_width && lacks(0x2ff) && (value & W{0xc00}) != W{0x400};
        case Kind::extended_features: break;
    }
    // The guest state has been loaded: CR0.PG is the guest's, and with it LME is what the IA-32e-mode control
    // says.
    const BoolOf<V> lme = value[Efer::lme];
    return (value & ~v[Slot::efer_valid]) == W{0} &&
           implies(v[Slot::guest_cr0][Cr0::pg], select(on(v, entry::ia32e_mode_guest), lme, !lme));
}

/// The MSR-load entry is for one of these MSRs.
template <class V>
BoolOf<V> msr_entry_is_among(const V& v, const LoadableMsrs& msrs) {
    using W = WordOf<V>;
    const W index = v[Slot::msr_entry_index];
    if (msrs.first == msrs.last) return index == W{msrs.first};
    return index >= W{msrs.first} && index <= W{msrs.last};
}

/// WRMSR of the MSR-load entry would not fault: the processor has the MSR, and it takes the value.
/// An MSR outside the table exists on no processor whose list of MSRs is known.
template <class V>
BoolOf<V> wrmsr_accepts(const V& v) {
    using W = WordOf<V>;
    const W value = v[Slot::msr_entry_value];
    const MsrValueShape<V> shape{canonical(v, value),
                                 within_physical_width(v, value),
                                 mtrr_type_valid(v, value & W{0xff}),
                                 pat_types_valid(v, value)};
    BoolOf<V> listed = !always(v);
    BoolOf<V> accepted = always(v);
    for (std::size_t i = 0; i < loadable_msrs.size();) {
        const LoadableMsrs& group = loadable_msrs[i];
        BoolOf<V> here = msr_entry_is_among(v, group);
        for (++i; i < loadable_msrs.size() && alike(group, loadable_msrs[i]); ++i)
            here = here || msr_entry_is_among(v, loadable_msrs[i]);
        BoolOf<V> takes = msr_value_obeys(v, group.rule, shape);
        if (group.presence.slot != Slot::count)
            takes = (v[group.presence.slot] & W{group.presence.mask}) != W{0} && takes;
        listed = listed || here;
        accepted = accepted && implies(here, takes);
    }
    return accepted && (listed || v[Slot::msr_list_known] != W{1});
}

}  // namespace hyperstep::vmx::vocabulary
