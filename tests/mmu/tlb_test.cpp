#include "mmu/tlb.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace hyperstep::mmu {
namespace {

struct TlbTest : testing::Test {
    TlbTest() { static_cast<void>(memory.add_ram(Hpa{0}, 0x100000)); }

    /// A translation of `linear` to `frame` by an entry in the page `leaf_table`, for reads, writes, fetches.
    void fill(Gva linear, ContextNumber context, Hpa frame, Hpa leaf_table) {
        memory.about_to_write(frame);
        memory.watch(leaf_table, Watch::leaf_tables);
        const std::uint64_t tag = Tlb::tag(linear, context);
        tlb->at(linear) = {tag, tag, tag, memory.page(frame).host, frame, leaf_table, true, true};
    }
    bool reads(Gva linear, ContextNumber context) {
        return tlb->at(linear).read_tag == Tlb::tag(linear, context);
    }
    bool writes(Gva linear, ContextNumber context) {
        return tlb->at(linear).write_tag == Tlb::tag(linear, context);
    }
    bool fetches(Gva linear, ContextNumber context) {
        return tlb->at(linear).fetch_tag == Tlb::tag(linear, context);
    }

    GuestMemory memory;
    std::unique_ptr<Tlb> tlb = std::make_unique<Tlb>(memory);
};

TEST_F(TlbTest, ATagIsPageAndContext) {
    static_assert(Tlb::tag(Gva{0xffff800012345678}, 0xabc) == 0xffff800012345abc);
    static_assert(Tlb::tag(Gva{0}, 1) != 0);
    static_assert(Tlb::slot(Gva{0x1234}) == 1);
    static_assert(Tlb::slot(Gva{Tlb::size << 12}) == 0);
    fill(Gva{0x400123}, 7, Hpa{0x5000}, Hpa{0x9000});
    EXPECT_TRUE(reads(Gva{0x400fff}, 7));
    EXPECT_FALSE(reads(Gva{0x400fff}, 8));
    EXPECT_FALSE(reads(Gva{0x400123} + (Tlb::size << 12), 7)) << "the same slot, another page";
    EXPECT_FALSE(reads(Gva{0x401000}, 7));
}

TEST_F(TlbTest, FlushForgetsAll) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    fill(Gva{0x401000}, 8, Hpa{0x6000}, Hpa{0x9000});
    const std::uint64_t epoch = tlb->epoch();
    tlb->flush();
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
    EXPECT_FALSE(fetches(Gva{0x401000}, 8));
    EXPECT_NE(tlb->epoch(), epoch);
}

TEST_F(TlbTest, FlushPageForgetsThePageInEveryContext) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    fill(Gva{0x401000}, 8, Hpa{0x6000}, Hpa{0x9000});
    const std::uint64_t epoch = tlb->epoch();
    tlb->flush_page(Gva{0x400000} + (Tlb::size << 12));
    EXPECT_TRUE(reads(Gva{0x400000}, 7)) << "another page of the slot";
    EXPECT_NE(tlb->epoch(), epoch);
    tlb->flush_page(Gva{0x400abc});
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
    EXPECT_FALSE(writes(Gva{0x400000}, 7));
    EXPECT_FALSE(fetches(Gva{0x400000}, 7));
    EXPECT_TRUE(reads(Gva{0x401000}, 8));
    // An entry that has only one of the tags.
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    tlb->at(Gva{0x400000}).read_tag = 0;
    tlb->at(Gva{0x400000}).write_tag = 0;
    tlb->flush_page(Gva{0x400000});
    EXPECT_FALSE(fetches(Gva{0x400000}, 7));
}

