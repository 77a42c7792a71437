#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "mmu/guest_memory.hpp"

namespace hyperstep::mmu {

/// Zeroed pages of the host. One that is never touched takes no memory.
class HostPages {
public:
    HostPages() = default;
    /// Throws std::bad_alloc if the host has no address space left.
    explicit HostPages(std::uint64_t bytes);
    HostPages(HostPages&& other) noexcept;
    HostPages& operator=(HostPages&& other) noexcept;
    HostPages(const HostPages&) = delete;
    HostPages& operator=(const HostPages&) = delete;
    ~HostPages();

    std::byte* data() const { return data_; }

private:
    std::byte* data_ = nullptr;
    std::uint64_t bytes_ = 0;
};

/// What is remembered of a page of RAM or ROM. All zero: nothing.
struct PageMark {
    std::uint32_t generation = 0;
    std::uint8_t watches = 0;  ///< a union of Watch
    bool dirty = false;
    bool listed = false;  ///< in MemoryRegion's list of marked pages
    std::uint8_t unused = 0;
};

/// One region of physical memory. RAM and ROM have bytes and a mark for each page.
class MemoryRegion {
public:
    static MemoryRegion own(PageKind kind, Hpa first, std::uint64_t bytes);
    static MemoryRegion lent(Hpa first, std::span<std::byte> bytes);
    static MemoryRegion device(Hpa first, std::uint64_t bytes, MmioRegion& registers);

    PageKind kind() const { return kind_; }
    std::uint64_t first() const { return first_; }
    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t end() const { return first_ + bytes_; }
    bool holds(std::uint64_t address) const { return address - first_ < bytes_; }
    bool has_bytes() const { return host_ != nullptr; }
    /// The byte at `address`, which the region holds.
    std::byte* host(std::uint64_t address) const { return host_ + (address - first_); }
    MmioRegion& registers() const { return *registers_; }

    /// The mark of the page that holds `address`, to be read.
    const PageMark& mark(std::uint64_t address) const { return marks()[(address - first_) >> 12]; }
    /// The same, to be changed.
    PageMark& changing_mark(std::uint64_t address);
    void set_dirty(std::uint64_t address);

    /// The pages that ever had a mark, in order of address: of memory that is our own, every page that is not
    /// listed is zero.
    const std::vector<std::uint64_t>& marked_pages();
    /// The dirty pages in order of address; clears their marks.
    std::vector<std::uint64_t> take_dirty_pages();
    bool is_lent() const { return lent_; }

private:
    PageMark* marks() const { return reinterpret_cast<PageMark*>(mark_pages_.data()); }

    PageKind kind_ = PageKind::hole;
    bool lent_ = false;
    std::uint64_t first_ = 0;
    std::uint64_t bytes_ = 0;
    std::byte* host_ = nullptr;
    MmioRegion* registers_ = nullptr;
    HostPages pages_;
    HostPages mark_pages_;
    std::vector<std::uint64_t> marked_;
    std::vector<std::uint64_t> dirty_;
    bool marked_is_sorted_ = true;
};

}  // namespace hyperstep::mmu
