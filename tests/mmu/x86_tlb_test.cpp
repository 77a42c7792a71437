#include "mmu/x86_tlb.hpp"

#include <array>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "tests/mmu/paging_fixture.hpp"

namespace hyperstep::mmu {
namespace {

constexpr std::uint64_t all_rights = bit::p | bit::rw | bit::us;
constexpr ContextNumber context = 9;

struct Remembered : testing::Test {
    Remembered() {
        path.permit_above(0);
        path.paging.nxe = true;
    }
    const TlbEntry& remembered(std::uint64_t leaf, Access access, Privilege privilege) {
        path.set(0, leaf);
        const auto page = path.ask(access, privilege);
        EXPECT_TRUE(page);
        return remember(*tlb, path.linear, {context, privilege}, path.paging, page.value());
    }
    std::uint64_t tag() const { return Tlb::tag(path.linear, context); }

    TablePath path{PagingMode::level_4};
    std::unique_ptr<Tlb> tlb = std::make_unique<Tlb>(path.memory);
};

TEST_F(Remembered, EachTagIsARight) {
    const TlbEntry& entry = remembered(0x8000 | all_rights | bit::xd, Access::read, Privilege::user);
    EXPECT_EQ(&entry, &tlb->at(path.linear));
    EXPECT_EQ(entry.read_tag, tag());
    EXPECT_EQ(entry.fetch_tag, 0U) << "execute-disable";
    EXPECT_EQ(entry.write_tag, 0U) << "the dirty flag is not set";
    EXPECT_FALSE(entry.writable);
    EXPECT_EQ(entry.host, path.memory.page(Hpa{0x8000}).host);
    EXPECT_EQ(entry.frame, Hpa{0x8000});
    EXPECT_EQ(entry.leaf_table, Hpa{0x1000});
    EXPECT_TRUE(entry.user_page);
}

TEST_F(Remembered, AWriteTagNeedsAnAnnouncedPage) {
    const TlbEntry& first = remembered(0x8000 | all_rights, Access::write, Privilege::user);
    EXPECT_TRUE(first.writable);
    EXPECT_EQ(first.write_tag, 0U);
    EXPECT_EQ(first.fetch_tag, tag());
    path.memory.about_to_write(Hpa{0x8000});
    EXPECT_EQ(remembered(0x8000 | all_rights, Access::write, Privilege::user).write_tag, tag());
    path.memory.watch(Hpa{0x8000}, Watch::code);
    EXPECT_EQ(tlb->at(path.linear).write_tag, 0U);
    EXPECT_EQ(remembered(0x8000 | all_rights | bit::d, Access::read, Privilege::user).write_tag, 0U);
}

TEST_F(Remembered, AnnouncingAddsTheWriteTag) {
    const TlbEntry& entry = remembered(0x8000 | all_rights, Access::write, Privilege::user);
    EXPECT_EQ(tlb->announce(tlb->at(path.linear), tag()), path.memory.page(Hpa{0x8000}).host);
    EXPECT_EQ(entry.write_tag, tag());
    EXPECT_TRUE(path.memory.is_announced(Hpa{0x8000}));
    EXPECT_EQ(remembered(0x8000 | all_rights | bit::xd, Access::write, Privilege::user).write_tag, tag());
}

TEST_F(Remembered, ATableThatMapsItselfIsWrittenTheSlowWay) {
    for (const std::uint64_t table : {0x1000U, 0x2000U, 0x3000U, 0x4000U}) {
        const TlbEntry& entry = remembered(table | all_rights, Access::write, Privilege::user);
        EXPECT_EQ(entry.write_tag, 0U);
        EXPECT_EQ(tlb->announce(tlb->at(path.linear), tag()), path.memory.page(Hpa{table}).host);
        EXPECT_EQ(entry.write_tag, 0U) << "or its next change would go unseen";
        EXPECT_EQ(entry.read_tag, 0U);
    }
}

TEST_F(Remembered, PrivilegeCounts) {
    path.paging.smap = path.paging.smep = true;
    const TlbEntry& entry = remembered(0x8000 | all_rights, Access::read, Privilege::supervisor_ac);
    EXPECT_EQ(entry.read_tag, tag());
    EXPECT_EQ(entry.fetch_tag, 0U) << "SMEP";
    path.paging.smap = false;
    const auto page = path.ask(Access::read, Privilege::supervisor);
    path.paging.smap = true;
    const TlbEntry& supervisor =
        remember(*tlb, path.linear, {context, Privilege::supervisor}, path.paging, page.value());
    EXPECT_EQ(supervisor.read_tag, 0U) << "SMAP";
}

// SDM "Operations that Invalidate TLBs and Paging-Structure Caches" lets a processor keep stale entries. Here
// only a view without watches does.
TEST_F(Remembered, AnEntryIsStaleOnlyWithoutWatches) {
    static_cast<void>(remembered(0x8000 | all_rights, Access::read, Privilege::user));
    path.set(0, 0);
    EXPECT_EQ(tlb->at(path.linear).read_tag, 0U);

    PhysicalView unwatched{path.memory, nullptr, PhysicalView::Tables::unwatched};
    path.set(0, 0x8000 | all_rights);
    const auto page = translate(path.paging, unwatched, path.linear, Access::read, Privilege::user);
    const TlbEntry& entry =
        remember(*tlb, path.linear, {context, Privilege::user}, path.paging, page.value());
    path.set(0, 0);
    EXPECT_EQ(entry.read_tag, tag()) << "the old translation, as the guest has not invalidated it";
    EXPECT_EQ(entry.frame, Hpa{0x8000});
    tlb->flush_page(path.linear);
    EXPECT_EQ(entry.read_tag, 0U);
}

TEST_F(Remembered, NoContextNoHit) {
    path.set(0, 0x8000 | all_rights);
    const auto page = path.ask(Access::write, Privilege::user);
    path.memory.about_to_write(Hpa{0x8000});
    const TlbEntry& entry = remember(*tlb, path.linear, {0, Privilege::user}, path.paging, page.value());
    EXPECT_EQ(entry.read_tag | entry.write_tag | entry.fetch_tag, 0U);
    EXPECT_EQ(entry.frame, Hpa{0x8000});
}

TEST_F(Remembered, WhatTheSecondStageKeepsIsNoTag) {
    path.set(0, 0x8000 | all_rights | bit::d);
    path.memory.about_to_write(Hpa{0x8000});
    auto page = path.ask(Access::read, Privilege::user).value();
    const auto entry = [&](unsigned accesses) -> const TlbEntry& {
        page.second_stage_accesses = static_cast<std::uint8_t>(accesses);
        return remember(*tlb, path.linear, {context, Privilege::user}, path.paging, page);
    };
    EXPECT_EQ(entry(7).write_tag, tag());
    EXPECT_EQ(entry(5).write_tag, 0U);
    EXPECT_FALSE(entry(5).writable);
    EXPECT_EQ(entry(5).fetch_tag, tag());
    EXPECT_EQ(entry(3).fetch_tag, 0U);
    EXPECT_EQ(entry(4).read_tag, 0U);
}

TEST_F(Remembered, DevicesHaveNoHostPages) {
    const TlbEntry& entry = remembered(0x80000000 | all_rights, Access::write, Privilege::user);
    EXPECT_EQ(entry.read_tag, tag());
    EXPECT_EQ(entry.host, nullptr);
    EXPECT_EQ(entry.write_tag, 0U);
    EXPECT_TRUE(entry.writable);
    EXPECT_EQ(entry.frame, Hpa{0x80000000});
    EXPECT_EQ(tlb->announce(tlb->at(path.linear), tag()), nullptr);
    const std::array<std::byte, 1> rom{};
    ASSERT_TRUE(path.memory.add_rom(Hpa{0xf0000}, rom));
    const TlbEntry& of_rom = remembered(0xf0000 | all_rights, Access::write, Privilege::user);
    EXPECT_NE(of_rom.host, nullptr);
    EXPECT_EQ(tlb->announce(tlb->at(path.linear), tag()), nullptr);
    EXPECT_EQ(of_rom.write_tag, 0U);
}

// ---- laws -------------------------------------------------------------------------------------------------

/// A program of loads, stores and fetches, with or without a TLB.
struct Machine {
    explicit Machine(PagingMode mode, bool with_tlb) : path{mode}, uses_tlb{with_tlb} {
        path.permit_above(0);
        path.paging.nxe = path.paging.wp = true;
    }
    static constexpr std::uint64_t fault = 0xfa017000;

