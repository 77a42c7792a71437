#pragma once
#include <cstdint>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/known.hpp"
#include "vmx/rules/registers.hpp"
#include "vmx/rules/slots.hpp"

// The words in which the entry checks are written. Each is a template over the view, because a check is read
// in several ways: exactly (ExactView), with unknowns (PartialView), and by tests that record or disturb what
// it does. A view gives View::Word, View::Bool and `Word operator[](Slot) const`.
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
    return select(v[Slot::linear_width] == WordOf<V>{57},
                  high_bits_equal<56>(v, address),
                  high_bits_equal<47>(v, address));
}

/// Bits 63:N are equal, N being the linear-address width: one bit weaker than canonical.
template <class V>
BoolOf<V> within_linear_width(const V& v, WordOf<V> address) {
    return select(v[Slot::linear_width] == WordOf<V>{57},
                  high_bits_equal<57>(v, address),
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
    return injecting(v) &&
           v[Slot::entry_intr_info][InterruptionInfo::type] == WordOf<V>{static_cast<std::uint64_t>(type)};
}

/// An option is at its second choice.
template <class V>
BoolOf<V> chosen(const V& v, Slot option) {
    return v[option] == WordOf<V>{1};
}

// ---- control registers and MSRs, of guest and host alike
// ----------------------------------------------------

/// The processor supports Intel 64 architecture.
template <class V>
BoolOf<V> has_intel64(const V& v) {
    return v[Slot::intel64] == WordOf<V>{1};
}

/// Both are 1, or both are 0.
template <class V>
BoolOf<V> same(const V& /*v*/, BoolOf<V> a, BoolOf<V> b) {
    return select(a, b, !b);
}

/// No bit is 1 but those of `valid`.
template <class V>
BoolOf<V> only_valid_bits(const V& /*v*/, WordOf<V> word, WordOf<V> valid) {
    return (word & ~valid) == WordOf<V>{0};
}

/// Bits 63:32 are 0.
template <class V>
BoolOf<V> fits_in_32_bits(const V& /*v*/, WordOf<V> word) {
    return (word >> 32U) == WordOf<V>{0};
}

/// Bits of CR0 that no VM entry or exit changes, and that are never checked therefore: NW (29) and CD (30).
template <class V>
WordOf<V> unchecked_cr0_bits(const V& /*v*/) {
    return WordOf<V>{0x6000'0000};
}

/// Every bit that must be 1 in VMX operation is 1, but for the `exempt` ones.
template <class V>
BoolOf<V> has_fixed_1_bits(const V& /*v*/, WordOf<V> cr, WordOf<V> fixed0, WordOf<V> exempt) {
    return (~(cr | exempt) & fixed0) == WordOf<V>{0};
}
/// Every bit that must be 0 in VMX operation is 0, but for the `exempt` ones.
template <class V>
BoolOf<V> has_fixed_0_bits(const V& v, WordOf<V> cr, WordOf<V> fixed1, WordOf<V> exempt) {
    return only_valid_bits(v, cr, fixed1 | exempt);
}

/// No bit of CR3 at or above the physical-address width; LAM_U57 and LAM_U48 (62:61) are valid where LAM is
/// supported.
template <class V>
BoolOf<V> cr3_within_width(const V& v, WordOf<V> cr3) {
    using W = WordOf<V>;
    const W lam_bits = select(v[Slot::lam] == W{1}, W{0x6000'0000'0000'0000}, W{0});
    return within_physical_width(v, cr3 & ~lam_bits);
}

/// IA32_FRED_CONFIG without its reserved bits: 2, 5:4 and 11.
template <class V>
BoolOf<V> fred_config_bits_valid(const V& /*v*/, WordOf<V> config) {
    return (config & WordOf<V>{0x834}) == WordOf<V>{0};
}
/// Canonical and aligned as IA32_FRED_RSP1 to 3 must be: 64 bytes.
template <class V>
BoolOf<V> fred_rsp_valid(const V& v, WordOf<V> rsp) {
    return canonical(v, rsp) && (rsp & WordOf<V>{0x3f}) == WordOf<V>{0};
}
/// Canonical and aligned as IA32_FRED_SSP1 to 3 must be: 8 bytes.
template <class V>
BoolOf<V> fred_ssp_valid(const V& v, WordOf<V> ssp) {
    return canonical(v, ssp) && (ssp & WordOf<V>{0x7}) == WordOf<V>{0};
}

/// IA32_S_CET without its reserved bits 9:6. (Bits of a CET feature that the processor lacks are reserved as
/// well; a processor that lacks either is not described by our capabilities.)
template <class V>
BoolOf<V> s_cet_bits_valid(const V& /*v*/, WordOf<V> s_cet) {
    return (s_cet & WordOf<V>{0x3c0}) == WordOf<V>{0};
}
/// Not both SUPPRESS (10) and TRACKER (11) of IA32_S_CET.
template <class V>
BoolOf<V> s_cet_tracker_valid(const V& /*v*/, WordOf<V> s_cet) {
    return !(s_cet[Bits<10>{}] && s_cet[Bits<11>{}]);
}

/// ADDR0_CFG (35:32) to ADDR3_CFG (47:44) of IA32_RTIT_CTL are 0, 1 or 2.
template <class V>
BoolOf<V> rtit_ranges_valid(const V& /*v*/, WordOf<V> ctl) {
    const WordOf<V> highest{2};
    return ctl[Bits<35, 32>{}] <= highest && ctl[Bits<39, 36>{}] <= highest &&
           ctl[Bits<43, 40>{}] <= highest && ctl[Bits<47, 44>{}] <= highest;
}

// ---- controls, event injection, SMM -------------------------------------------------------------------

/// A control's allowed 1-setting in a capability word whose bits 63:32 hold them.
template <class V>
BoolOf<V> may_be_1(const V& /*v*/, Control c, WordOf<V> capability) {
    return ((capability >> 32U) & WordOf<V>{c.mask()}) != WordOf<V>{0};
}

/// A multiple of 2 to the power of `Count`.
template <unsigned Count, class V>
BoolOf<V> low_bits_clear(const V& /*v*/, WordOf<V> address) {
    return address[Bits<Count - 1, 0>{}] == WordOf<V>{0};
}

/// VMFUNC leaf 0 is on.
template <class V>
BoolOf<V> eptp_switching(const V& v) {
    return on(v, secondary::enable_vm_functions) && v[Slot::vmfunc_controls][Bits<0>{}];
}

/// The last byte of an area of `count` 16-byte entries. An area that wraps around begins beyond any width.
template <class V>
WordOf<V> last_byte_of_area(const V& /*v*/, WordOf<V> address, WordOf<V> count) {
    return address + (count << 4U) + WordOf<V>{~0ULL};
}

/// A valid event of type 4, 5 or 6 is to be injected: software interrupt, privileged software exception,
/// software exception.
template <class V>
BoolOf<V> injecting_software_event(const V& v) {
    const WordOf<V> type = v[Slot::entry_intr_info][InterruptionInfo::type];
    return injecting(v) && type >= WordOf<V>{4} && type <= WordOf<V>{6};
}

/// The exception with this vector comes with an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC.
template <class V>
BoolOf<V> pushes_error_code(const V& /*v*/, WordOf<V> vector) {
    using W = WordOf<V>;
    return vector == W{8} || (vector >= W{10} && vector <= W{14}) || vector == W{17};
}

/// FRED event delivery is on in the guest. A processor without FRED does not look at the bit here.
template <class V>
BoolOf<V> fred_guest(const V& v) {
    return v[Slot::fred] == WordOf<V>{1} && v[Slot::guest_cr4][Cr4::fred];
}

/// A VM entry that returns from SMM. SDM "VM Entries that Return from SMM".
template <class V>
BoolOf<V> returns_from_smm(const V& v) {
    return v[Slot::in_smm] == WordOf<V>{1} && !on(v, entry::entry_to_smm);
}

/// A VM entry that returns from SMM stays in VMX root operation.
template <class V>
BoolOf<V> returns_to_root(const V& v) {
    return v[Slot::executive_vmcs_ptr] == v[Slot::vmxon_pointer];
}

// ---- guest segment registers ----------------------------------------------------------------------------

/// The guest will be in virtual-8086 mode.
template <class V>
BoolOf<V> virtual_8086_guest(const V& v) {
    return v[Slot::guest_rflags][Rflags::vm];
}

/// Type 3: an accessed, writable data segment that expands up.
template <class V>
BoolOf<V> writable_data(const V& /*v*/, WordOf<V> access_rights) {
    return access_rights[AccessRights::type] == WordOf<V>{3};
}
/// Type 9 or 11: accessed code that is not conforming.
template <class V>
BoolOf<V> nonconforming_code(const V& /*v*/, WordOf<V> access_rights) {
    return (access_rights[AccessRights::type] & WordOf<V>{0b1101}) == WordOf<V>{0b1001};
}
/// Type 13 or 15: accessed conforming code.
template <class V>
BoolOf<V> conforming_code(const V& /*v*/, WordOf<V> access_rights) {
    return (access_rights[AccessRights::type] & WordOf<V>{0b1101}) == WordOf<V>{0b1101};
}

/// G may be 1 only if bits 11:0 of the limit are all 1.
template <class V>
BoolOf<V> granularity_fits_low_limit(const V& /*v*/, WordOf<V> limit, WordOf<V> access_rights) {
    return implies(access_rights[AccessRights::g], (limit & WordOf<V>{0xfff}) == WordOf<V>{0xfff});
}
/// G must be 1 if any of bits 31:20 of the limit is 1.
template <class V>
BoolOf<V> granularity_fits_high_limit(const V& /*v*/, WordOf<V> limit, WordOf<V> access_rights) {
    return access_rights[AccessRights::g] || (limit >> 20U) == WordOf<V>{0};
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

template <class V>
BoolOf<V> guest_uses_pae_paging(const V& v) {
    return v[Slot::guest_cr0][Cr0::pg] && v[Slot::guest_cr4][Cr4::pae] && !on(v, entry::ia32e_mode_guest);
}

/// A page-directory-pointer-table entry that is absent, or that has no reserved bit set: 2:1, 8:5, and those
/// at or above the physical-address width.
template <class V>
BoolOf<V> pdpte_valid(const V& v, Slot entry) {
    using W = WordOf<V>;
    return implies(v[entry][Bits<0>{}],
                   (v[entry] & W{0x1e6}) == W{0} && fits_in(v[entry], v[Slot::maxphyaddr]));
}

}  // namespace hyperstep::vmx::vocabulary
