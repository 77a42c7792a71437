#include "mmu/guest_memory.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <optional>
#include <xxhash.h>

#include "mmu/memory_region.hpp"

namespace hyperstep::mmu {

namespace {

constexpr std::uint64_t page_bytes = bytes_in(PageSize::size_4k);

constexpr std::uint64_t low_bytes(unsigned bytes) {
    return bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
}

static_assert(std::endian::native == std::endian::little);
template <class Word>
std::uint64_t load_word(const std::byte* from) {
    Word word{};
    std::memcpy(&word, from, sizeof word);
    return word;
}
template <class Word>
void store_word(std::byte* to, std::uint64_t value) {
    const auto word = static_cast<Word>(value);
    std::memcpy(to, &word, sizeof word);
}
std::uint64_t load(const std::byte* from, unsigned bytes) {
    switch (bytes) {
        case 1: return load_word<std::uint8_t>(from);
        case 2: return load_word<std::uint16_t>(from);
        case 4: return load_word<std::uint32_t>(from);
        default: return load_word<std::uint64_t>(from);
    }
}
void store(std::byte* to, unsigned bytes, std::uint64_t value) {
    switch (bytes) {
        case 1: return store_word<std::uint8_t>(to, value);
        case 2: return store_word<std::uint16_t>(to, value);
        case 4: return store_word<std::uint32_t>(to, value);
        default: return store_word<std::uint64_t>(to, value);
    }
}

/// The next part of an access that is split: naturally aligned, of at most `left` bytes.
unsigned aligned_part(std::uint64_t address, unsigned left) {
    const unsigned aligned = (address & 7) == 0 ? 8U : static_cast<unsigned>(address & (~address + 1));
    return std::min(aligned, std::bit_floor(left));
}

bool is_zero(const std::byte* page) {
    static constexpr std::array<std::byte, page_bytes> zeros{};
    return std::memcmp(page, zeros.data(), page_bytes) == 0;
}

}  // namespace

std::string_view to_string(RegionError error) {
    switch (error) {
        case RegionError::overlap: return "overlaps a region that is there";
        case RegionError::misaligned: return "begins or ends within a page of 4 KiB";
        case RegionError::empty: return "has no bytes";
        case RegionError::beyond_width: return "ends beyond 2^52";
    }
    return "";
}

struct GuestMemory::Impl {
    std::vector<std::unique_ptr<MemoryRegion>> regions;  ///< in order of address
    MemoryRegion* last_hit = nullptr;
    std::vector<PageWatcher*> watchers;

    /// The region that holds `address`; null: a hole.
    MemoryRegion* find(std::uint64_t address) {
        if (last_hit != nullptr && last_hit->holds(address)) return last_hit;
        const auto after = std::upper_bound(
            regions.begin(), regions.end(), address, [](std::uint64_t value, const auto& region) {
                return value < region->first();
            });
        if (after == regions.begin() || !(*std::prev(after))->holds(address)) return nullptr;
        last_hit = std::prev(after)->get();
        return last_hit;
    }
    /// The same, of RAM or ROM only.
    MemoryRegion* find_bytes(std::uint64_t address) {
        MemoryRegion* const region = find(address);
        return region != nullptr && region->has_bytes() ? region : nullptr;
    }
    /// RAM or ROM without a gap.
    bool has_bytes(std::uint64_t address, std::uint64_t count) {
        while (count != 0) {
            const MemoryRegion* const region = find_bytes(address);
            if (region == nullptr) return false;
            const std::uint64_t here = std::min(count, region->end() - address);
            address += here;
            count -= here;
        }
        return true;
    }