    /// One access of a byte, within a page; what it read, or `fault` and the error code.
    std::uint64_t access(Gva linear, Access kind, Privilege privilege, std::uint64_t value) {
        const auto class_number = static_cast<ContextNumber>(1U + static_cast<unsigned>(privilege));
        const std::uint64_t tag = Tlb::tag(linear, class_number);
        TlbEntry& entry = tlb->at(linear);
        if (uses_tlb && (kind == Access::write  ? entry.write_tag
                         : kind == Access::read ? entry.read_tag
                                                : entry.fetch_tag) == tag) {
            ++(kind == Access::write ? write_hits : hits);
            std::byte* const at = entry.host == nullptr ? nullptr : entry.host + linear.page_offset();
            if (kind == Access::write) {
                *at = static_cast<std::byte>(value);
                return 0;
            }
            if (at != nullptr) return std::to_integer<std::uint64_t>(*at);
        }
        const auto page = translate(path.paging, path.view, linear, kind, privilege);
        if (!page) return fault | std::get<PageFault>(page.error()).error_code;
        std::byte* writable = nullptr;
        if (uses_tlb) {
            remember(*tlb, linear, {class_number, privilege}, path.paging, *page);
            if (kind == Access::write) writable = tlb->announce(entry, tag);
        }
        if (kind != Access::write) return path.memory.read(page->physical, 1);
        if (writable != nullptr)
            writable[linear.page_offset()] = static_cast<std::byte>(value);
        else
            path.memory.write(page->physical, 1, value & 0xff);
        return 0;
    }

