#include "mmu/guest_memory.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace hyperstep::mmu {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = kib * kib;
constexpr std::uint64_t gib = kib * mib;
constexpr std::uint64_t tib = kib * gib;
constexpr std::uint8_t code = 1;
constexpr std::uint8_t leaf_tables = 2;
constexpr std::uint8_t upper_tables = 4;

/// Remembers what it is told.
struct Listener final : PageWatcher {
    void page_changes(Hpa page, std::uint8_t watches) override {
        changes.emplace_back(page.raw(), watches);
        if (memory != nullptr) seen_before.push_back(memory->read(page, 8));
    }
    void page_needs_announcing(Hpa page) override { needs.push_back(page.raw()); }
    void regions_changed() override { ++regions; }

    using Change = std::pair<std::uint64_t, std::uint8_t>;
    GuestMemory* memory = nullptr;  ///< if set: read when a page is about to change
    std::vector<Change> changes;
    std::vector<std::uint64_t> seen_before;
    std::vector<std::uint64_t> needs;
    int regions = 0;
};

/// Registers that remember the accesses to them.
struct Registers final : MmioRegion {
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override {
        accesses.push_back("r" + std::to_string(bytes) + "@" + std::to_string(offset));
        return 0xf1f2f3f4f5f6f7f8;
    }
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override {
        accesses.push_back("w" + std::to_string(bytes) + "@" + std::to_string(offset) + "=" +
                           std::to_string(value));
    }
    std::vector<std::string> accesses;
};

std::vector<std::uint64_t> raw(const std::vector<Hpa>& pages) {
    std::vector<std::uint64_t> result;
    for (const Hpa page : pages) result.push_back(page.raw());
    return result;
}

std::uint64_t resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(GuestMemory, IsLittleEndianAndZeroAtFirst) {
    GuestMemory memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x2000));
    EXPECT_EQ(memory.read(Hpa{0x1000}, 8), 0U);
    memory.write(Hpa{0x1001}, 8, 0x8877665544332211);
    EXPECT_EQ(memory.read(Hpa{0x1001}, 1), 0x11U);
    EXPECT_EQ(memory.read(Hpa{0x1002}, 2), 0x3322U);
    EXPECT_EQ(memory.read(Hpa{0x1003}, 4), 0x66554433U);
    memory.write(Hpa{0x1002}, 2, 0xffffffffffffabcd);  // only two bytes of it
    EXPECT_EQ(memory.read(Hpa{0x1000}, 8), 0x77665544abcd1100U);
}

TEST(GuestMemory, HolesReadAsOnesAndIgnoreWrites) {
    GuestMemory memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x1000));
    EXPECT_EQ(memory.read(Hpa{0}, 1), 0xffU);
    EXPECT_EQ(memory.read(Hpa{0x2000}, 2), 0xffffU);
    EXPECT_EQ(memory.read(Hpa{0x2000}, 4), 0xffffffffU);
    EXPECT_EQ(memory.read(Hpa{~0ULL - 3}, 8), ~0ULL);  // wraps
    memory.write(Hpa{0x2000}, 8, 5);
    EXPECT_EQ(memory.read(Hpa{0x2000}, 8), ~0ULL);
    EXPECT_EQ(memory.page(Hpa{0x2000}).kind, PageKind::hole);
    EXPECT_EQ(memory.page(Hpa{0x2000}).host, nullptr);
}

TEST(GuestMemory, SplitsAnAccessAcrossRegions) {
    GuestMemory memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x1000));
    memory.write(Hpa{0xffc}, 8, 0x8877665544332211);  // four bytes are in a hole
    EXPECT_EQ(memory.read(Hpa{0x1000}, 4), 0x88776655U);
    EXPECT_EQ(memory.read(Hpa{0xffc}, 8), 0x88776655ffffffffU);
    memory.write(Hpa{0x1ffd}, 8, 0x8877665544332211);
    EXPECT_EQ(memory.read(Hpa{0x1ffd}, 8), 0xffffffffff332211U);
    ASSERT_TRUE(memory.add_ram(Hpa{0x2000}, 0x1000));
    memory.write(Hpa{0x1ffd}, 8, 0x8877665544332211);
    EXPECT_EQ(memory.read(Hpa{0x1ffd}, 8), 0x8877665544332211U);
    EXPECT_EQ(memory.read(Hpa{0x2000}, 8), 0x8877665544U);
}

