#include "mmu/x86_paging.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "tests/mmu/paging_fixture.hpp"

namespace hyperstep::mmu {
namespace {

constexpr std::uint64_t all_rights = bit::p | bit::rw | bit::us;

// SDM "Page-Fault Exceptions": P 1, W/R 2, U/S 4, RSVD 8, I/D 10, PK 20, SS 40.
TEST(X86PageFault, ErrorCodes) {
    TablePath path{PagingMode::level_4};
    path.permit_above(0);
    path.set(0, 0);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::supervisor)), 0x0);
    EXPECT_EQ(error_code(path.ask(Access::write, Privilege::user)), 0x6);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::implicit_supervisor)), 0x0);
    EXPECT_EQ(error_code(path.ask(Access::shadow_stack_write, Privilege::user)), 0x46);
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::user)), 0x4) << "no NXE, no SMEP: no I/D";
    path.paging.smep = true;
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::user)), 0x14);
    path.paging.smep = false;
    path.paging.nxe = true;
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::user)), 0x14);
    path.set(0, all_rights | bit::xd | 1ULL << 40);
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::user)), 0x1d);
    path.set(0, all_rights | bit::xd | bit::key(3));
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::supervisor)), 0x11);
    path.paging.pke = true;
    path.paging.pkru = 1U << 6;
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::user)), 0x25);
    EXPECT_EQ(error_code(path.ask(Access::write, Privilege::supervisor)), 0x23);
    EXPECT_EQ(error_code(path.ask(Access::shadow_stack_read, Privilege::user)), 0x65);
    path.set(0, all_rights | bit::key(2));
    EXPECT_EQ(error_code(path.ask(Access::write, Privilege::user)), -1);
}

TEST(X86PageFault, In32BitPagingOnlySmepShowsAFetch) {
    TablePath path{PagingMode::bits_32};
    path.paging.nxe = true;
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::supervisor)), 0x0);
    path.paging.smep = true;
    EXPECT_EQ(error_code(path.ask(Access::fetch, Privilege::supervisor)), 0x10);
}

// What an upper entry breaks comes before what a lower one lacks, and both before rights.
TEST(X86PageFault, TheUpperEntryComesFirst) {
    TablePath path{PagingMode::level_4};
    path.permit_above(0);
    path.set_table(2, bit::p | 1ULL << 45);
    path.set(0, 0);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::user)), 0xd);
    path.set_table(2, bit::p);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::user)), 0x4) << "absent, though not for users";
    path.set(0, bit::p | 1ULL << 45);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::user)), 0xd);
    path.set(0, 1ULL << 45);
    EXPECT_EQ(error_code(path.ask(Access::read, Privilege::user)), 0x4)
        << "what is absent has no reserved bits";
}

TEST(X86Translation, FourLevels) {
    TablePath path{PagingMode::level_4};
    path.permit_above(0);
    path.set(0, 0x12345000 | bit::p | bit::us | bit::pwt | bit::pat | bit::g | bit::d);
    const auto page = path.ask(Access::read, Privilege::user);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->address, Gpa{0x12345210});
    EXPECT_EQ(page->physical, Hpa{0x12345210});
    EXPECT_EQ(page->page_size, 0x1000U);
    EXPECT_TRUE(page->user_page);
    EXPECT_FALSE(page->writable_page);
    EXPECT_TRUE(page->executable);
    EXPECT_TRUE(page->shadow_stack_page);
    EXPECT_TRUE(page->global);
    EXPECT_TRUE(page->dirty);
    EXPECT_EQ(page->leaf_table, Hpa{0x1000});
    EXPECT_EQ(page->memory_type_index, 5);
    path.set_table(1, bit::p | bit::us);
    EXPECT_FALSE(path.ask(Access::read, Privilege::user)->shadow_stack_page) << "R/W is 0 above";
}

TEST(X86Translation, FlagsAreSetOnlyByWhatNeedsThem) {
    TablePath path{PagingMode::level_5};
    path.permit_above(0);
    path.set(0, 0x5000 | all_rights);
    ASSERT_TRUE(probe(path.paging, path.view, path.linear, Access::write, Privilege::user));
    for (unsigned level = 0; level <= 4; ++level) EXPECT_EQ(path.get(level) & (bit::a | bit::d), 0U);
    ASSERT_TRUE(path.ask(Access::read, Privilege::user));
    for (unsigned level = 0; level <= 4; ++level) EXPECT_EQ(path.get(level) & (bit::a | bit::d), bit::a);
    static_cast<void>(path.memory.take_dirty_pages());
    const auto read_again = path.ask(Access::fetch, Privilege::user);
    ASSERT_TRUE(read_again);
    EXPECT_FALSE(read_again->dirty);
    EXPECT_TRUE(path.memory.take_dirty_pages().empty()) << "nothing was written";
    const auto written = path.ask(Access::write, Privilege::user);
    ASSERT_TRUE(written);
    EXPECT_TRUE(written->dirty);
    EXPECT_EQ(path.get(0) & (bit::a | bit::d), bit::a | bit::d);
    EXPECT_EQ(path.get(1) & bit::d, 0U);
}

