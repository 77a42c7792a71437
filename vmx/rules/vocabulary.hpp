#pragma once
#include <cstdint>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/known.hpp"
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

}  // namespace hyperstep::vmx::vocabulary
