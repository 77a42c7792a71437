#pragma once
#include "base/address.hpp"
#include "mmu/tlb.hpp"
#include "mmu/x86_paging.hpp"

namespace hyperstep::mmu {

/// The accesses that share a context number.
struct AccessClass {
    ContextNumber context = 0;  ///< stands for the control state and the privilege; 0: no access will hit
    Privilege privilege = Privilege::supervisor;
};

/// Puts the page of `linear` into its slot, and returns the entry. `translation` is what translate() gave for
/// some access of the class; the entry serves all accesses of the class that translate() would permit without
/// setting a flag.
/// The write tag is left out while the page is not announced: Tlb::announce() adds it, if TlbEntry::writable.
/// To be called before memory changes again: the tables are watched since translate(), and a change of them
/// must find the entry in its place.
TlbEntry& remember(
    Tlb& tlb, Gva linear, AccessClass who, const X86Paging& paging, const X86Translation& translation);

}  // namespace hyperstep::mmu