    TablePath path;
    std::unique_ptr<Tlb> tlb = std::make_unique<Tlb>(path.memory);
    bool uses_tlb;
    std::uint64_t hits = 0;
    std::uint64_t write_hits = 0;
};

/// The law: a run with the TLB is a run without. Guests store into their own page tables, and never
/// invalidate.
class TlbOnIsOff : public testing::TestWithParam<PagingMode> {};
TEST_P(TlbOnIsOff, ForRandomPrograms) {
    Machine on{GetParam(), true};
    Machine off{GetParam(), false};
    std::mt19937_64 random{7};
    const unsigned entry_bytes = on.path.entry_bytes();
    const std::uint64_t first_index = on.path.linear.raw() >> 12 & (entry_bytes == 8 ? 0x1ff : 0x3ff);
    const std::uint64_t first_page = on.path.linear.page_start().raw();
    // Pages 0 to 6 of the run are frames 8 to e; page 7 is the page table itself, so that stores change it.
    for (Machine* const machine : {&on, &off})
        for (std::uint64_t i = 0; i < 8; ++i)
            machine->path.memory.write(Hpa{0x1000 + (first_index + i) * entry_bytes},
                                       entry_bytes,
                                       (i == 7 ? 0x1000 : 0x8000 + 0x1000 * i) | all_rights);
    for (int step = 0; step < 200'000; ++step) {
        const std::uint64_t page = random() % 8;
        Gva linear{first_page + 0x1000 * page + random() % 4096};
        std::uint64_t value = random() & 0xff;
        auto kind = all_accesses[random() % 3];
        const auto privilege = all_privileges[random() % 4];
        if (page == 7 && kind == Access::write) {
            // Into the low byte of an entry of the run: other rights, now and then absent.
            linear = Gva{first_page + 0x7000 + (first_index + random() % 7) * entry_bytes};
            value = (random() % 8 == 0 ? 0 : bit::p) | (value & 0x66);
            if (random() % 4 == 0) {  // or, rarely, its frame: it moves among the eight
                linear = linear + 1;
                value = 0x80 + 0x10 * (random() % 8);
            }
        }
        ASSERT_EQ(on.access(linear, kind, privilege, value), off.access(linear, kind, privilege, value))
            << step;
        if (step % 997 == 0) {  // controls change: a caller takes other context numbers, or flushes
            const std::uint64_t bits = random();
            for (Machine* const machine : {&on, &off}) {
                machine->path.paging.wp = (bits & 1) != 0;
                machine->path.paging.smap = (bits & 2) != 0;
                machine->path.paging.smep = (bits & 4) != 0;
                machine->tlb->flush();
            }
        }
        if (step % 5003 == 0) {
            ASSERT_EQ(on.path.memory.content_hash(), off.path.memory.content_hash()) << step;
        }
        if (step % 10007 == 0) {
            ASSERT_EQ(on.path.memory.take_dirty_pages(), off.path.memory.take_dirty_pages()) << step;
        }
    }
    EXPECT_EQ(on.path.memory.content_hash(), off.path.memory.content_hash());
    EXPECT_GT(on.hits, 10'000U);
    EXPECT_GT(on.write_hits, 2'000U);
    EXPECT_EQ(off.hits, 0U);
}
INSTANTIATE_TEST_SUITE_P(
    Laws,
    TlbOnIsOff,
    testing::Values(PagingMode::bits_32, PagingMode::pae, PagingMode::level_4, PagingMode::level_5));

/// The law: a large page is its small ones, for every access and every right.
struct LargeCase {
    PagingMode mode;
    unsigned level;  ///< of the large page
};
class LargeIsSmall : public testing::TestWithParam<LargeCase> {};
TEST_P(LargeIsSmall, ForEveryRightAndAccess) {
    const auto [mode, level] = GetParam();
    TablePath large{mode};
    TablePath small{mode};
    for (TablePath* const path : {&large, &small}) {
        path->paging.nxe = path->paging.wp = path->paging.smep = path->paging.smap = true;
        path->paging.pse = path->paging.pke = true;
        path->paging.pkru = 2U << 10;
    }
    large.permit_above(level);
    small.permit_above(level - 1);
    const unsigned index_bits = mode == PagingMode::bits_32 ? 10 : 9;
    const unsigned small_shift = 12 + index_bits * (level - 1);
    const bool wide = large.entry_bytes() == 8;
    for (unsigned chosen = 0; chosen < 64; ++chosen) {
        const std::uint64_t flags =
            bit::p | (chosen & 7) << 1 | ((chosen & 8) != 0 ? bit::d : 0) |
            ((chosen & 16) != 0 && wide ? bit::xd : 0) |
            ((chosen & 32) != 0 && large.paging.mode >= PagingMode::level_4 ? bit::key(5) : 0);
        for (std::uint64_t piece = 0; piece < 1U << index_bits; piece += 1 + piece % 37) {
            const std::uint64_t start = large.linear.raw() >> (small_shift + index_bits)
                                                                  << (small_shift + index_bits);
            large.linear = small.linear = Gva{start + (piece << small_shift) + 0x123};
            for (const Access access : all_accesses) {
                for (const Privilege privilege : all_privileges) {
                    large.set(level, 0x40000000 | flags | bit::ps | bit::large_pat | bit::g);
                    small.set(level - 1,
                              (0x40000000 + (piece << small_shift)) | flags | bit::g |
                                  (level == 1 ? bit::pat : bit::ps | bit::large_pat));
                    const auto a = large.ask(access, privilege);
                    const auto b = small.ask(access, privilege);
                    ASSERT_EQ(a.has_value(), b.has_value());
                    if (!a) {
                        ASSERT_EQ(std::get<PageFault>(a.error()), std::get<PageFault>(b.error()));
                        continue;
                    }
                    ASSERT_EQ(a->address, b->address);
                    ASSERT_EQ(a->user_page, b->user_page);
                    ASSERT_EQ(a->writable_page, b->writable_page);
                    ASSERT_EQ(a->executable, b->executable);
                    ASSERT_EQ(a->shadow_stack_page, b->shadow_stack_page);
                    ASSERT_EQ(a->global && b->global, true);
                    ASSERT_EQ(a->dirty, b->dirty);
                    ASSERT_EQ(a->memory_type_index, b->memory_type_index);
                    ASSERT_EQ(a->protection_key, b->protection_key);
                }
            }
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Laws,
                         LargeIsSmall,
                         testing::Values(LargeCase{PagingMode::bits_32, 1},
                                         LargeCase{PagingMode::pae, 1},
                                         LargeCase{PagingMode::level_4, 1},
                                         LargeCase{PagingMode::level_4, 2},
                                         LargeCase{PagingMode::level_5, 1},
                                         LargeCase{PagingMode::level_5, 2}));

}  // namespace
}  // namespace hyperstep::mmu