TEST(X86Translation, AFaultSetsNoFlags) {
    TablePath path{PagingMode::pae};
    path.permit_above(0);
    path.set(0, 0x5000 | bit::p | bit::us);
    EXPECT_EQ(error_code(path.ask(Access::write, Privilege::user)), 7);
    EXPECT_EQ(path.get(0) & bit::a, 0U);
    EXPECT_EQ(path.get(1) & bit::a, 0U);
}

TEST(X86Translation, ATableThatIsItsOwnEntry) {
    // PML4 entry 511 references the PML4: at all levels the one entry is used.
    TablePath path{PagingMode::level_4};
    path.linear = Gva{0xfffffffffffff008};
    path.memory.write(Hpa{0x4ff8}, 8, 0x4000 | all_rights);
    const auto page = path.ask(Access::write, Privilege::supervisor);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->physical, Hpa{0x4008});
    EXPECT_EQ(path.memory.read(Hpa{0x4ff8}, 8), 0x4000U | all_rights | bit::a | bit::d);
    EXPECT_EQ(path.memory.watches(Hpa{0x4000}), 6) << "both a leaf's and another's table";
}

/// Registers that read as another entry each time.
struct Restless final : MmioRegion {
    std::uint64_t read(std::uint64_t, unsigned) override {
        ++reads;
        return 0x9000 | all_rights | (reads % 2 != 0 ? bit::pwt : 0);
    }
    void write(std::uint64_t, unsigned, std::uint64_t) override { ++writes; }
    int reads = 0;
    int writes = 0;
};

TEST(X86Translation, EndsThoughTheEntryIsAnotherEachTime) {
    TablePath path{PagingMode::level_4};
    Restless device;
    ASSERT_TRUE(path.memory.add_mmio(Hpa{0x20000}, 0x1000, device));
    path.permit_above(0);
    path.set(1, 0x20000 | all_rights);
    const auto page = path.ask(Access::write, Privilege::user);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->physical, Hpa{0x9210});
    EXPECT_LT(device.reads, 100);
    EXPECT_EQ(device.writes, 0) << "it never was what the walk had read";
}

// SDM "32-Bit Paging", "PSE-36 mechanism": bits 20:13 are bits 39:32 of the address, as far as MAXPHYADDR
// goes.
struct Pse36Case {
    std::uint8_t width;
    bool pse36;
    std::uint64_t high_bits;  ///< of the PDE, from bit 13
    int error;
    std::uint64_t address;
};
class Pse36 : public testing::TestWithParam<Pse36Case> {};
TEST_P(Pse36, Address) {
    const Pse36Case& c = GetParam();
    TablePath path{PagingMode::bits_32};
    path.paging.pse = true;
    path.paging.physical_width = c.width;
    path.paging.pse36 = c.pse36;
    path.set(1, 0x80400000 | c.high_bits << 13 | all_rights | bit::ps | bit::large_pat);
    const auto page = path.ask(Access::read, Privilege::user);
    EXPECT_EQ(error_code(page), c.error);
    if (!page) return;
    EXPECT_EQ(page->address.raw(), c.address);
    EXPECT_EQ(page->page_size, 0x400000U);
    EXPECT_EQ(page->memory_type_index, 4);
}
// The linear address is 0x76543210: 0x143210 within 4 MiB.
INSTANTIATE_TEST_SUITE_P(X86Translation,
                         Pse36,
                         testing::Values(Pse36Case{36, true, 0x00, -1, 0x80543210},
                                         Pse36Case{36, true, 0x0f, -1, 0xf80543210},
                                         Pse36Case{36, true, 0x10, 0xd, 0},
                                         Pse36Case{36, false, 0x01, 0xd, 0},
                                         Pse36Case{36, false, 0x00, -1, 0x80543210},
                                         Pse36Case{39, true, 0x7f, -1, 0x7f80543210},
                                         Pse36Case{39, true, 0x80, 0xd, 0},
                                         Pse36Case{40, true, 0xff, -1, 0xff80543210},
                                         Pse36Case{40, true, 0x100, 0xd, 0},
                                         Pse36Case{52, true, 0xff, -1, 0xff80543210},
                                         Pse36Case{52, true, 0x100, 0xd, 0},
                                         Pse36Case{32, true, 0x01, 0xd, 0},
                                         Pse36Case{32, true, 0x00, -1, 0x80543210}));

TEST(X86Translation, WithoutPseThePsFlagIsIgnored) {
    TablePath path{PagingMode::bits_32};
    path.set(1, 0x1000 | all_rights | bit::ps);
    path.set(0, 0x7000 | all_rights);
    EXPECT_EQ(path.ask(Access::read, Privilege::user)->address, Gpa{0x7210});
}

