#include "machine/memory_map.hpp"

#include <gtest/gtest.h>

namespace hyperstep::machine {
namespace {

TEST(MemoryMap, SplitsAt3GiB) {
    struct Case {
        std::uint64_t bytes, below, above;
    };
    constexpr std::uint64_t m = 1 << 20, g = 1ULL << 30;
    for (const auto& [bytes, below, above] : {Case{2 * m, 2 * m, 0},
                                              Case{3 * g, 3 * g, 0},
                                              Case{3 * g + 0x1000, 3 * g, 0x1000},
                                              Case{1024 * g, 3 * g, 1021 * g}}) {
        const auto map = MemoryMap::of(bytes);
        ASSERT_TRUE(map);
        EXPECT_EQ(map->below_4g, below);
        EXPECT_EQ(map->above_4g, above);
    }
}

TEST(MemoryMap, RefusesSizesWithASentence) {
    for (const std::uint64_t bytes : {0ULL, (2ULL << 20) - 1, (2ULL << 20) + 1, (1ULL << 40) + 0x1000, ~0ULL})
        EXPECT_FALSE(MemoryMap::of(bytes)) << bytes;
}

TEST(MemoryMap, RangesAreSortedAndDisjoint) {
    for (const std::uint64_t bytes : {2ULL << 20, 128ULL << 20, 3ULL << 30, 8ULL << 30, 1ULL << 40}) {
        std::uint64_t end = 0;
        for (const MemoryRange& range : MemoryMap::of(bytes)->ranges()) {
            EXPECT_GE(range.first.raw(), end);
            EXPECT_GT(range.bytes, 0U);
            end = range.first.raw() + range.bytes;
        }
    }
}

}  // namespace
}  // namespace hyperstep::machine
