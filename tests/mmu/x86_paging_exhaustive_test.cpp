#include <gtest/gtest.h>

#include "tests/mmu/paging_fixture.hpp"

// Entry bits x control bits x access, against the oracle.
namespace hyperstep::mmu {
namespace {

/// A mode, and the level at which its pages are mapped.
struct Shape {
    const char* name;
    PagingMode mode;
    unsigned leaf;
    friend std::ostream& operator<<(std::ostream& to, const Shape& shape) { return to << shape.name; }
};

constexpr std::array shapes{Shape{"bits_32_4k", PagingMode::bits_32, 0},
                            Shape{"bits_32_4m", PagingMode::bits_32, 1},
                            Shape{"pae_4k", PagingMode::pae, 0},
                            Shape{"pae_2m", PagingMode::pae, 1},
                            Shape{"level_4_4k", PagingMode::level_4, 0},
                            Shape{"level_4_2m", PagingMode::level_4, 1},
                            Shape{"level_4_1g", PagingMode::level_4, 2},
                            Shape{"level_4_at_pml4", PagingMode::level_4, 3},
                            Shape{"level_5_4k", PagingMode::level_5, 0},
                            Shape{"level_5_2m", PagingMode::level_5, 1},
                            Shape{"level_5_1g", PagingMode::level_5, 2},
                            Shape{"level_5_at_pml5", PagingMode::level_5, 4}};

struct Exhaustive : testing::TestWithParam<Shape> {
    Exhaustive() : path{GetParam().mode} {
        // Key 5 may not be written, key 10 not be accessed, by PKRU; IA32_PKRS has them the other way round.
        path.paging.pkru = 2U << 10 | 1U << 20;
        path.paging.pkrs = 1U << 10 | 2U << 20;
        path.paging.pse = true;
    }

    /// Every combination of what a chosen part of the controls can be.
    template <class F>
    void for_each_control(unsigned chosen, F&& f) {
        for (unsigned controls = 0; controls < 128; ++controls) {
            if ((controls & ~chosen) != 0) continue;
            path.paging.wp = (controls & wp) != 0;
            path.paging.smep = (controls & smep) != 0;
            path.paging.smap = (controls & smap) != 0;
            path.paging.nxe = (controls & nxe) != 0;
            path.paging.pke = (controls & pke) != 0;
            path.paging.pks = (controls & pks) != 0;
            path.paging.pages_1g = path.paging.pse = (controls & no_large) == 0;
            f();
        }
    }
    static constexpr unsigned wp = 1;
    static constexpr unsigned smep = 2;
    static constexpr unsigned smap = 4;
    static constexpr unsigned nxe = 8;
    static constexpr unsigned pke = 16;
    static constexpr unsigned pks = 32;
    static constexpr unsigned no_large = 64;

    /// All accesses by all; `entry` at `level` is what the test is about, and is written again each time.
    void ask_all(unsigned level, std::uint64_t entry) {
        for (const Access access : all_accesses) {
            for (const Privilege privilege : all_privileges) {
                path.set(level, entry);
                const std::string text = disagreement(path.paging, path.view, path.linear, access, privilege);
                ++asked;
                if (text.empty()) continue;
                const X86Paging& c = path.paging;
                FAIL() << text << "\nentry " << std::hex << entry << " at level " << level << ", access "
                       << static_cast<int>(access) << " privilege " << static_cast<int>(privilege) << " wp "
                       << c.wp << " smep " << c.smep << " smap " << c.smap << " nxe " << c.nxe << " pke "
                       << c.pke << " pks " << c.pks << " 1g " << c.pages_1g;
            }
        }
    }
    void permit_all() {
        path.permit_above(GetParam().leaf);
        path.set(GetParam().leaf, leaf_with(bit::p | bit::rw | bit::us));
    }
    std::uint64_t leaf_with(std::uint64_t flags) const {
        return 0x40000000 | flags | (GetParam().leaf == 0 ? 0 : bit::ps);
    }

