#include "mmu/memory_region.hpp"

#include <algorithm>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace hyperstep::mmu {

HostPages::HostPages(std::uint64_t bytes) : bytes_{bytes} {
    void* const pages =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc{};
    data_ = static_cast<std::byte*>(pages);
}

HostPages::HostPages(HostPages&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}

HostPages& HostPages::operator=(HostPages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

HostPages::~HostPages() {
    if (data_ != nullptr) munmap(data_, bytes_);
}

namespace {

// Pages of zeros are marks that say nothing: no mark is constructed, and none is destroyed.
static_assert(sizeof(PageMark) == 8);
static_assert(std::is_trivially_destructible_v<PageMark>);

HostPages marks_of(std::uint64_t bytes) {
    return HostPages{(bytes >> 12) * sizeof(PageMark)};
}

}  // namespace

MemoryRegion MemoryRegion::own(PageKind kind, Hpa first, std::uint64_t bytes) {
    MemoryRegion region;
    region.kind_ = kind;
    region.first_ = first.raw();
    region.bytes_ = bytes;
    region.pages_ = HostPages{bytes};
    region.mark_pages_ = marks_of(bytes);
    region.host_ = region.pages_.data();
    return region;
}

MemoryRegion MemoryRegion::lent(Hpa first, std::span<std::byte> bytes) {
    MemoryRegion region;
    region.kind_ = PageKind::ram;
    region.lent_ = true;
    region.first_ = first.raw();
    region.bytes_ = bytes.size();
    region.mark_pages_ = marks_of(bytes.size());
    region.host_ = bytes.data();
    return region;
}

MemoryRegion MemoryRegion::device(Hpa first, std::uint64_t bytes, MmioRegion& registers) {
    MemoryRegion region;
    region.kind_ = PageKind::mmio;
    region.first_ = first.raw();
    region.bytes_ = bytes;
    region.registers_ = &registers;
    return region;
}

PageMark& MemoryRegion::changing_mark(std::uint64_t address) {
    const std::uint64_t index = (address - first_) >> 12;
    PageMark& mark = marks()[index];
    if (!mark.listed) {
        mark.listed = true;
        const std::uint64_t page = first_ + (index << 12);
        marked_is_sorted_ = marked_is_sorted_ && (marked_.empty() || marked_.back() < page);
        marked_.push_back(page);
    }
    return mark;
}

void MemoryRegion::set_dirty(std::uint64_t address) {
    PageMark& mark = changing_mark(address);
    if (mark.dirty) return;
    mark.dirty = true;
    dirty_.push_back(address & ~0xfffULL);
}

const std::vector<std::uint64_t>& MemoryRegion::marked_pages() {
    if (!marked_is_sorted_) std::sort(marked_.begin(), marked_.end());
    marked_is_sorted_ = true;
    return marked_;
}

std::vector<std::uint64_t> MemoryRegion::take_dirty_pages() {
    std::vector<std::uint64_t> taken = std::exchange(dirty_, {});
    std::sort(taken.begin(), taken.end());
    for (const std::uint64_t page : taken) changing_mark(page).dirty = false;
    return taken;
}

}  // namespace hyperstep::mmu
