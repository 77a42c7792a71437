#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "mmu/guest_memory.hpp"

namespace hyperstep::mmu {

/// A number from 1 to 4095 that stands for everything besides the linear page that a translation depends on:
/// tables, identifiers, privilege class, controls. A flush is a new number. 0: nothing is cached under it.
using ContextNumber = std::uint16_t;

/// One translation. A tag is linear page | context number; 0 never matches a lookup. A write tag exists only
/// while the page may be written without announcing it; a fetch tag only if instructions may be fetched.
struct TlbEntry {
    std::uint64_t read_tag = 0;
    std::uint64_t write_tag = 0;
    std::uint64_t fetch_tag = 0;
    std::byte* host = nullptr;  ///< the page's bytes; null: device registers or a hole
    Hpa frame{};                ///< the 4 KiB page of memory
    Hpa leaf_table{};           ///< the page of the paging-structure entry that maps it; ~0: none
    bool user_page = false;
    bool writable = false;  ///< by this context, once announced
};

/// Translations of one vCPU: direct-mapped, 4 KiB each. Never stale: a page that a table walk read is
/// watched, and a write to it drops what was read from it (the option of stale translations is the owner's:
/// it does not watch).
class Tlb final : public PageWatcher {
public:
    static constexpr std::size_t size = 2048;

    explicit Tlb(GuestMemory& memory);
    Tlb(const Tlb&) = delete;
    Tlb& operator=(const Tlb&) = delete;
    ~Tlb() override;

    const GuestMemory& memory() const { return memory_; }

    static constexpr std::uint64_t tag(Gva linear, ContextNumber context) {
        return (linear.raw() & ~0xfffULL) | context;
    }
    static constexpr std::size_t slot(Gva linear) { return (linear.raw() >> 12) % size; }
    /// The entry in which `linear` would be; compare its tags.
    TlbEntry& at(Gva linear) { return entries_[slot(linear)]; }

    /// After a write found `entry` without its write tag: announces the page and adds `tag`; unless the page
    /// is a table that some entry was read from, for then such entries are dropped, perhaps this one. Returns
    /// the page's bytes, which may be written now; null if the page is not RAM, or the entry not writable.
    std::byte* announce(TlbEntry& entry, std::uint64_t tag);

    /// Forgets every translation.
    void flush();
    /// Forgets what is known of the 4 KiB of `linear`, in every context. (INVLPG forgets all of a large page;
    /// where tables are watched, nothing that INVLPG would have to forget is ever here.)
    void flush_page(Gva linear);
    /// Counts the times that something was forgotten: a caller that remembers a translation compares.
    std::uint64_t epoch() const { return epoch_; }

    void page_changes(Hpa page, std::uint8_t watches) override;
    void page_needs_announcing(Hpa page) override;
    void pages_need_announcing(std::span<const Hpa> pages) override;
    void regions_changed() override;

private:
    GuestMemory& memory_;
    std::uint64_t epoch_ = 1;
    std::array<TlbEntry, size> entries_{};
};

}  // namespace hyperstep::mmu