TEST_F(TlbTest, AWriteToALeafTableDropsWhatWasReadFromIt) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    fill(Gva{0x401000}, 7, Hpa{0x6000}, Hpa{0x9000});
    fill(Gva{0x402000}, 7, Hpa{0x7000}, Hpa{0xa000});
    const std::uint64_t epoch = tlb->epoch();
    memory.write(Hpa{0x9ff8}, 8, 3);
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
    EXPECT_FALSE(writes(Gva{0x401000}, 7));
    EXPECT_TRUE(reads(Gva{0x402000}, 7));
    EXPECT_NE(tlb->epoch(), epoch);
}

TEST_F(TlbTest, AWriteToAnUpperTableDropsAll) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    memory.watch(Hpa{0xb000}, Watch::upper_tables);
    memory.write(Hpa{0xb000}, 8, 3);
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
}

TEST_F(TlbTest, AWriteToCodeDropsNothing) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    memory.watch(Hpa{0x5000}, Watch::code);
    const std::uint64_t epoch = tlb->epoch();
    memory.write(Hpa{0x5000}, 8, 3);
    EXPECT_TRUE(fetches(Gva{0x400000}, 7));
    EXPECT_EQ(tlb->epoch(), epoch);
}

TEST_F(TlbTest, AWriteTagGoesWhenThePageNeedsAnnouncing) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    fill(Gva{0x480000}, 8, Hpa{0x5000}, Hpa{0x9000});  // the same page elsewhere
    fill(Gva{0x401000}, 7, Hpa{0x6000}, Hpa{0x9000});
    std::uint64_t epoch = tlb->epoch();
    memory.watch(Hpa{0x5000}, Watch::code);
    EXPECT_FALSE(writes(Gva{0x400000}, 7));
    EXPECT_FALSE(writes(Gva{0x480000}, 8));
    EXPECT_TRUE(reads(Gva{0x400000}, 7));
    EXPECT_TRUE(fetches(Gva{0x400000}, 7));
    EXPECT_TRUE(writes(Gva{0x401000}, 7));
    EXPECT_NE(tlb->epoch(), epoch);
    epoch = tlb->epoch();
    memory.take_dirty_pages();
    EXPECT_FALSE(writes(Gva{0x401000}, 7));
    EXPECT_TRUE(reads(Gva{0x401000}, 7));
    EXPECT_NE(tlb->epoch(), epoch);
}

TEST_F(TlbTest, ManyPagesNeedAnnouncingAtOnce) {
    for (std::uint64_t i = 0; i < 100; ++i)
        fill(Gva{0x400000 + (i << 12)}, 7, Hpa{0x10000 + (i << 12)}, Hpa{0x9000});
    memory.take_dirty_pages();
    for (std::uint64_t i = 0; i < 100; ++i) {
        EXPECT_FALSE(writes(Gva{0x400000 + (i << 12)}, 7));
        EXPECT_TRUE(reads(Gva{0x400000 + (i << 12)}, 7));
    }
}

TEST_F(TlbTest, RegionsThatComeOrGoFlush) {
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    ASSERT_TRUE(memory.add_ram(Hpa{0x200000}, 0x1000));
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
    fill(Gva{0x400000}, 7, Hpa{0x200000}, Hpa{0x9000});
    ASSERT_TRUE(memory.remove(Hpa{0x200000}));
    EXPECT_FALSE(reads(Gva{0x400000}, 7));
}

TEST_F(TlbTest, EveryTlbOfTheMemoryIsTold) {
    Tlb other{memory};
    fill(Gva{0x400000}, 7, Hpa{0x5000}, Hpa{0x9000});
    other.at(Gva{0x400000}) = tlb->at(Gva{0x400000});
    memory.write(Hpa{0x9000}, 8, 1);
    EXPECT_EQ(other.at(Gva{0x400000}).read_tag, 0U);
    tlb.reset();
    memory.watch(Hpa{0x9000}, Watch::upper_tables);
    const std::uint64_t epoch = other.epoch();
    memory.write(Hpa{0x9000}, 8, 2);
    EXPECT_NE(other.epoch(), epoch);
}

}  // namespace
}  // namespace hyperstep::mmu
