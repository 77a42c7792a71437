#pragma once
#include <cstdint>

#include "base/bits.hpp"
#include "mmu/walk.hpp"

// The paging structures of x86 as formats of the walk: SDM "32-Bit Paging", "PAE Paging", "4-Level Paging and
// 5-Level Paging".
namespace hyperstep::mmu::x86 {

/// An entry of any level. SDM "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging".
struct Entry : Register<Entry> {
    static constexpr Bits<0> present{};
    static constexpr Bits<1> writable{};
    static constexpr Bits<2> user{};
    static constexpr Bits<3> write_through{};  ///< PWT
    static constexpr Bits<4> cache_disable{};  ///< PCD
    static constexpr Bits<5> accessed{};
    static constexpr Bits<6> dirty{};
    static constexpr Bits<7> page_size{};  ///< PS, of entries above level 0
    static constexpr Bits<7> pat_of_4k{};  ///< PAT, of level 0
    static constexpr Bits<8> global{};
    static constexpr Bits<12> pat_of_large{};  ///< PAT, of leaves above level 0
    // Of entries of 8 bytes.
    static constexpr Bits<62, 59> protection_key{};
    static constexpr Bits<63> execute_disable{};

    static constexpr Entry of(std::uint64_t word) {
        Entry entry;
        entry.raw = word;
        return entry;
    }
};

// The meaning of Rights.
inline constexpr std::uint8_t right_user = 1;
inline constexpr std::uint8_t right_write = 2;
inline constexpr std::uint8_t right_fetch = 4;
/// A table entry permits it to be a shadow-stack page; the leaf says that it is one.
inline constexpr std::uint8_t right_shadow_stack = 8;

/// Bits high..low, of numbers that are not constants. None if high < low.
constexpr std::uint64_t bit_range(unsigned high, unsigned low) {
    return high < low ? 0 : (~0ULL >> (63 - (high - low))) << low;
}

// Flags that do not depend on the format.

constexpr Rights rights_of(Entry entry, EntryKind kind, bool executable) {
    const bool shadow_stack =
        kind == EntryKind::leaf ? !entry[Entry::writable] && entry[Entry::dirty] : entry[Entry::writable];
    return {static_cast<std::uint8_t>(
        (entry[Entry::user] ? right_user : 0U) | (entry[Entry::writable] ? right_write : 0U) |
        (executable ? right_fetch : 0U) | (shadow_stack ? right_shadow_stack : 0U))};
}

/// SDM "Accessed and Dirty Flags".
constexpr std::uint64_t with_flags(Entry entry, EntryKind kind, Access access) {
    const bool sets_dirty = kind == EntryKind::leaf && is_write(access);
    const Entry with_accessed = entry.with(Entry::accessed, true);
    return sets_dirty ? with_accessed.with(Entry::dirty, true).raw : with_accessed.raw;
}

inline constexpr std::uint64_t execute_disable = Entry{}.with(Entry::execute_disable, true).raw;

/// SDM "32-Bit Paging": two levels of entries of 4 bytes.
struct Format32 {
    static constexpr unsigned entry_bytes = 4;
    std::uint64_t cr3 = 0;
    bool pse = false;
    /// The width of a 4-MByte page's address: 32 without PSE-36, else the lesser of 40 and MAXPHYADDR.
    unsigned large_page_width = 32;

