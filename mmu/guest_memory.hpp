#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/address.hpp"

namespace hyperstep::mmu {

/// The registers of a device in physical memory. `offset` counts from the region's first byte; `bytes` is 1,
/// 2, 4 or 8 and the access lies within the region. A value has its high bytes zero.
class MmioRegion {
public:
    MmioRegion() = default;
    MmioRegion(const MmioRegion&) = delete;
    MmioRegion& operator=(const MmioRegion&) = delete;
    virtual ~MmioRegion() = default;
    virtual std::uint64_t read(std::uint64_t offset, unsigned bytes) = 0;
    virtual void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) = 0;
};

/// What a page of memory holds that somebody has a copy of, in another form, or waits for.
enum class Watch : std::uint8_t {
    code = 1,          ///< instructions that are decoded
    leaf_tables = 2,   ///< paging-structure entries that map pages, and that a TLB has read
    upper_tables = 4,  ///< paging-structure entries that reference other tables
    monitor = 8        ///< no copy: a processor that waits for a store to it (MONITOR)
};

/// Is told before a watched page changes, by whomever: a vCPU, a device, the C++ caller.
class PageWatcher {
public:
    PageWatcher() = default;
    PageWatcher(const PageWatcher&) = delete;
    PageWatcher& operator=(const PageWatcher&) = delete;
    virtual ~PageWatcher() = default;
    /// `page` (page-aligned) is about to change, or its region goes away. `watches`: a union of Watch. The
    /// copies are to be dropped; the page is no longer watched afterwards.
    virtual void page_changes(Hpa page, std::uint8_t watches) = 0;
    /// `page` was announced and is not any more, being watched from now on or its dirty mark cleared: no host
    /// pointer may be used for writing to it until it was announced by GuestMemory::about_to_write().
    virtual void page_needs_announcing(Hpa page) = 0;
    /// The same of many pages at once.
    virtual void pages_need_announcing(std::span<const Hpa> pages) {
        for (const Hpa page : pages) page_needs_announcing(page);
    }
    /// A region was added or removed: what was known of kinds of pages, and every host pointer, is void.
    virtual void regions_changed() {}
};

enum class PageKind : std::uint8_t { hole, ram, rom, mmio };

/// Why a region cannot be added.
enum class RegionError : std::uint8_t {
    overlap,      ///< with a region that is there
    misaligned,   ///< first byte or size is no multiple of 4 KiB
    empty,        ///< of no bytes
    beyond_width  ///< ends beyond 2^52
};
std::string_view to_string(RegionError error);

/// The physical memory of a machine: regions of RAM, ROM and device registers; the rest are holes. An
/// untouched page of RAM costs nothing. Nothing here belongs to a processor; one machine's processors share
/// one object.
class GuestMemory {
public:
    GuestMemory();
    GuestMemory(const GuestMemory&) = delete;
    GuestMemory& operator=(const GuestMemory&) = delete;
    ~GuestMemory();

    /// RAM of our own, zero. Fails with std::bad_alloc only if the host has no address space left.
    tl::expected<void, RegionError> add_ram(Hpa first, std::uint64_t bytes);
    /// RAM that the caller lends; it must outlive the region.
    tl::expected<void, RegionError> lend_ram(Hpa first, std::span<std::byte> bytes);
    /// A copy of `bytes`, padded with zeros to whole pages. Guest writes to it are dropped.
    tl::expected<void, RegionError> add_rom(Hpa first, std::span<const std::byte> bytes);
    /// `region` must outlive its place here.
    tl::expected<void, RegionError> add_mmio(Hpa first, std::uint64_t bytes, MmioRegion& region);
    /// Removes the region that begins at `first`; watchers are told of its watched pages, and then that the
    /// regions changed. False: there is none.
    bool remove(Hpa first);

    struct Page {
        PageKind kind = PageKind::hole;
        std::byte* host = nullptr;  ///< the page's 4 KiB, of RAM and ROM; valid until the region is removed
    };
    Page page(Hpa address) const;

    /// Any bytes (1, 2, 4, 8) at any address, little-endian; an access across pages or regions is split, and
    /// a device sees the parts as aligned accesses. Holes read as ones and ignore writes; so does ROM ignore
    /// writes. Writes announce themselves.
    std::uint64_t read(Hpa address, unsigned bytes);
    void write(Hpa address, unsigned bytes, std::uint64_t value);
    /// Copies RAM or ROM. False, and nothing is copied, if the range has any byte that is neither.
    bool read_bytes(Hpa address, std::span<std::byte> to) const;
    /// Copies into RAM or ROM (a loader may fill ROM), announcing it. False, and nothing written, if the
    /// range has any other byte.
    bool write_bytes(Hpa address, std::span<const std::byte> from);

    /// What a page walk does to a paging-structure entry (4 or 8 bytes, naturally aligned) to set its
    /// accessed and dirty flags: puts `desired` in the place of `expected`, as one locked operation. False,
    /// and nothing written, if the entry holds something else. ROM, holes and devices: as a locked
    /// instruction would. No translation changes by it: a page that is watched for tables stays so, and
    /// nobody is told.
    bool mark_entry(Hpa entry, unsigned bytes, std::uint64_t expected, std::uint64_t desired);

    /// From now on the watchers are told before this page changes. A hole or device page is never watched.
    void watch(Hpa page, Watch what);
    /// The union of Watch of the page.
    std::uint8_t watches(Hpa page) const;
    /// To be called before RAM is written through a host pointer. Tells the watchers, marks the page dirty,
    /// counts its generation. After it, until page_needs_announcing(), the pointer may be written any number
    /// of times.
    void about_to_write(Hpa page);
    /// Whether a host pointer to this page may be written without about_to_write(): RAM, dirty, not watched.
    bool is_announced(Hpa page) const;
    /// Counts the announcements of the page, modulo 2^32. Of a page that is not announced when it is asked
    /// first, it differs the next time if the page was written in between.
    std::uint32_t generation(Hpa page) const;

    bool is_dirty(Hpa page) const;
    /// The dirty pages (of RAM, and of ROM that a loader filled) in order of address, and clears their marks:
    /// the next write announces again.
    std::vector<Hpa> take_dirty_pages();

    /// `watcher` must be removed before it dies.
    void add_watcher(PageWatcher& watcher);
    void remove_watcher(PageWatcher& watcher);

    struct Range {
        Hpa first;
        std::uint64_t bytes = 0;
        PageKind kind = PageKind::hole;
    };
    /// The regions in order of address.
    std::vector<Range> regions() const;

    /// xxh3 over kind, place and content of all RAM and ROM: untouched RAM hashes as zeros do, at no cost.
    std::uint64_t content_hash() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hyperstep::mmu