TEST(GuestMemory, DevicesSeeOneAccessOrAlignedParts) {
    GuestMemory memory;
    Registers device;
    ASSERT_TRUE(memory.add_mmio(Hpa{0x1000}, 0x2000, device));
    EXPECT_EQ(memory.read(Hpa{0x1004}, 4), 0xf5f6f7f8U);
    memory.write(Hpa{0x1003}, 2, 0x12345);  // misaligned within a page: one access
    EXPECT_EQ(memory.read(Hpa{0xfff}, 2), 0xf8ffU);
    memory.write(Hpa{0x1ffd}, 8, 0x0807060504030201);
    using Strings = std::vector<std::string>;
    EXPECT_EQ(
        device.accesses,
        (Strings{"r4@4", "w2@3=9029", "r1@0", "w1@4093=1", "w2@4094=770", "w4@4096=117835012", "w1@4100=8"}));
}

TEST(GuestMemory, RomIgnoresTheGuestButNotALoader) {
    GuestMemory memory;
    const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
    ASSERT_TRUE(memory.add_rom(Hpa{0xf000}, bytes));
    EXPECT_EQ(memory.regions().front().bytes, 0x1000U);
    EXPECT_EQ(memory.read(Hpa{0xf000}, 8), 0x30201U);
    memory.write(Hpa{0xf000}, 4, 7);
    EXPECT_EQ(memory.read(Hpa{0xf000}, 8), 0x30201U);
    EXPECT_FALSE(memory.is_dirty(Hpa{0xf000}));
    memory.watch(Hpa{0xf000}, Watch::code);
    EXPECT_TRUE(memory.write_bytes(Hpa{0xf001}, bytes));
    EXPECT_EQ(memory.read(Hpa{0xf000}, 8), 0x3020101U);
    EXPECT_EQ(memory.watches(Hpa{0xf000}), 0);
    EXPECT_EQ(raw(memory.take_dirty_pages()), std::vector<std::uint64_t>{0xf000});
    memory.about_to_write(Hpa{0xf000});
    EXPECT_FALSE(memory.is_announced(Hpa{0xf000}));
}

TEST(GuestMemory, CopiesAllOrNothing) {
    GuestMemory memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x1000));
    ASSERT_TRUE(memory.add_ram(Hpa{0x2000}, 0x1000));
    std::array<std::byte, 16> out{};
    std::array<std::byte, 16> in{};
    in.fill(std::byte{0xaa});
    EXPECT_TRUE(memory.write_bytes(Hpa{0x1ff8}, in));
    EXPECT_TRUE(memory.read_bytes(Hpa{0x1ff8}, out));
    EXPECT_EQ(in, out);
    EXPECT_FALSE(memory.write_bytes(Hpa{0x2ff8}, in));
    EXPECT_EQ(memory.read(Hpa{0x2ff8}, 8), 0U);
    out.fill(std::byte{1});
    EXPECT_FALSE(memory.read_bytes(Hpa{0xff8}, out));
    EXPECT_EQ(out[15], std::byte{1});
    EXPECT_FALSE(memory.read_bytes(Hpa{~0ULL - 7}, out));
    EXPECT_TRUE(memory.read_bytes(Hpa{0}, {}));
}

TEST(GuestMemory, RefusesRegions) {
    GuestMemory memory;
    Registers device;
    EXPECT_EQ(memory.add_ram(Hpa{0x1000}, 0).error(), RegionError::empty);
    EXPECT_EQ(memory.add_ram(Hpa{0x1001}, 0x1000).error(), RegionError::misaligned);
    EXPECT_EQ(memory.add_ram(Hpa{0x1000}, 0x1001).error(), RegionError::misaligned);
    EXPECT_EQ(memory.add_ram(Hpa{(1ULL << 52) - 0x1000}, 0x2000).error(), RegionError::beyond_width);
    EXPECT_EQ(memory.add_mmio(Hpa{0x1000}, ~0xfffULL, device).error(), RegionError::beyond_width);
    EXPECT_EQ(memory.add_mmio(Hpa{~0xfffULL}, 0x1000, device).error(), RegionError::beyond_width);
    EXPECT_TRUE(memory.add_ram(Hpa{(1ULL << 52) - 0x1000}, 0x1000));
    ASSERT_TRUE(memory.add_ram(Hpa{0x2000}, 0x2000));
    EXPECT_EQ(memory.add_mmio(Hpa{0x1000}, 0x2000, device).error(), RegionError::overlap);
    EXPECT_EQ(memory.add_mmio(Hpa{0x3000}, 0x1000, device).error(), RegionError::overlap);
    EXPECT_EQ(memory.add_rom(Hpa{0x3000}, {}).error(), RegionError::empty);
    EXPECT_TRUE(memory.add_mmio(Hpa{0x1000}, 0x1000, device));
    EXPECT_TRUE(memory.add_mmio(Hpa{0x4000}, 0x1000, device));
}

