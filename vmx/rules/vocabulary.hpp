#pragma once
#include <cstdint>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/known.hpp"
#include "vmx/rules/loadable_msrs.hpp"
#include "vmx/rules/registers.hpp"
#include "vmx/rules/slots.hpp"

// The words in which the entry checks are written. Each is a template over the view, because a check is read in
// several ways: exactly (ExactView), with unknowns (PartialView), and by tests that record or disturb what it does.
// A view gives View::Word, View::Bool and `Word operator[](Slot) const`.
namespace hyperstep::vmx::vocabulary {

template <class V>
using BoolOf = typename V::Bool;
template <class V>
using WordOf = typename V::Word;

/// The bit of a control in its word, whether or not the word is in force.
template <class V>
BoolOf<V> bit_of(const V& v, Control c) {
    return (v[slot_of(c.word)] & WordOf<V>{c.mask()}) != WordOf<V>{0};
}

/// True if the control is 1 and its word is in force. A word that is not activated counts as 0:
/// secondary by primary[31], tertiary by primary[17], secondary VM-exit controls by exit[31].
template <class V>
BoolOf<V> on(const V& v, Control c) {
    switch (c.word) {
        case ControlWord::secondary: return bit_of(v, primary::activate_secondary_controls) && bit_of(v, c);
        case ControlWord::tertiary: return bit_of(v, primary::activate_tertiary_controls) && bit_of(v, c);
        case ControlWord::exit2: return bit_of(v, exit::activate_secondary_controls) && bit_of(v, c);
        case ControlWord::pin:
        case ControlWord::primary:
        case ControlWord::exit:
        case ControlWord::entry: break;
    }
    return bit_of(v, c);
}

/// A condition that is always met.
template <class V>
BoolOf<V> always(const V& /*v*/) {
    return WordOf<V>{0} == WordOf<V>{0};
}

/// No bit set at or above the processor's physical-address width.
template <class V>
BoolOf<V> within_physical_width(const V& v, WordOf<V> address) {
    return fits_in(address, v[Slot::maxphyaddr]);
}

/// As above, for addresses that IA32_VMX_BASIC[48] limits to 32 bits.
template <class V>
BoolOf<V> within_structure_width(const V& v, WordOf<V> address) {
    return fits_in(address, v[Slot::maxphyaddr]) &&
           implies(v[Slot::vmx_basic][VmxBasic::addresses_32_bit], (address >> 32U) == WordOf<V>{0});
}

/// Bits 63:low are all equal.
template <unsigned Low, class V>
BoolOf<V> high_bits_equal(const V& /*v*/, WordOf<V> address) {
    constexpr std::uint64_t ones = ~0ULL >> Low;
    const WordOf<V> top = address >> Low;
    return top == WordOf<V>{0} || top == WordOf<V>{ones};
}

/// Canonical for the linear-address width that the processor supports, whatever CR4.LA57 says.
template <class V>
BoolOf<V> canonical(const V& v, WordOf<V> address) {
    return select(v[Slot::linear_width] == WordOf<V>{57}, high_bits_equal<56>(v, address),
                  high_bits_equal<47>(v, address));
}

/// Bits 63:N are equal, N being the linear-address width: one bit weaker than canonical.
template <class V>
BoolOf<V> within_linear_width(const V& v, WordOf<V> address) {
    return select(v[Slot::linear_width] == WordOf<V>{57}, high_bits_equal<57>(v, address),
                  high_bits_equal<48>(v, address));
}

/// Each byte is a memory type that IA32_PAT takes: 0, 1, 4, 5, 6 or 7.
template <class V>
BoolOf<V> pat_types_valid(const V& /*v*/, WordOf<V> pat) {
    using W = WordOf<V>;
    const W high_bits = pat & W{0xf8f8'f8f8'f8f8'f8f8};
    // 2 and 3 are the only three-bit values with bit 1 set and bit 2 clear.
    const W reserved_types = pat & ~(pat >> 1U) & W{0x0202'0202'0202'0202};
    return high_bits == W{0} && reserved_types == W{0};
}

/// The segment whose access rights these are can be used (bit 16 is 0).
template <class V>
BoolOf<V> usable(const V& /*v*/, WordOf<V> access_rights) {
    return !access_rights[AccessRights::unusable];
}

/// Allowed 0-settings (bits that must be 1) and allowed 1-settings of the 32-bit words of controls:
/// from the TRUE capability MSR where IA32_VMX_BASIC[55] says that there is one.
template <class V>
WordOf<V> control_capability(const V& v, Slot plain, Slot true_msr) {
    const WordOf<V> plain_word = v[plain];
    const WordOf<V> true_word = v[true_msr];
    return select(v[Slot::vmx_basic][VmxBasic::true_controls], true_word, plain_word);
}
template <class V>
BoolOf<V> has_bits_that_must_be_1(const V& /*v*/, WordOf<V> controls, WordOf<V> capability) {
    return (~controls & (capability & WordOf<V>{0xffff'ffff})) == WordOf<V>{0};
}
template <class V>
BoolOf<V> has_only_allowed_bits(const V& /*v*/, WordOf<V> controls, WordOf<V> capability) {
    return (controls & ~(capability >> 32U)) == WordOf<V>{0};
}

/// A valid event is to be injected.
template <class V>
BoolOf<V> injecting(const V& v) {
    return v[Slot::entry_intr_info][InterruptionInfo::valid];
}
/// A valid event of this type is to be injected.
template <class V>
BoolOf<V> injecting(const V& v, EventType type) {
    return injecting(v) && v[Slot::entry_intr_info][InterruptionInfo::type] == WordOf<V>{static_cast<std::uint64_t>(type)};
}

/// An option is at its second choice.
template <class V>
BoolOf<V> chosen(const V& v, Slot option) {
    return v[option] == WordOf<V>{1};
}

// ---- guest RIP, RFLAGS, SSP, non-register state, PDPTEs --------------------------------------------------

/// The guest will run 64-bit code: IA-32e mode and CS.L.
template <class V>
BoolOf<V> guest_runs_64_bit_code(const V& v) {
    return on(v, entry::ia32e_mode_guest) && v[Slot::guest_cs_ar][AccessRights::l];
}

template <class V>
BoolOf<V> guest_activity_is(const V& v, ActivityState state) {
    return v[Slot::guest_activity_state] == WordOf<V>{static_cast<std::uint64_t>(state)};
}

/// The event to be injected has this type, whether or not it is valid.
template <class V>
BoolOf<V> event_type_is(const V& v, EventType type) {
    return v[Slot::entry_intr_info][InterruptionInfo::type] == WordOf<V>{static_cast<std::uint64_t>(type)};
}
/// As above, and its vector.
template <class V>
BoolOf<V> event_is(const V& v, EventType type, unsigned vector) {
    return event_type_is(v, type) && v[Slot::entry_intr_info][InterruptionInfo::vector] == WordOf<V>{vector};
}

/// Events are blocked by STI or by MOV SS.
template <class V>
BoolOf<V> guest_blocked_by_sti_or_mov_ss(const V& v) {
    return (v[Slot::guest_interruptibility] & WordOf<V>{0x3}) != WordOf<V>{0};
}

/// Debug exceptions are held back at the entry, so that BS has to tell of a single step.
template <class V>
BoolOf<V> guest_holds_debug_exceptions(const V& v) {
    return guest_blocked_by_sti_or_mov_ss(v) || guest_activity_is(v, ActivityState::hlt);
}
/// Single-stepping by instruction: TF without BTF.
template <class V>
BoolOf<V> guest_steps_instructions(const V& v) {
    return v[Slot::guest_rflags][Rflags::tf] && !v[Slot::guest_debugctl][Debugctl::btf];
}

template <class V>
BoolOf<V> has_link_pointer(const V& v) {
    return v[Slot::vmcs_link_pointer] != WordOf<V>{~0ULL};
}

/// The entry returns from SMM (dual-monitor treatment).
template <class V>
BoolOf<V> returns_from_smm(const V& v) {
    return v[Slot::in_smm] == WordOf<V>{1} && !on(v, entry::entry_to_smm);
}

template <class V>
BoolOf<V> guest_uses_pae_paging(const V& v) {
    return v[Slot::guest_cr0][Cr0::pg] && v[Slot::guest_cr4][Cr4::pae] && !on(v, entry::ia32e_mode_guest);
}

/// A page-directory-pointer-table entry that is absent, or that has no reserved bit set: 2:1, 8:5, and those at or
/// above the physical-address width.
template <class V>
BoolOf<V> pdpte_valid(const V& v, Slot entry) {
    using W = WordOf<V>;
    return implies(v[entry][Bits<0>{}], (v[entry] & W{0x1e6}) == W{0} && fits_in(v[entry], v[Slot::maxphyaddr]));
}

// ---- loading MSRs ----------------------------------------------------------------------------------------

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
    // The guest state has been loaded: CR0.PG is the guest's, and with it LME is what the IA-32e-mode control says.
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
    const MsrValueShape<V> shape{canonical(v, value), within_physical_width(v, value),
                                 mtrr_type_valid(v, value & W{0xff}), pat_types_valid(v, value)};
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
