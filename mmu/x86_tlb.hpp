#pragma once
#include "base/address.hpp"
#include "mmu/guest_memory.hpp"
#include "mmu/tlb.hpp"
#include "mmu/x86_paging.hpp"

namespace hyperstep::mmu {

/// Puts the page of `linear` into its slot, and returns the entry. `translation` is what translate() gave for
/// some access by `privilege`; the entry serves all accesses by it that translate() would permit without
/// setting a flag. `context` stands for `paging` and `privilege`; 0: the entry is returned, but no access
/// will hit it. The write tag is left out while the page is not announced: TlbEntry::writable says whether it
/// may be added once it is.
TlbEntry& remember(Tlb& tlb,
                   const GuestMemory& memory,
                   Gva linear,
                   ContextNumber context,
                   const X86Paging& paging,
                   const X86Translation& translation,
                   Privilege privilege);

}  // namespace hyperstep::mmu
