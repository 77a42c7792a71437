#include "tests/mmu/paging_oracle.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace hyperstep::mmu::oracle {

namespace {

// The figures of the entries, a letter a bit, from the highest bit down:
//   P R U W C A D S G  present, R/W, U/S, PWT, PCD, accessed, dirty, page size, global
//   T  PAT                      X  execute-disable with IA32_EFER.NXE, reserved without
//   a  physical address: reserved from MAXPHYADDR up
//   h  bits 39:32 of the address of a 4-MByte page, as far as PSE-36 and MAXPHYADDR give them
//   k  protection key           0  reserved           .  ignored
struct Figure {
    std::string_view bits;
};

// clang-format off
// SDM "32-Bit Paging".
constexpr Figure pde_of_4m        {"aaaaaaaaaa" "0" "hhhhhhhh" "T" "..." "G" "S" "DACWURP"};
constexpr Figure pde_32           {"aaaaaaaaaaaaaaaaaaaa"          "...." "S" "." "ACWURP"};
constexpr Figure pte_32           {"aaaaaaaaaaaaaaaaaaaa"          "..." "G" "T" "DACWURP"};

// SDM "PAE Paging".
constexpr Figure pae_pde_of_2m    {"X" "00000000000" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "00000000" "T" "..." "G" "S" "DACWURP"};
constexpr Figure pae_pde          {"X" "00000000000" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   "...." "S" "." "ACWURP"};
constexpr Figure pae_pte          {"X" "00000000000" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   "..." "G" "T" "DACWURP"};

// SDM "4-Level Paging and 5-Level Paging".
constexpr Figure pml5e_or_pml4e   {"X" "..........." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   "...." "0" "." "ACWURP"};
constexpr Figure pdpte_without_1g {"X" "..........." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   "...." "0" "." "ACWURP"};
constexpr Figure pdpte_or_pde     {"X" "..........." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"   "...." "S" "." "ACWURP"};
constexpr Figure pdpte_of_1g      {"X" "kkkk" "......." "aaaaaaaaaaaaaaaaaaaaaa" "00000000000000000" "T" "..." "G" "S" "DACWURP"};
constexpr Figure pde_of_2m        {"X" "kkkk" "......." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "00000000" "T" "..." "G" "S" "DACWURP"};
constexpr Figure pte              {"X" "kkkk" "......." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "..." "G" "T" "DACWURP"};
// clang-format on

static_assert(pde_of_4m.bits.size() == 32 && pde_32.bits.size() == 32 && pte_32.bits.size() == 32);
static_assert(pae_pde_of_2m.bits.size() == 64 && pae_pde.bits.size() == 64 && pae_pte.bits.size() == 64);
static_assert(pml5e_or_pml4e.bits.size() == 64 && pdpte_of_1g.bits.size() == 64);
static_assert(pdpte_without_1g.bits.size() == 64 && pde_of_2m.bits.size() == 64);
static_assert(pdpte_or_pde.bits.size() == 64 && pte.bits.size() == 64);

/// An entry that was used, with the figure by which it is read.
struct Used {
    std::uint64_t address = 0;
    std::uint64_t value = 0;
    std::string_view figure;

    /// The bits with this letter, as one number.
    std::uint64_t get(char letter) const {
        std::uint64_t result = 0;
        for (std::size_t i = 0; i < figure.size(); ++i)
            if (figure[i] == letter) result = result << 1 | bit(figure.size() - 1 - i);
        return result;
    }
    std::uint64_t bit(std::size_t number) const { return value >> number & 1; }
    /// The same bits where they are.
    std::uint64_t in_place(char letter) const {
        std::uint64_t result = 0;
        for (std::size_t i = 0; i < figure.size(); ++i)
            if (figure[i] == letter) result |= value & 1ULL << (figure.size() - 1 - i);
        return result;
    }
    bool breaks_reserved_bits(const X86Paging& paging) const {
        const unsigned width_of_h = paging.pse36 ? std::min<unsigned>(40, paging.physical_width) : 32;
        for (std::size_t i = 0; i < figure.size(); ++i) {
            const std::size_t number = figure.size() - 1 - i;
            if (bit(number) == 0) continue;
            switch (figure[i]) {
                case '0': return true;
                case 'X':
                    if (!paging.nxe) return true;
                    break;
                case 'a':
                    if (number >= paging.physical_width) return true;
                    break;
                case 'h':
                    if (number - 13 + 32 >= width_of_h) return true;
                    break;
                default: break;
            }
        }
        return false;
    }
};

struct Question {
    const X86Paging& paging;
    GuestMemory& memory;
    std::uint64_t linear;
    Access access;
    Privilege privilege;

    std::vector<Used> used{};
    bool absent = false;
    bool reserved = false;

    bool is(PagingMode mode) const { return paging.mode == mode; }
    bool ended() const { return absent || reserved; }

    /// Reads the entry with this index of a table. `large` is the figure if its PS flag is 1.
    void use(std::uint64_t table, std::uint64_t index, Figure small, std::optional<Figure> large = {}) {
        const unsigned bytes = small.bits.size() == 32 ? 4 : 8;
        const std::uint64_t address = table + index * bytes;
        const std::uint64_t value = memory.read(Hpa{address}, bytes);
        Used entry{address, value, small.bits};
        if (large && (value & 0x80) != 0) entry.figure = large->bits;
        absent = entry.get('P') == 0;
        reserved = !absent && entry.breaks_reserved_bits(paging);
        used.push_back(entry);
    }
    /// The last entry maps a page: its figure is that of a leaf.
    bool is_large() const { return used.back().figure.find('D') != std::string_view::npos; }
    std::uint64_t table() const { return used.back().in_place('a'); }
    std::uint64_t index(unsigned high, unsigned low) const {
        return linear >> low & ((1ULL << (high - low + 1)) - 1);
    }
};

// Each of these reads the entries of one mode, in the manual's order, until one maps the page or none can.

void read_32_bit(Question& q) {
    q.use(q.paging.cr3 & 0xfffff000,
          q.index(31, 22),
          pde_32,
          q.paging.pse ? std::optional{pde_of_4m} : std::nullopt);
    if (q.ended() || q.is_large()) return;
    q.use(q.table(), q.index(21, 12), pte_32);
}

void read_pae(Question& q) {
    const std::uint64_t pdpte = q.paging.pdpte[q.index(31, 30)];
    q.absent = (pdpte & 1) == 0;
    if (q.absent) return;
    q.use(pdpte & 0xffffffffff000, q.index(29, 21), pae_pde, pae_pde_of_2m);
    if (q.ended() || q.is_large()) return;
    q.use(q.table(), q.index(20, 12), pae_pte);
}

void read_long(Question& q) {
    std::uint64_t table = q.paging.cr3 & 0xffffffffff000;
    if (q.is(PagingMode::level_5)) {
        q.use(table, q.index(56, 48), pml5e_or_pml4e);
        if (q.ended()) return;
        table = q.table();
    }
    q.use(table, q.index(47, 39), pml5e_or_pml4e);
    if (q.ended()) return;
    if (q.paging.pages_1g)
        q.use(q.table(), q.index(38, 30), pdpte_or_pde, pdpte_of_1g);
    else
        q.use(q.table(), q.index(38, 30), pdpte_without_1g);
    if (q.ended() || q.is_large()) return;
    q.use(q.table(), q.index(29, 21), pdpte_or_pde, pde_of_2m);
    if (q.ended() || q.is_large()) return;
    q.use(q.table(), q.index(20, 12), pte);
}

bool every(const std::vector<Used>& entries, char letter, std::uint64_t value) {
    return std::all_of(entries.begin(), entries.end(), [&](const Used& entry) {
        return entry.figure.find(letter) == std::string_view::npos || entry.get(letter) == value;
    });
}

Answer describe(const Question& q) {
    const Used& leaf = q.used.back();
    Answer answer;
    std::uint64_t page = leaf.in_place('a');
    if (leaf.figure == pde_of_4m.bits) {
        page |= leaf.get('h') << 32;
        answer.page_size = 4U << 20;
    } else if (leaf.figure == pdpte_of_1g.bits) {
        answer.page_size = 1U << 30;
    } else if (leaf.figure == pde_of_2m.bits || leaf.figure == pae_pde_of_2m.bits) {
        answer.page_size = 2U << 20;
    } else {
        answer.page_size = 4U << 10;
    }
    answer.address = page + q.linear % answer.page_size;
    answer.user_mode_address = every(q.used, 'U', 1);
    answer.every_entry_writable = every(q.used, 'R', 1);
    answer.no_entry_execute_disabled = every(q.used, 'X', 0);
    const std::vector<Used> others(q.used.begin(), q.used.end() - 1);
    answer.shadow_stack_address = every(others, 'R', 1) && leaf.get('R') == 0 && leaf.get('D') == 1;
    answer.global = leaf.get('G') == 1;
    answer.dirty_before = leaf.get('D') == 1;
    answer.memory_type_index = static_cast<unsigned>(leaf.get('T') * 4 + leaf.get('C') * 2 + leaf.get('W'));
    answer.protection_key = static_cast<unsigned>(leaf.get('k'));
    answer.leaf_entry = leaf.address;
    return answer;
}

// SDM "Protection Keys". The rules for user-mode addresses speak of PKRU, those for supervisor-mode addresses
// of IA32_PKRS.
bool key_forbids(const Question& q, const Answer& page) {
    if (!q.is(PagingMode::level_4) && !q.is(PagingMode::level_5)) return false;
    if (q.access == Access::fetch) return false;
    const bool writes = q.access == Access::write || q.access == Access::shadow_stack_write;
    const auto flag = [&](std::uint32_t rights, unsigned which) {
        return (rights & 1U << (2 * page.protection_key + which)) != 0;
    };
    if (page.user_mode_address) {
        if (!q.paging.pke) return false;
        if (flag(q.paging.pkru, 0)) return true;
        return writes && flag(q.paging.pkru, 1) && (q.privilege == Privilege::user || q.paging.wp);
    }
    if (!q.paging.pks) return false;
    if (flag(q.paging.pkrs, 0)) return true;
    return writes && flag(q.paging.pkrs, 1) && (q.privilege == Privilege::user || q.paging.wp);
}

// SDM "Determination of Access Rights", a rule a line. The protection key comes apart.
bool supervisor_may(const Question& q, const Answer& page) {
    const bool explicit_with_ac = q.privilege == Privilege::supervisor_ac;
    switch (q.access) {
        case Access::read:
            if (!page.user_mode_address) return true;
            if (!q.paging.smap) return true;
            return explicit_with_ac;
        case Access::write:
            if (!page.user_mode_address) return !q.paging.wp || page.every_entry_writable;
            if (!q.paging.wp && !q.paging.smap) return true;
            if (!q.paging.wp && q.paging.smap) return explicit_with_ac;
            if (q.paging.wp && !q.paging.smap) return page.every_entry_writable;
            return explicit_with_ac && page.every_entry_writable;
        case Access::fetch:
            if (!page.user_mode_address) return page.no_entry_execute_disabled;
            return !q.paging.smep && page.no_entry_execute_disabled;
        case Access::shadow_stack_read:
        case Access::shadow_stack_write: return !page.user_mode_address && page.shadow_stack_address;
    }
    return false;
}
bool user_may(const Question& q, const Answer& page) {
    if (!page.user_mode_address) return false;
    switch (q.access) {
        case Access::read: return true;
        case Access::write: return page.every_entry_writable;
        case Access::fetch: return page.no_entry_execute_disabled;
        case Access::shadow_stack_read:
        case Access::shadow_stack_write: return page.shadow_stack_address;
    }
    return false;
}

// SDM "Page-Fault Exceptions": each flag of the error code on its own.
std::uint32_t error_code(const Question& q, bool key) {
    std::uint32_t code = 0;
    if (!q.absent) code += 1;
    if (q.access == Access::write || q.access == Access::shadow_stack_write) code += 2;
    if (q.privilege == Privilege::user) code += 4;
    if (q.reserved) code += 8;
    const bool cr4_pae = !q.is(PagingMode::bits_32);
    if (q.access == Access::fetch && (q.paging.smep || (cr4_pae && q.paging.nxe))) code += 16;
    if (key) code += 32;
    if (q.access == Access::shadow_stack_read || q.access == Access::shadow_stack_write) code += 64;
    return code;
}

}  // namespace

Answer translate(
    const X86Paging& paging, GuestMemory& memory, Gva linear, Access access, Privilege privilege) {
    assert(paging.mode != PagingMode::none);
    Question q{paging, memory, linear.raw(), access, privilege};
    q.used.reserve(5);
    switch (paging.mode) {
        case PagingMode::bits_32: read_32_bit(q); break;
        case PagingMode::pae: read_pae(q); break;
        default: read_long(q); break;
    }
    Answer answer;
    if (!q.ended()) answer = describe(q);
    answer.entries.reserve(q.used.size());
    for (const Used& entry : q.used) answer.entries.push_back({entry.address, entry.value, 0});
    if (q.ended()) {
        answer.error_code = error_code(q, false);
        return answer;
    }
    const bool key = key_forbids(q, answer);
    const bool may = privilege == Privilege::user ? user_may(q, answer) : supervisor_may(q, answer);
    if (key || !may) {
        answer.error_code = error_code(q, key);
        return answer;
    }
    for (Answer::Entry& entry : answer.entries) entry.flags = 0x20;
    if (access == Access::write || access == Access::shadow_stack_write) answer.entries.back().flags |= 0x40;
    return answer;
}

}  // namespace hyperstep::mmu::oracle
