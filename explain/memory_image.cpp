#include "explain/memory_image.hpp"

#include <array>
#include <utility>

namespace hyperstep::explain {

using vmx::Slot;
using vmx::State;

bool MemoryImage::add(std::uint64_t address, std::vector<std::uint8_t> bytes) {
    if (bytes.empty()) return true;
    const std::uint64_t last = address + (bytes.size() - 1);
    if (last < address) return false;
    const auto after = pieces_.upper_bound(address);
    if (after != pieces_.end() && after->first <= last) return false;
    if (after != pieces_.begin()) {
        const auto before = std::prev(after);
        if (before->first + (before->second.size() - 1) >= address) return false;
    }
    pieces_.emplace(address, std::move(bytes));
    return true;
}

void MemoryImage::fill(std::uint64_t address, std::uint64_t little_endian, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        add(address + i, {static_cast<std::uint8_t>(little_endian >> (8 * i))});
}

std::optional<std::uint8_t> MemoryImage::byte_at(std::uint64_t address) const {
    const auto after = pieces_.upper_bound(address);
    if (after == pieces_.begin()) return std::nullopt;
    const auto& [start, bytes] = *std::prev(after);
    if (address - start >= bytes.size()) return std::nullopt;
    return bytes[address - start];
}

std::optional<std::uint64_t> MemoryImage::read(std::uint64_t address, unsigned count) const {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < count; ++i) {
        const auto byte = byte_at(address + i);
        if (!byte) return std::nullopt;
        number |= static_cast<std::uint64_t>(*byte) << (8 * i);
    }
    return number;
}

std::map<std::uint64_t, std::vector<std::uint8_t>> MemoryImage::joined() const {
    std::map<std::uint64_t, std::vector<std::uint8_t>> runs;
    for (const auto& [start, bytes] : pieces_) {
        const bool touches =
            !runs.empty() && std::prev(runs.end())->first + std::prev(runs.end())->second.size() == start;
        std::vector<std::uint8_t>& run = touches ? std::prev(runs.end())->second : runs[start];
        run.insert(run.end(), bytes.begin(), bytes.end());
    }
    return runs;
}

std::vector<MemoryPlace> memory_places(const State& state) {
    struct Pointer {
        Slot slot, pointer;
        std::uint64_t offset;
        unsigned bytes;
    };
    constexpr auto pointers = std::to_array<Pointer>({
        {Slot::vmcs_word0, Slot::current_vmcs, 0, 4},
        {Slot::link_word0, Slot::vmcs_link_pointer, 0, 4},
        {Slot::executive_word0, Slot::executive_vmcs_ptr, 0, 4},
        {Slot::vtpr, Slot::virtual_apic_addr, 0x80, 1},
    });
    std::vector<MemoryPlace> places;
    for (const Pointer& p : pointers) {
        if (!state.knows(p.pointer) || state[p.pointer].value == ~0ULL) continue;
        places.push_back({p.slot, state[p.pointer].value + p.offset, p.bytes});
    }
    constexpr std::array pdptes{
        Slot::memory_pdpte0, Slot::memory_pdpte1, Slot::memory_pdpte2, Slot::memory_pdpte3};
    constexpr std::uint64_t table_bits = 0xffff'ffe0;
    const vmx::PartialWord cr3 = state[Slot::guest_cr3];
    if ((cr3.known & table_bits) != table_bits) return places;
    for (std::size_t i = 0; i < pdptes.size(); ++i)
        places.push_back({pdptes[i], (cr3.value & table_bits) + 8 * i, 8});
    return places;
}

std::uint64_t address_of_slot(const State& state, Slot slot) {
    for (const MemoryPlace& place : memory_places(state))
        if (place.slot == slot) return place.address;
    return ~0ULL;
}

std::optional<std::uint64_t> msr_entry_address(const State& state, std::size_t entry) {
    if (!state.knows(Slot::entry_msr_load_addr)) return std::nullopt;
    return state[Slot::entry_msr_load_addr].value + 16 * static_cast<std::uint64_t>(entry);
}

std::vector<vmx::MsrEntry> read_msr_entries(const State& state, const MemoryImage& image, std::size_t count) {
    std::vector<vmx::MsrEntry> entries;
    for (std::size_t i = 0; i < count; ++i) {
        const auto address = msr_entry_address(state, i);
        if (!address) break;
        const auto index = image.read(*address, 4);
        const auto reserved = image.read(*address + 4, 4);
        const auto value = image.read(*address + 8, 8);
        if (!index || !reserved || !value) break;
        entries.push_back(
            {static_cast<std::uint32_t>(*index), static_cast<std::uint32_t>(*reserved), *value});
    }
    return entries;
}

}  // namespace hyperstep::explain