    TablePath path;
    unsigned asked = 0;
};

TEST_P(Exhaustive, LeafBits) {
    constexpr std::array low{bit::p, bit::rw, bit::us, bit::a, bit::d, bit::ps, bit::xd};
    const bool wide = path.entry_bytes() == 8;
    for (unsigned chosen = 0; chosen < 1U << low.size(); ++chosen) {
        std::uint64_t flags = 0;
        for (unsigned i = 0; i < low.size(); ++i) flags |= (chosen >> i & 1) != 0 ? low[i] : 0;
        if (!wide && (flags & bit::xd) != 0) continue;
        std::uint64_t entry = 0x40000000 | flags;
        // An entry that has PS 0 above level 0 references a table, and there is one.
        if (GetParam().leaf != 0 && (flags & bit::ps) == 0)
            entry = TablePath::table(GetParam().leaf - 1) | flags;
        path.permit_above(GetParam().leaf);
        for (unsigned level = 0; level < GetParam().leaf; ++level)
            path.set(level, 0x40000000 | bit::p | bit::rw | bit::us | (level == 0 ? 0 : bit::ps));
        for_each_control(wp | smep | smap | nxe | (GetParam().leaf == 0 ? 0 : no_large),
                         [&] { ask_all(GetParam().leaf, entry); });
        if (testing::Test::HasFatalFailure()) return;
    }
    EXPECT_GE(asked, wide ? 40960U : 20480U);
}

TEST_P(Exhaustive, ProtectionKeys) {
    // PAE paging has reserved bits in their place, 32-bit paging has none.
    permit_all();
    for (const std::uint64_t key : {0U, 1U, 5U, 10U, 15U})
        for (unsigned flags = 0; flags < 8; ++flags)
            for_each_control(wp | smap | pke | pks | smep, [&] {
                const std::uint64_t dirty = (flags & bit::rw) == 0 ? bit::d : 0;  // a shadow-stack page
                ask_all(GetParam().leaf, leaf_with(flags | dirty | bit::key(key)));
            });
}

TEST_P(Exhaustive, EachReservedBit) {
    permit_all();
    for (const unsigned width : {32U, 36U, 39U, 40U, 45U, 51U, 52U}) {
        path.paging.physical_width = static_cast<std::uint8_t>(width);
        for (unsigned level = GetParam().leaf; level <= path.top(); ++level) {
            permit_all();
            const std::uint64_t valid = path.get(level);
            for (unsigned number = 0; number < 8 * path.entry_bytes(); ++number) {
                // Bits 13:12 and up to 15 of a table's address would lead elsewhere in these tables: to
                // zeros.
                for_each_control(nxe | no_large, [&] { ask_all(level, valid ^ 1ULL << number); });
                if (testing::Test::HasFatalFailure()) return;
            }
        }
    }
}

TEST_P(Exhaustive, UpperBits) {
    constexpr std::array bits{bit::p, bit::rw, bit::us, bit::a, bit::xd};
    for (unsigned level = GetParam().leaf + 1; level <= path.top(); ++level) {
        permit_all();
        for (unsigned chosen = 0; chosen < 1U << bits.size(); ++chosen) {
            std::uint64_t flags = 0;
            for (unsigned i = 0; i < bits.size(); ++i) flags |= (chosen >> i & 1) != 0 ? bits[i] : 0;
            for (const std::uint64_t leaf_flags : {bit::p,
                                                   bit::p | bit::us,
                                                   bit::p | bit::rw | bit::us,
                                                   bit::p | bit::us | bit::d,
                                                   bit::p | bit::d,
                                                   bit::rw}) {
                path.set(GetParam().leaf, leaf_with(leaf_flags));
                for_each_control(wp | smep | smap | nxe,
                                 [&] { ask_all(level, TablePath::table(level - 1) | flags); });
            }
            if (testing::Test::HasFatalFailure()) return;
        }
    }
}

/// R/W, U/S and XD of all levels together.
TEST_P(Exhaustive, RightsOfAllLevels) {
    const unsigned leaf = GetParam().leaf;
    const unsigned levels = path.top() - leaf + 1;
    const unsigned bits_of_level = path.entry_bytes() == 8 ? 3 : 2;
    // Of five levels, the two in the middle go together.
    const unsigned free_levels = std::min(levels, 4U);
    path.paging.nxe = true;
    for (unsigned chosen = 0; chosen < 1U << (free_levels * bits_of_level); ++chosen) {
        for (unsigned level = path.top() + 1; level-- > leaf;) {
            const unsigned from = std::min(level - leaf, free_levels - 1) * bits_of_level;
            const std::uint64_t flags = bit::p | ((chosen >> from & 1) != 0 ? bit::rw : 0) |
                                        ((chosen >> from & 2) != 0 ? bit::us : 0) |
                                        ((chosen >> from & 4) != 0 && bits_of_level == 3 ? bit::xd : 0);
            if (level == leaf)
                path.set(level, leaf_with(flags));
            else
                path.set_table(level, flags);
        }
        const std::uint64_t entry = path.get(leaf);
        const bool same = (chosen & 0x55) == 0;  // a part also with every control
        path.paging.nxe = true;
        for_each_control(nxe | (same ? wp | smep | smap : wp), [&] { ask_all(leaf, entry); });
        path.paging.smep = path.paging.smap = true;
        ask_all(leaf, entry);
        if (testing::Test::HasFatalFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(Paging, Exhaustive, testing::ValuesIn(shapes), [](const auto& shape) {
    return std::string{shape.param.name};
});

}  // namespace
}  // namespace hyperstep::mmu
