#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "mmu/x86_paging.hpp"

// x86 paging once more, written from the manual's figures of the entries and its lists of rules, so that it
// shares no line and no idea with mmu/: what is in common is only what both speak about.
namespace hyperstep::mmu::oracle {

struct Answer {
    std::optional<std::uint32_t> error_code;  ///< set: #PF, and nothing else counts
    std::uint64_t address = 0;
    std::uint64_t page_size = 0;
    bool user_mode_address = false;
    bool every_entry_writable = false;
    bool no_entry_execute_disabled = false;
    bool shadow_stack_address = false;
    bool global = false;
    bool dirty_before = false;
    unsigned memory_type_index = 0;
    unsigned protection_key = 0;
    std::uint64_t leaf_entry = 0;  ///< its address
    struct Entry {
        std::uint64_t address = 0;
        std::uint64_t value = 0;
        std::uint64_t flags = 0;  ///< that the access sets in it
    };
    /// Those that were read, from the root down.
    std::vector<Entry> entries;
};

/// Without second stage; `paging.mode` is not none.
Answer translate(
    const X86Paging& paging, GuestMemory& memory, Gva linear, Access access, Privilege privilege);

}  // namespace hyperstep::mmu::oracle
