#pragma once
#include <array>
#include <cstdint>
#include <tl/expected.hpp>
#include <variant>

#include "base/address.hpp"
#include "mmu/physical_view.hpp"
#include "mmu/walk.hpp"

// x86 paging: SDM "Paging". A translation is a function of the control state, of memory, and of the access.
namespace hyperstep::mmu {

/// SDM "Four Paging Modes", and no paging.
enum class PagingMode : std::uint8_t { none, bits_32, pae, level_4, level_5 };

/// The control state that a translation depends on.
struct X86Paging {
    PagingMode mode = PagingMode::none;
    std::uint64_t cr3 = 0;
    std::array<std::uint64_t, 4> pdpte{};  ///< the PDPTE registers, of PAE paging only
    bool pse = false;                      ///< CR4.PSE
    bool wp = false;                       ///< CR0.WP
    bool smep = false;                     ///< CR4.SMEP
    bool smap = false;                     ///< CR4.SMAP
    bool nxe = false;                      ///< IA32_EFER.NXE
    bool pke = false;                      ///< CR4.PKE
    bool pks = false;                      ///< CR4.PKS
    bool shadow_stack = false;             ///< CR4.CET; without it there are no shadow-stack accesses
    std::uint32_t pkru = 0;
    std::uint32_t pkrs = 0;            ///< IA32_PKRS
    std::uint8_t physical_width = 52;  ///< MAXPHYADDR, 32 to 52
    bool pages_1g = true;              ///< the processor has 1-GByte pages
    bool pse36 = true;                 ///< the processor has PSE-36
    friend bool operator==(const X86Paging&, const X86Paging&) = default;
};

/// Who accesses. SDM "Determination of Access Rights".
enum class Privilege : std::uint8_t {
    user,                ///< CPL 3, explicitly
    supervisor,          ///< CPL below 3 with EFLAGS.AC = 0, explicitly
    supervisor_ac,       ///< CPL below 3 with EFLAGS.AC = 1, explicitly: SMAP does not apply
    implicit_supervisor  ///< to the GDT, LDT, IDT or TSS at any CPL: SMAP applies whatever EFLAGS.AC
};

/// Where an access goes. The rights are what the entries of all levels grant together, before the controls
/// and the protection key are asked.
struct X86Translation {
    Gpa address{};                   ///< by the guest's tables
    Hpa physical{};                  ///< where memory has it
    std::uint64_t page_size = 0;     ///< of the guest's tables, in bytes
    bool user_page = false;          ///< a user-mode address: U/S is 1 in every entry
    bool writable_page = false;      ///< R/W is 1 in every entry
    bool executable = false;         ///< XD is 0 in every entry, or not in use
    bool shadow_stack_page = false;  ///< R/W is 1 in every entry but the leaf, in which D is 1
    bool global = false;             ///< G of the leaf; CR4.PGE says whether it counts
    bool dirty = false;              ///< D of the leaf, after the access
    /// A union of Access: what the second stage permits to the 4 KiB, without being asked again.
    std::uint8_t second_stage_accesses = SecondStagePage::every_access;
    Hpa leaf_table{~0ULL};               ///< the page of the entry that maps it; ~0: no paging
    std::uint8_t memory_type_index = 0;  ///< PAT, PCD and PWT of the leaf as bits 2, 1 and 0
    std::uint8_t protection_key = 0;     ///< of 4-level and 5-level paging
};

/// The error code of #PF. CR2 is the caller's: the address that it asked for.
struct PageFault {
    std::uint32_t error_code = 0;
    friend bool operator==(const PageFault&, const PageFault&) = default;
};
using X86Fault = std::variant<PageFault, SecondStageFault>;

/// SDM "Page-Fault Exceptions".
namespace page_fault {
inline constexpr std::uint32_t present = 1U << 0;
inline constexpr std::uint32_t write = 1U << 1;
inline constexpr std::uint32_t user = 1U << 2;
inline constexpr std::uint32_t reserved_bit = 1U << 3;
inline constexpr std::uint32_t fetch = 1U << 4;
inline constexpr std::uint32_t protection_key = 1U << 5;
inline constexpr std::uint32_t shadow_stack = 1U << 6;
}  // namespace page_fault

/// Translates one byte's address for an access; all bytes of the access within its page of 4 KiB have the
/// same answer. Before: `linear` is canonical; in 32-bit and PAE paging its high half is zero. After: the
/// accessed flags of all entries used and, of a write, the leaf's dirty flag are set; the tables are watched.
/// Fails with the page fault, or with what the second stage said of an entry or of the page.
/// Model: an access that page-faults sets no flags (the manual leaves it to the processor). Flags are set
/// before the second stage is asked for the final page.
/// Without paging, `linear` is the guest-physical address.
tl::expected<X86Translation, X86Fault> translate(
    const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege);

/// The same answer without any effect. `dirty` is as the leaf has it.
tl::expected<X86Translation, X86Fault> probe(
    const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege);

/// Whether another access to a page that was translated would be permitted: translate() would give the same
/// page without a page fault, if the second stage agrees. So a TLB is filled for all accesses at once.
bool permits(const X86Paging& paging, const X86Translation& translation, Access access, Privilege privilege);

/// A PDPTE is present and has a reserved bit: #GP(0).
struct ReservedPdpteBits {
    unsigned index = 0;
    friend bool operator==(const ReservedPdpteBits&, const ReservedPdpteBits&) = default;
};
using PdpteFault = std::variant<ReservedPdpteBits, SecondStageFault>;

/// The four PDPTEs that CR3 references, as MOV to CR and others load them in PAE paging. Fails if one is
/// present with a reserved bit, which depends on `physical_width`, or if the second stage has no page.
/// SDM "PDPTE Registers".
tl::expected<std::array<std::uint64_t, 4>, PdpteFault> load_pdptes(std::uint64_t cr3,
                                                                   PhysicalView& view,
                                                                   std::uint8_t physical_width);

}  // namespace hyperstep::mmu