    std::optional<RegionError> refuse(Hpa first, std::uint64_t bytes) const {
        constexpr std::uint64_t width = 1ULL << 52;
        if (bytes == 0) return RegionError::empty;
        if (!first.is_page_aligned() || bytes % page_bytes != 0) return RegionError::misaligned;
        if (first.raw() >= width || bytes > width - first.raw()) return RegionError::beyond_width;
        for (const auto& region : regions)
            if (first.raw() < region->end() && region->first() < first.raw() + bytes)
                return RegionError::overlap;
        return std::nullopt;
    }
    MemoryRegion& add(MemoryRegion region) {
        const auto place = std::upper_bound(
            regions.begin(), regions.end(), region.first(), [](std::uint64_t value, const auto& other) {
                return value < other->first();
            });
        auto& added = **regions.insert(place, std::make_unique<MemoryRegion>(std::move(region)));
        tell([&](PageWatcher& watcher) { watcher.regions_changed(); });
        return added;
    }

    /// Calls `f(watcher)` for each; one of them may add or remove another.
    void tell(auto&& f) const {
        std::size_t next = 0;
        while (next < watchers.size()) f(*watchers[next++]);
    }
    void tell_change(std::uint64_t page, std::uint8_t watches) const {
        tell([&](PageWatcher& watcher) { watcher.page_changes(Hpa{page}, watches); });
    }

    /// Announces the page of RAM or ROM that holds `address`; those in `kept` stay watches, untold.
    void announce(MemoryRegion& region, std::uint64_t address, std::uint8_t kept = 0) const {
        PageMark& mark = region.changing_mark(address);
        const auto told = static_cast<std::uint8_t>(mark.watches & ~kept);
        mark.watches &= kept;
        ++mark.generation;
        region.set_dirty(address);
        if (told != 0) tell_change(address & ~(page_bytes - 1), told);
    }
    void announce_unless_done(MemoryRegion& region, std::uint64_t address) const {
        const PageMark& mark = region.mark(address);
        if (!mark.dirty || mark.watches != 0) announce(region, address);
    }