TEST(GuestMemory, ListsRegionsInOrderAndFindsEach) {
    GuestMemory memory;
    Registers device;
    std::vector<std::byte> lent(0x3000);
    ASSERT_TRUE(memory.add_ram(Hpa{5 * gib}, mib));
    ASSERT_TRUE(memory.add_mmio(Hpa{0xfee00000}, 0x1000, device));
    ASSERT_TRUE(memory.lend_ram(Hpa{0}, lent));
    const auto regions = memory.regions();
    ASSERT_EQ(regions.size(), 3U);
    EXPECT_EQ(regions[0].first, Hpa{0});
    EXPECT_EQ(regions[1].kind, PageKind::mmio);
    EXPECT_EQ(regions[2].first, Hpa{5 * gib});
    EXPECT_EQ(memory.page(Hpa{0x1234}).host, lent.data() + 0x1000);
    EXPECT_EQ(memory.page(Hpa{0x3000}).kind, PageKind::hole);
    EXPECT_EQ(memory.page(Hpa{0xfee00ff0}).kind, PageKind::mmio);
    EXPECT_EQ(memory.page(Hpa{5 * gib + mib - 1}).kind, PageKind::ram);
    EXPECT_EQ(memory.page(Hpa{5 * gib + mib}).kind, PageKind::hole);
    memory.write(Hpa{0x10}, 2, 0x1234);
    EXPECT_EQ(lent[0x11], std::byte{0x12});
}

TEST(GuestMemory, TellsBeforeAWatchedPageChanges) {
    GuestMemory memory;
    Listener listener;
    listener.memory = &memory;
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x10000));
    memory.add_watcher(listener);
    memory.write(Hpa{0x3000}, 8, 5);
    memory.watch(Hpa{0x3123}, Watch::code);
    memory.watch(Hpa{0x3000}, Watch::leaf_tables);
    EXPECT_EQ(memory.watches(Hpa{0x3fff}), code | leaf_tables);
    memory.write(Hpa{0x4000}, 8, 1);
    EXPECT_TRUE(listener.changes.empty());
    memory.write(Hpa{0x2ffc}, 8, 0x600000000);  // its last bytes are in the watched page
    EXPECT_EQ(listener.changes, (std::vector<Listener::Change>{{0x3000, code | leaf_tables}}));
    EXPECT_EQ(listener.seen_before, std::vector<std::uint64_t>{5});
    EXPECT_EQ(memory.watches(Hpa{0x3000}), 0);
    memory.write(Hpa{0x3000}, 8, 7);
    EXPECT_EQ(listener.changes.size(), 1U);
    memory.remove_watcher(listener);
}

TEST(GuestMemory, AWriteMustBeAnnouncedOnce) {
    GuestMemory memory;
    Listener listener;
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x10000));
    memory.add_watcher(listener);
    EXPECT_FALSE(memory.is_announced(Hpa{0x5000}));
    memory.about_to_write(Hpa{0x5678});
    EXPECT_TRUE(memory.is_announced(Hpa{0x5000}));
    EXPECT_TRUE(memory.is_dirty(Hpa{0x5000}));
    const std::uint32_t generation = memory.generation(Hpa{0x5000});
    memory.about_to_write(Hpa{0x5000});
    EXPECT_EQ(memory.generation(Hpa{0x5000}), generation);

    memory.watch(Hpa{0x5000}, Watch::upper_tables);
    memory.watch(Hpa{0x5000}, Watch::code);
    EXPECT_FALSE(memory.is_announced(Hpa{0x5000}));
    EXPECT_EQ(listener.needs, std::vector<std::uint64_t>{0x5000}) << "told once: it was announced once";
    memory.about_to_write(Hpa{0x5000});
    EXPECT_EQ(memory.generation(Hpa{0x5000}), generation + 1);
    EXPECT_EQ(listener.changes, (std::vector<Listener::Change>{{0x5000, code | upper_tables}}));
    memory.remove_watcher(listener);
}

