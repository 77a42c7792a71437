#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mmu/x86_paging.hpp"
#include "tests/mmu/paging_oracle.hpp"

namespace hyperstep::mmu {

/// Bits of entries, as the manual writes them.
namespace bit {
inline constexpr std::uint64_t p = 1U << 0;
inline constexpr std::uint64_t rw = 1U << 1;
inline constexpr std::uint64_t us = 1U << 2;
inline constexpr std::uint64_t pwt = 1U << 3;
inline constexpr std::uint64_t pcd = 1U << 4;
inline constexpr std::uint64_t a = 1U << 5;
inline constexpr std::uint64_t d = 1U << 6;
inline constexpr std::uint64_t ps = 1U << 7;
inline constexpr std::uint64_t pat = 1U << 7;
inline constexpr std::uint64_t g = 1U << 8;
inline constexpr std::uint64_t large_pat = 1U << 12;
inline constexpr std::uint64_t xd = 1ULL << 63;
constexpr std::uint64_t key(std::uint64_t number) {
    return number << 59;
}
}  // namespace bit

inline constexpr std::array all_accesses{
    Access::read, Access::write, Access::fetch, Access::shadow_stack_read, Access::shadow_stack_write};
inline constexpr std::array all_privileges{
    Privilege::user, Privilege::supervisor, Privilege::supervisor_ac, Privilege::implicit_supervisor};

/// Tables for one linear address: the table of level n (0: page table) is at 0x1000 * (n + 1).
struct TablePath {
    explicit TablePath(PagingMode paging_mode) {
        static_cast<void>(memory.add_ram(Hpa{0}, 0x10000));
        paging.mode = paging_mode;
        paging.shadow_stack = true;
        paging.physical_width = 40;
        paging.cr3 = table(top());
        paging.pdpte.fill(paging_mode == PagingMode::pae ? table(1) | bit::p : 0);
    }

    unsigned top() const {
        switch (paging.mode) {
            case PagingMode::level_4: return 3;
            case PagingMode::level_5: return 4;
            default: return 1;
        }
    }
    unsigned entry_bytes() const { return paging.mode == PagingMode::bits_32 ? 4 : 8; }
    static std::uint64_t table(unsigned level) { return 0x1000ULL * (level + 1); }
    /// Of the entry of this level that `linear` uses.
    Hpa slot(unsigned level) const {
        const unsigned index_bits = paging.mode == PagingMode::bits_32 ? 10 : 9;
        const std::uint64_t index = linear.raw() >> (12 + index_bits * level) & ((1U << index_bits) - 1);
        return Hpa{table(level) + index * entry_bytes()};
    }
    /// Writes the entry without its address, which is that of the next table.
    void set_table(unsigned level, std::uint64_t flags) { set(level, table(level - 1) | flags); }
    void set(unsigned level, std::uint64_t entry) { memory.write(slot(level), entry_bytes(), entry); }
    std::uint64_t get(unsigned level) { return memory.read(slot(level), entry_bytes()); }
    /// All tables above `leaf` permit everything.
    void permit_above(unsigned leaf) {
        for (unsigned level = top(); level > leaf; --level) set_table(level, bit::p | bit::rw | bit::us);
    }

    tl::expected<X86Translation, X86Fault> ask(Access access, Privilege privilege) {
        return translate(paging, view, linear, access, privilege);
    }

    X86Paging paging;
    GuestMemory memory;
    PhysicalView view{memory};
    Gva linear{0x7654'3210};  // indices differ on all levels of each mode
};

/// The error code; -1: no fault at all, -2: a second stage's.
int error_code(const tl::expected<X86Translation, X86Fault>& result);

/// Asks probe(), translate() and the oracle, and compares their answers and what became of the entries.
/// Empty: all agree.
std::string disagreement(
    const X86Paging& paging, PhysicalView& view, Gva linear, Access access, Privilege privilege);

}  // namespace hyperstep::mmu