    constexpr std::uint64_t root() const { return Bits<31, 12>::mask & cr3; }
    static constexpr unsigned top_level() { return 1; }
    static constexpr unsigned page_shift(unsigned level) { return 12 + 10 * level; }
    static constexpr std::uint64_t slot(std::uint64_t linear, unsigned level) {
        return ((linear >> page_shift(level)) & 0x3ff) * entry_bytes;
    }
    constexpr EntryKind kind(std::uint64_t entry, unsigned level) const {
        if (!Entry::of(entry)[Entry::present]) return EntryKind::absent;
        if (level == 0) return EntryKind::leaf;
        if (!pse || !Entry::of(entry)[Entry::page_size]) return EntryKind::table;
        // Bit 13 + i is bit 32 + i of the address, as far as it has one.
        const std::uint64_t reserved = bit_range(21, large_page_width - 19);
        return (entry & reserved) != 0 ? EntryKind::malformed : EntryKind::leaf;
    }
    static constexpr std::uint64_t next(std::uint64_t entry) { return Bits<31, 12>::mask & entry; }
    static constexpr std::uint64_t page(std::uint64_t entry, unsigned level) {
        if (level == 0) return Bits<31, 12>::mask & entry;
        return (Bits<31, 22>::mask & entry) | Bits<20, 13>::get(entry) << 32;
    }
    constexpr Rights rights(std::uint64_t entry, unsigned level) const {
        return rights_of(Entry::of(entry), kind(entry, level), true);
    }
    constexpr std::uint64_t marked(std::uint64_t entry, unsigned level, Access access) const {
        return with_flags(Entry::of(entry), kind(entry, level), access);
    }
};

/// What PAE paging and 4-level and 5-level paging share: entries of 8 bytes, 512 to a table.
struct Format64 {
    static constexpr unsigned entry_bytes = 8;
    std::uint64_t root_table = 0;
    unsigned top = 0;  ///< the level of the first table
    /// The highest level that maps pages: 1 has 2-MByte pages, 2 has 1-GByte pages.
    unsigned highest_leaf = 1;
    /// Reserved in every entry.
    std::uint64_t reserved = 0;
    bool nxe = false;

    constexpr std::uint64_t root() const { return root_table; }
    constexpr unsigned top_level() const { return top; }
    static constexpr unsigned page_shift(unsigned level) { return 12 + 9 * level; }
    static constexpr std::uint64_t slot(std::uint64_t linear, unsigned level) {
        return ((linear >> page_shift(level)) & 0x1ff) * entry_bytes;
    }
    constexpr EntryKind kind(std::uint64_t entry, unsigned level) const {
        if (!Entry::of(entry)[Entry::present]) return EntryKind::absent;
        if ((entry & reserved) != 0) return EntryKind::malformed;
        if (level == 0) return EntryKind::leaf;
        if (!Entry::of(entry)[Entry::page_size]) return EntryKind::table;
        const std::uint64_t within_page = bit_range(page_shift(level) - 1, 13);
        return level > highest_leaf || (entry & within_page) != 0 ? EntryKind::malformed : EntryKind::leaf;
    }
    static constexpr std::uint64_t next(std::uint64_t entry) { return Bits<51, 12>::mask & entry; }
    static constexpr std::uint64_t page(std::uint64_t entry, unsigned level) {
        return Bits<51, 12>::mask & entry & ~bit_range(page_shift(level) - 1, 0);
    }
    constexpr Rights rights(std::uint64_t entry, unsigned level) const {
        return rights_of(Entry::of(entry), kind(entry, level), !(nxe && (entry & execute_disable) != 0));
    }
    constexpr std::uint64_t marked(std::uint64_t entry, unsigned level, Access access) const {
        return with_flags(Entry::of(entry), kind(entry, level), access);
    }

    /// SDM "4-Level Paging and 5-Level Paging". `levels` is 4 or 5.
    static constexpr Format64 long_mode(
        std::uint64_t cr3, unsigned levels, unsigned physical_width, bool nxe, bool pages_1g) {
        return {.root_table = Bits<51, 12>::mask & cr3,
                .top = levels - 1,
                .highest_leaf = pages_1g ? 2U : 1U,
                .reserved = bit_range(51, physical_width) | (nxe ? 0 : execute_disable),
                .nxe = nxe};
    }
    /// SDM "PAE Paging", below a present PDPTE. Unlike in 4-level paging, bits 62:52 are reserved too.
    static constexpr Format64 pae(std::uint64_t pdpte, unsigned physical_width, bool nxe) {
        return {.root_table = Bits<51, 12>::mask & pdpte,
                .top = 1,
                .highest_leaf = 1,
                .reserved = bit_range(62, physical_width) | (nxe ? 0 : execute_disable),
                .nxe = nxe};
    }
};

static_assert(TableFormat<Format32>);
static_assert(TableFormat<Format64>);

}  // namespace hyperstep::mmu::x86