TEST(GuestMemory, TakesDirtyPagesInOrderAndAnnouncesAnew) {
    GuestMemory memory;
    Listener listener;
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x10000));
    ASSERT_TRUE(memory.add_ram(Hpa{5 * gib}, 0x10000));
    memory.add_watcher(listener);
    memory.write(Hpa{5 * gib + 0x2000}, 1, 1);
    memory.write(Hpa{0x9000}, 1, 1);
    memory.write(Hpa{0x2ffe}, 4, 1);
    memory.write(Hpa{0x9008}, 1, 1);
    memory.watch(Hpa{0x3000}, Watch::code);
    listener.needs.clear();
    EXPECT_EQ(raw(memory.take_dirty_pages()),
              (std::vector<std::uint64_t>{0x2000, 0x3000, 0x9000, 5 * gib + 0x2000}));
    EXPECT_EQ(listener.needs, (std::vector<std::uint64_t>{0x2000, 0x9000, 5 * gib + 0x2000}))
        << "0x3000 had to be announced before";
    EXPECT_TRUE(memory.take_dirty_pages().empty());
    EXPECT_FALSE(memory.is_announced(Hpa{0x9000}));
    const std::uint32_t before = memory.generation(Hpa{0x9000});
    memory.write(Hpa{0x9000}, 1, 1);
    EXPECT_NE(memory.generation(Hpa{0x9000}), before);
    EXPECT_EQ(raw(memory.take_dirty_pages()), std::vector<std::uint64_t>{0x9000});
    memory.remove_watcher(listener);
}

TEST(GuestMemory, MarkingAnEntryIsNoNewsToTableWatchers) {
    GuestMemory memory;
    Listener listener;
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x10000));
    memory.add_watcher(listener);
    memory.write(Hpa{0x5008}, 8, 0x67);
    memory.take_dirty_pages();
    memory.watch(Hpa{0x5000}, Watch::leaf_tables);
    memory.watch(Hpa{0x5000}, Watch::code);
    EXPECT_FALSE(memory.mark_entry(Hpa{0x5008}, 8, 0x66, 0x6)) << "the entry is another";
    EXPECT_EQ(memory.read(Hpa{0x5008}, 8), 0x67U);
    EXPECT_TRUE(listener.changes.empty());
    const std::uint32_t before = memory.generation(Hpa{0x5000});
    EXPECT_TRUE(memory.mark_entry(Hpa{0x5008}, 8, 0x67, 0x800000000000006f));
    EXPECT_EQ(memory.read(Hpa{0x5008}, 8), 0x800000000000006fU);
    EXPECT_EQ(listener.changes, (std::vector<Listener::Change>{{0x5000, code}}));
    EXPECT_EQ(memory.watches(Hpa{0x5000}), leaf_tables);
    EXPECT_TRUE(memory.is_dirty(Hpa{0x5000}));
    EXPECT_FALSE(memory.is_announced(Hpa{0x5000}));
    EXPECT_NE(memory.generation(Hpa{0x5000}), before);
    EXPECT_TRUE(memory.mark_entry(Hpa{0x500c}, 4, 0x80000000, 0x80000020));
    EXPECT_EQ(memory.read(Hpa{0x5008}, 8), 0x800000200000006fU);
    EXPECT_EQ(listener.changes.size(), 1U);
    EXPECT_TRUE(memory.mark_entry(Hpa{0x100000}, 8, ~0ULL, ~0ULL)) << "a hole, as it reads";
    memory.remove_watcher(listener);
}

TEST(GuestMemory, TellsThatARegionGoes) {
    GuestMemory memory;
    Listener listener;
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x3000));
    ASSERT_TRUE(memory.add_ram(Hpa{0x10000}, 0x1000));
    memory.add_watcher(listener);
    memory.watch(Hpa{0x3000}, Watch::upper_tables);
    memory.watch(Hpa{0x2000}, Watch::code);
    memory.watch(Hpa{0x10000}, Watch::code);
    EXPECT_FALSE(memory.remove(Hpa{0x2000})) << "no region begins there";
    EXPECT_FALSE(memory.remove(Hpa{0x8000}));
    EXPECT_TRUE(memory.remove(Hpa{0x1000}));
    EXPECT_EQ(listener.changes, (std::vector<Listener::Change>{{0x2000, code}, {0x3000, upper_tables}}));
    EXPECT_EQ(listener.regions, 1);
    EXPECT_EQ(memory.read(Hpa{0x1000}, 1), 0xffU);
    ASSERT_TRUE(memory.add_ram(Hpa{0x1000}, 0x1000));
    EXPECT_EQ(listener.regions, 2);
    EXPECT_EQ(memory.watches(Hpa{0x1000}), 0);
    memory.remove_watcher(listener);
}