TEST(X86Translation, MaxphyaddrAtItsEdges) {
    for (unsigned width = 32; width <= 52; ++width) {
        for (unsigned number = 32; number <= 51; ++number) {
            TablePath path{PagingMode::level_4};
            path.paging.physical_width = static_cast<std::uint8_t>(width);
            path.permit_above(0);
            path.set(0, 1ULL << number | all_rights);
            const auto page = path.ask(Access::read, Privilege::user);
            if (number < width) {
                ASSERT_TRUE(page) << width << ' ' << number;
                EXPECT_EQ(page->address.raw(), 1ULL << number | 0x210);
            } else {
                EXPECT_EQ(error_code(page), 0xd) << width << ' ' << number;
            }
        }
    }
}

// SDM "PDPTE Registers".
TEST(Pdptes, AreReadFromCr3AndCheckedIfPresent) {
    GuestMemory memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x10000));
    PhysicalView view{memory};
    const std::array<std::uint64_t, 4> written{0x5001, 0, 0x6019 | 7U << 9, ~1ULL};
    for (unsigned i = 0; i < 4; ++i) memory.write(Hpa{0x3fe0 + 8ULL * i}, 8, written[i]);
    const auto loaded = load_pdptes(0xf00000003fe0 | 0x1f, view, 36);
    ASSERT_TRUE(loaded) << "bits above 31 and below 5 of CR3 are ignored, and what is absent is not checked";
    EXPECT_EQ(*loaded, written);

    for (unsigned number = 1; number < 64; ++number) {
        for (const unsigned width : {32U, 36U, 46U, 52U}) {
            const bool reserved = number <= 2 || (number >= 5 && number <= 8) || number >= width;
            memory.write(Hpa{0x3ff0}, 8, 1 | 1ULL << number);
            const auto result = load_pdptes(0x3fe0, view, static_cast<std::uint8_t>(width));
            EXPECT_EQ(result.has_value(), !reserved) << number << ' ' << width;
            if (!result) {
                EXPECT_EQ(std::get<ReservedPdpteBits>(result.error()).index, 2U);
            }
        }
    }
}

TEST(Pdptes, AnAbsentOneIsAnAbsentPage) {
    TablePath path{PagingMode::pae};
    path.permit_above(0);
    path.set(0, 0x5000 | all_rights);
    EXPECT_TRUE(path.ask(Access::read, Privilege::user));
    path.paging.pdpte[1] = path.paging.pdpte[1] & ~bit::p;  // 0x76543210 is in the second GiB
    EXPECT_EQ(error_code(path.ask(Access::write, Privilege::user)), 6);
    path.linear = Gva{0xb6543210};
    EXPECT_TRUE(path.ask(Access::read, Privilege::user));
}

TEST(X86Translation, TablesAreWatched) {
    TablePath path{PagingMode::level_4};
    path.permit_above(0);
    path.set(0, 0x9000 | all_rights);
    static_cast<void>(probe(path.paging, path.view, path.linear, Access::read, Privilege::user));
    EXPECT_EQ(path.memory.watches(Hpa{0x1000}), 0);
    ASSERT_TRUE(path.ask(Access::write, Privilege::user));
    EXPECT_EQ(path.memory.watches(Hpa{0x1000}), 2);
    for (unsigned level = 1; level <= 3; ++level)
        EXPECT_EQ(path.memory.watches(Hpa{TablePath::table(level)}), 4);
    PhysicalView unwatched{path.memory, nullptr, PhysicalView::Tables::unwatched};
    path.memory.write(Hpa{0x1ff8}, 8, 0);
    ASSERT_TRUE(translate(path.paging, unwatched, path.linear, Access::write, Privilege::user));
    EXPECT_EQ(path.memory.watches(Hpa{0x1000}), 0);
}

TEST(X86Translation, WithoutPagingTheAddressIsPhysical) {
    GuestMemory memory;
    PhysicalView view{memory};
    const auto page = translate({}, view, Gva{0xfffffff0}, Access::fetch, Privilege::supervisor);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->physical, Hpa{0xfffffff0});
    EXPECT_TRUE(permits({}, *page, Access::write, Privilege::user));
    view.mask_addresses(~(1ULL << 20));
    EXPECT_EQ(translate({}, view, Gva{0x10ffef}, Access::read, Privilege::user)->physical, Hpa{0xffef});
}

TEST(X86Translation, A20MasksTheTablesToo) {
    TablePath path{PagingMode::bits_32};
    path.view.mask_addresses(~(1ULL << 20));
    path.paging.cr3 |= 0x100000;
    path.permit_above(0);
    path.set(0, 0x307000 | all_rights);
    const auto page = path.ask(Access::write, Privilege::user);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->address, Gpa{0x307210});
    EXPECT_EQ(page->physical, Hpa{0x207210});
    EXPECT_NE(path.get(0) & bit::d, 0U);
}

}  // namespace
}  // namespace hyperstep::mmu
