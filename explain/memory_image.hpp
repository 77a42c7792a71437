#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "vmx/rules/state.hpp"

namespace hyperstep::explain {

/// Pieces of physical memory, as far as they are known. Pieces never overlap.
class MemoryImage {
public:
    /// Adds a piece. False, and nothing is added, if it overlaps another or runs past the end of the address
    /// space.
    bool add(std::uint64_t address, std::vector<std::uint8_t> bytes);
    /// Writes bytes where nothing is known yet; what is known stays.
    void fill(std::uint64_t address, std::uint64_t little_endian, unsigned count);
    /// `count` (1 to 8) bytes as a little-endian number; nothing if one of them is unknown.
    std::optional<std::uint64_t> read(std::uint64_t address, unsigned count) const;
    /// The pieces by address, neighbours joined.
    std::map<std::uint64_t, std::vector<std::uint8_t>> joined() const;

private:
    std::optional<std::uint8_t> byte_at(std::uint64_t address) const;
    std::map<std::uint64_t, std::vector<std::uint8_t>> pieces_;
};

/// Where a memory slot's number lies. SDM "Format of the VMCS Region", "TPR Virtualization", "PDPTE
/// Registers".
struct MemoryPlace {
    vmx::Slot slot;
    std::uint64_t address;
    unsigned bytes;
};

/// The places of all memory slots whose address the state knows. A link pointer or current-VMCS pointer of
/// all ones points nowhere.
std::vector<MemoryPlace> memory_places(const vmx::State& state);

/// Where the state has the number of a memory slot: all ones if its pointer is all ones or unknown.
std::uint64_t address_of_slot(const vmx::State& state, vmx::Slot slot);

/// The address of an entry (from 0) of the VM-entry MSR-load area; nothing if the area's address is unknown.
std::optional<std::uint64_t> msr_entry_address(const vmx::State& state, std::size_t entry);

/// The first `count` entries of the MSR-load area, up to the first that the image does not have whole.
std::vector<vmx::MsrEntry> read_msr_entries(const vmx::State& state,
                                            const MemoryImage& image,
                                            std::size_t count);

}  // namespace hyperstep::explain