TEST(GuestMemory, HolesAndDevicesAreNeitherWatchedNorDirty) {
    GuestMemory memory;
    Registers device;
    ASSERT_TRUE(memory.add_mmio(Hpa{0x1000}, 0x1000, device));
    for (const Hpa page : {Hpa{0x1000}, Hpa{0x8000}}) {
        memory.watch(page, Watch::code);
        memory.about_to_write(page);
        EXPECT_EQ(memory.watches(page), 0);
        EXPECT_FALSE(memory.is_dirty(page));
        EXPECT_FALSE(memory.is_announced(page));
        EXPECT_EQ(memory.generation(page), 0U);
    }
    EXPECT_TRUE(memory.take_dirty_pages().empty());
}

TEST(GuestMemory, AnUntouchedTebibyteCostsNothing) {
    GuestMemory memory;
    const std::uint64_t before = resident_bytes();
    ASSERT_TRUE(memory.add_ram(Hpa{0}, tib));
    ASSERT_TRUE(memory.add_ram(Hpa{8 * tib}, tib));
    for (std::uint64_t at = 0; at < tib; at += 64 * gib) memory.write(Hpa{at}, 8, at + 1);
    EXPECT_EQ(memory.read(Hpa{64 * gib}, 8), 64 * gib + 1);
    EXPECT_EQ(memory.take_dirty_pages().size(), 16U);
    EXPECT_NE(memory.content_hash(), GuestMemory{}.content_hash());
    // 16 pages and their marks; some hosts give a page of 2 MiB for each.
    EXPECT_LT(resident_bytes() - before, 160 * mib);
}

TEST(GuestMemoryHash, IsOfContentOnly) {
    std::vector<std::byte> lent(0x4000);
    GuestMemory untouched;
    GuestMemory written;
    GuestMemory borrowed;
    ASSERT_TRUE(untouched.add_ram(Hpa{0x1000}, 0x4000));
    ASSERT_TRUE(written.add_ram(Hpa{0x1000}, 0x4000));
    ASSERT_TRUE(borrowed.lend_ram(Hpa{0x1000}, lent));
    EXPECT_EQ(untouched.content_hash(), borrowed.content_hash());
    written.write(Hpa{0x3000}, 1, 1);
    EXPECT_NE(written.content_hash(), untouched.content_hash());
    written.write(Hpa{0x3000}, 1, 0);
    written.watch(Hpa{0x2000}, Watch::code);
    EXPECT_EQ(written.content_hash(), untouched.content_hash()) << "zeros are zeros, touched or not";
    written.write(Hpa{0x4008}, 8, 9);
    written.write(Hpa{0x2000}, 8, 8);
    written.take_dirty_pages();
    lent[0x3008] = std::byte{9};
    lent[0x1000] = std::byte{8};
    EXPECT_EQ(written.content_hash(), borrowed.content_hash());
}

TEST(GuestMemoryHash, SeesEveryBitAndEveryPlace) {
    GuestMemory memory;
    const std::array<std::byte, 1> rom{};
    ASSERT_TRUE(memory.add_ram(Hpa{0}, 0x2000));
    ASSERT_TRUE(memory.add_rom(Hpa{0x8000}, rom));
    std::vector<std::uint64_t> hashes{memory.content_hash()};
    for (const std::uint64_t at : {0ULL, 0xfffULL, 0x1000ULL, 0x1fffULL}) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            memory.write(Hpa{at}, 1, 1U << bit);
            hashes.push_back(memory.content_hash());
        }
        memory.write(Hpa{at}, 1, 0);
    }
    const std::array<std::byte, 1> one{std::byte{1}};
    ASSERT_TRUE(memory.write_bytes(Hpa{0x8000}, one));
    hashes.push_back(memory.content_hash());
    ASSERT_TRUE(memory.add_ram(Hpa{0x10000}, 0x1000));
    hashes.push_back(memory.content_hash());
    ASSERT_TRUE(memory.remove(Hpa{0x10000}));
    ASSERT_TRUE(memory.add_ram(Hpa{0x11000}, 0x1000));
    hashes.push_back(memory.content_hash());
    std::sort(hashes.begin(), hashes.end());
    EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
}

}  // namespace
}  // namespace hyperstep::mmu