    /// Within one page.
    std::uint64_t read(std::uint64_t address, unsigned bytes) {
        MemoryRegion* const region = find(address);
        if (region == nullptr) return low_bytes(bytes);
        if (region->has_bytes()) return load(region->host(address), bytes);
        return region->registers().read(address - region->first(), bytes) & low_bytes(bytes);
    }
    void write(std::uint64_t address, unsigned bytes, std::uint64_t value) {
        MemoryRegion* const region = find(address);
        if (region == nullptr || region->kind() == PageKind::rom) return;
        if (region->kind() == PageKind::mmio) {
            region->registers().write(address - region->first(), bytes, value & low_bytes(bytes));
            return;
        }
        announce_unless_done(*region, address);
        store(region->host(address), bytes, value);
    }
};

GuestMemory::GuestMemory() : impl_{std::make_unique<Impl>()} {}
GuestMemory::~GuestMemory() = default;

tl::expected<void, RegionError> GuestMemory::add_ram(Hpa first, std::uint64_t bytes) {
    if (const auto error = impl_->refuse(first, bytes)) return tl::unexpected{*error};
    impl_->add(MemoryRegion::own(PageKind::ram, first, bytes));
    return {};
}

tl::expected<void, RegionError> GuestMemory::lend_ram(Hpa first, std::span<std::byte> bytes) {
    if (const auto error = impl_->refuse(first, bytes.size())) return tl::unexpected{*error};
    impl_->add(MemoryRegion::lent(first, bytes));
    return {};
}

tl::expected<void, RegionError> GuestMemory::add_rom(Hpa first, std::span<const std::byte> bytes) {
    const std::uint64_t padded = (bytes.size() + page_bytes - 1) & ~(page_bytes - 1);
    if (const auto error = impl_->refuse(first, padded)) return tl::unexpected{*error};
    MemoryRegion rom = MemoryRegion::own(PageKind::rom, first, padded);
    std::memcpy(rom.host(first.raw()), bytes.data(), bytes.size());
    impl_->add(std::move(rom));
    return {};
}

tl::expected<void, RegionError> GuestMemory::add_mmio(Hpa first, std::uint64_t bytes, MmioRegion& region) {
    if (const auto error = impl_->refuse(first, bytes)) return tl::unexpected{*error};
    impl_->add(MemoryRegion::device(first, bytes, region));
    return {};
}

bool GuestMemory::remove(Hpa first) {
    MemoryRegion* const region = impl_->find(first.raw());
    if (region == nullptr || region->first() != first.raw()) return false;
    // A copy: a watcher that is told may watch another page.
    const std::vector<std::uint64_t> marked = region->marked_pages();
    for (const std::uint64_t page : marked) {
        const std::uint8_t watched = std::exchange(region->changing_mark(page).watches, std::uint8_t{0});
        if (watched != 0) impl_->tell_change(page, watched);
    }
    impl_->last_hit = nullptr;
    std::erase_if(impl_->regions, [&](const auto& each) { return each.get() == region; });
    impl_->tell([&](PageWatcher& watcher) { watcher.regions_changed(); });
    return true;
}

GuestMemory::Page GuestMemory::page(Hpa address) const {
    const MemoryRegion* const region = impl_->find(address.raw());
    if (region == nullptr) return {};
    return {region->kind(), region->has_bytes() ? region->host(address.page_start().raw()) : nullptr};
}

std::uint64_t GuestMemory::read(Hpa address, unsigned bytes) {
    assert(std::has_single_bit(bytes) && bytes <= 8);
    if (address.page_offset() + bytes <= page_bytes) return impl_->read(address.raw(), bytes);
    std::uint64_t value = 0;
    for (unsigned done = 0; done < bytes;) {
        const std::uint64_t at = address.raw() + done;
        const unsigned part = aligned_part(at, bytes - done);
        value |= impl_->read(at, part) << (8 * done);
        done += part;
    }
    return value;
}

void GuestMemory::write(Hpa address, unsigned bytes, std::uint64_t value) {
    assert(std::has_single_bit(bytes) && bytes <= 8);
    if (address.page_offset() + bytes <= page_bytes) {
        impl_->write(address.raw(), bytes, value);
        return;
    }
    for (unsigned done = 0; done < bytes;) {
        const std::uint64_t at = address.raw() + done;
        const unsigned part = aligned_part(at, bytes - done);
        impl_->write(at, part, value >> (8 * done));
        done += part;
    }
}

bool GuestMemory::read_bytes(Hpa address, std::span<std::byte> to) const {
    if (!impl_->has_bytes(address.raw(), to.size())) return false;
    for (std::uint64_t at = address.raw(); !to.empty();) {
        const MemoryRegion& region = *impl_->find(at);
        const std::uint64_t here = std::min<std::uint64_t>(to.size(), region.end() - at);
        std::memcpy(to.data(), region.host(at), here);
        at += here;
        to = to.subspan(here);
    }
    return true;
}

bool GuestMemory::write_bytes(Hpa address, std::span<const std::byte> from) {
    if (!impl_->has_bytes(address.raw(), from.size())) return false;
    for (std::uint64_t at = address.raw(); !from.empty();) {
        MemoryRegion& region = *impl_->find(at);
        const std::uint64_t here = std::min<std::uint64_t>(from.size(), page_bytes - (at & (page_bytes - 1)));
        impl_->announce_unless_done(region, at);
        std::memcpy(region.host(at), from.data(), here);
        at += here;
        from = from.subspan(here);
    }
    return true;
}

bool GuestMemory::mark_entry(Hpa entry, unsigned bytes, std::uint64_t expected, std::uint64_t desired) {
    assert((bytes == 4 || bytes == 8) && entry.raw() % bytes == 0);
    if (impl_->read(entry.raw(), bytes) != expected) return false;
    MemoryRegion* const region = impl_->find(entry.raw());
    if (region == nullptr || region->kind() != PageKind::ram) {
        impl_->write(entry.raw(), bytes, desired);
        return true;
    }
    constexpr auto tables = static_cast<std::uint8_t>(static_cast<std::uint8_t>(Watch::leaf_tables) |
                                                      static_cast<std::uint8_t>(Watch::upper_tables));
    if (!is_announced(entry)) impl_->announce(*region, entry.raw(), tables);
    store(region->host(entry.raw()), bytes, desired);
    return true;
}

void GuestMemory::watch(Hpa page, Watch what) {
    MemoryRegion* const region = impl_->find_bytes(page.raw());
    if (region == nullptr) return;
    const auto added = static_cast<std::uint8_t>(what);
    const PageMark& mark = region->mark(page.raw());
    if ((mark.watches & added) == added) return;
    const bool was_announced = region->kind() == PageKind::ram && mark.dirty && mark.watches == 0;
    region->changing_mark(page.raw()).watches |= added;
    if (!was_announced) return;
    impl_->tell([&](PageWatcher& watcher) { watcher.page_needs_announcing(page.page_start()); });
}

std::uint8_t GuestMemory::watches(Hpa page) const {
    const MemoryRegion* const region = impl_->find_bytes(page.raw());
    return region == nullptr ? std::uint8_t{0} : region->mark(page.raw()).watches;
}

void GuestMemory::about_to_write(Hpa page) {
    MemoryRegion* const region = impl_->find(page.raw());
    if (region != nullptr && region->kind() == PageKind::ram)
        impl_->announce_unless_done(*region, page.raw());
}

bool GuestMemory::is_announced(Hpa page) const {
    const MemoryRegion* const region = impl_->find(page.raw());
    if (region == nullptr || region->kind() != PageKind::ram) return false;
    const PageMark& mark = region->mark(page.raw());
    return mark.dirty && mark.watches == 0;
}

std::uint32_t GuestMemory::generation(Hpa page) const {
    const MemoryRegion* const region = impl_->find_bytes(page.raw());
    return region == nullptr ? 0 : region->mark(page.raw()).generation;
}

bool GuestMemory::is_dirty(Hpa page) const {
    const MemoryRegion* const region = impl_->find_bytes(page.raw());
    return region != nullptr && region->mark(page.raw()).dirty;
}

std::vector<Hpa> GuestMemory::take_dirty_pages() {
    std::vector<Hpa> taken;
    std::vector<Hpa> were_announced;
    for (const auto& region : impl_->regions) {
        for (const std::uint64_t page : region->take_dirty_pages()) {
            taken.emplace_back(page);
            if (region->kind() == PageKind::ram && region->mark(page).watches == 0)
                were_announced.emplace_back(page);
        }
    }
    if (!were_announced.empty())
        impl_->tell([&](PageWatcher& watcher) { watcher.pages_need_announcing(were_announced); });
    return taken;
}

void GuestMemory::add_watcher(PageWatcher& watcher) {
    impl_->watchers.push_back(&watcher);
}

void GuestMemory::remove_watcher(PageWatcher& watcher) {
    std::erase(impl_->watchers, &watcher);
}

std::vector<GuestMemory::Range> GuestMemory::regions() const {
    std::vector<Range> ranges;
    ranges.reserve(impl_->regions.size());
    for (const auto& region : impl_->regions)
        ranges.push_back({Hpa{region->first()}, region->bytes(), region->kind()});
    return ranges;
}

std::uint64_t GuestMemory::content_hash() const {
    const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state{XXH3_createState(), XXH3_freeState};
    XXH3_64bits_reset(state.get());
    const auto add_word = [&](std::uint64_t word) { XXH3_64bits_update(state.get(), &word, sizeof word); };
    const auto add_page = [&](const MemoryRegion& region, std::uint64_t page) {
        if (is_zero(region.host(page))) return;
        add_word(page);
        XXH3_64bits_update(state.get(), region.host(page), page_bytes);
    };
    for (const auto& region : impl_->regions) {
        if (!region->has_bytes()) continue;
        add_word(static_cast<std::uint64_t>(region->kind()));
        add_word(region->first());
        add_word(region->bytes());
        // The owner of lent RAM, and whoever made the ROM, wrote without a mark.
        if (region->is_lent() || region->kind() == PageKind::rom)
            for (std::uint64_t page = region->first(); page < region->end(); page += page_bytes)
                add_page(*region, page);
        else
            for (const std::uint64_t page : region->marked_pages()) add_page(*region, page);
    }
    return XXH3_64bits_digest(state.get());
}

}  // namespace hyperstep::mmu
