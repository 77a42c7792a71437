#include "mmu/tlb.hpp"

namespace hyperstep::mmu {

Tlb::Tlb(GuestMemory& memory) : memory_{memory} {
    memory_.add_watcher(*this);
}

Tlb::~Tlb() {
    memory_.remove_watcher(*this);
}

std::byte* Tlb::announce(TlbEntry& entry, std::uint64_t tag) {
    if (!entry.writable || entry.host == nullptr) return nullptr;
    const std::uint64_t before = epoch_;
    std::byte* const host = entry.host;
    const Hpa frame = entry.frame;
    memory_.about_to_write(frame);
    if (!memory_.is_announced(frame)) return nullptr;  // ROM
    if (epoch_ == before) entry.write_tag = tag;
    return host;
}

void Tlb::flush() {
    entries_.fill({});
    ++epoch_;
}

void Tlb::flush_page(Gva linear) {
    TlbEntry& entry = at(linear);
    const auto names = [&](std::uint64_t tag) { return ((tag ^ linear.raw()) & ~0xfffULL) == 0; };
    if (names(entry.read_tag) || names(entry.write_tag) || names(entry.fetch_tag)) entry = {};
    // Whoever remembers a translation may do so of one that has left its slot.
    ++epoch_;
}

void Tlb::page_changes(Hpa page, std::uint8_t watches) {
    if ((watches & static_cast<std::uint8_t>(Watch::upper_tables)) != 0) {
        flush();
    } else if ((watches & static_cast<std::uint8_t>(Watch::leaf_tables)) != 0) {
        for (TlbEntry& entry : entries_)
            if (entry.leaf_table == page) entry = {};
        ++epoch_;
    }
}

void Tlb::page_needs_announcing(Hpa page) {
    for (TlbEntry& entry : entries_)
        if (entry.frame == page) entry.write_tag = 0;
    ++epoch_;
}

void Tlb::pages_need_announcing(std::span<const Hpa> pages) {
    constexpr std::size_t few = 8;
    if (pages.size() <= few) {
        for (const Hpa page : pages) page_needs_announcing(page);
        return;
    }
    for (TlbEntry& entry : entries_) entry.write_tag = 0;
    ++epoch_;
}

void Tlb::regions_changed() {
    flush();
}

}  // namespace hyperstep::mmu
