#include "mmu/walk.hpp"

#include <array>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/bits.hpp"

// The walk over formats that are not x86 paging: what EPT and stage 2 need of it.
namespace hyperstep::mmu {
namespace {

/// In the manner of EPT: three rights, of which none makes an entry absent; four levels, large pages;
/// accessed and dirty flags if enabled.
struct SecondStageFormat {
    bool has_flags = false;

    static constexpr Bits<2, 0> rights_of{};
    static constexpr Bits<7> large{};
    static constexpr std::uint64_t accessed = 0x100;
    static constexpr std::uint64_t dirty = 0x200;

    constexpr std::uint64_t root() const { return 0x1000; }
    constexpr unsigned top_level() const { return 3; }
    constexpr unsigned page_shift(unsigned level) const { return 12 + 9 * level; }
    constexpr std::uint64_t slot(std::uint64_t in, unsigned level) const {
        return (in >> page_shift(level) & 0x1ff) * 8;
    }
    constexpr EntryKind kind(std::uint64_t entry, unsigned level) const {
        if (rights_of.get(entry) == 0) return EntryKind::absent;
        if ((entry & 3) == 2) return EntryKind::malformed;
        return level == 0 || large.get(entry) ? EntryKind::leaf : EntryKind::table;
    }
    constexpr std::uint64_t next(std::uint64_t entry) const { return Bits<51, 12>::mask & entry; }
    constexpr std::uint64_t page(std::uint64_t entry, unsigned) const { return next(entry); }
    constexpr Rights rights(std::uint64_t entry, unsigned) const {
        return {static_cast<std::uint8_t>(rights_of.get(entry))};
    }
    constexpr std::uint64_t marked(std::uint64_t entry, unsigned level, Access access) const {
        if (!has_flags) return entry;
        const bool sets_dirty = kind(entry, level) == EntryKind::leaf && is_write(access);
        return entry | accessed | (sets_dirty ? dirty : 0);
    }
};
static_assert(TableFormat<SecondStageFormat>);

/// In the manner of VMSAv8 stage 2 with concatenated tables at the root: 1024 entries there.
struct ConcatenatedFormat : SecondStageFormat {
    constexpr unsigned top_level() const { return 2; }
    constexpr std::uint64_t slot(std::uint64_t in, unsigned level) const {
        return (in >> page_shift(level) & (level == 2 ? 0x3ff : 0x1ff)) * 8;
    }
};
static_assert(TableFormat<ConcatenatedFormat>);

struct Cell {
    std::uint64_t slot;
    std::uint64_t entry;
};
template <std::size_t N>
struct Cells {
    std::array<Cell, N> cells;
    std::uint64_t unreadable = 0;

    constexpr tl::expected<std::uint64_t, int> operator()(std::uint64_t slot, unsigned) const {
        if (slot == unreadable) return tl::unexpected{7};
        for (const Cell& cell : cells)
            if (cell.slot == slot) return cell.entry;
        return std::uint64_t{0};
    }
};

// 0x8040201008 has index 1 at each level.
constexpr std::uint64_t in = 0x8040201008;
constexpr Cells<4> tables{{{{0x1008, 0x2007}, {0x2008, 0x3005}, {0x3008, 0x4007}, {0x4008, 0x9003}}}};

constexpr Path path_of(const auto& cells) {
    return walk(SecondStageFormat{}, in, cells).value();
}

static_assert(path_of(tables).ended == EntryKind::leaf);
static_assert(path_of(tables).rights == Rights{1}, "what all four entries grant");
static_assert(path_of(tables).steps().size() == 4);
static_assert(path_of(tables).end().slot == 0x4008);
static_assert(path_of(tables).end().level == 0);
static_assert(translated(SecondStageFormat{}, path_of(tables), in) == 0x9008);

constexpr Cells<2> large_page{{{{0x1008, 0x2007}, {0x2008, 0x40000087}}}};
static_assert(path_of(large_page).end().level == 2);
static_assert(translated(SecondStageFormat{}, path_of(large_page), in) == 0x40201008);

TEST(Walk, EndsAtTheFirstEntryThatIsNoTable) {
    Cells<4> cells = tables;
    cells.cells[1].entry = 0x3002;
    EXPECT_EQ(path_of(cells).ended, EntryKind::malformed);
    EXPECT_EQ(path_of(cells).end().slot, 0x2008U);
    cells.cells[1].entry = 0x3000;
    EXPECT_EQ(path_of(cells).ended, EntryKind::absent);
    EXPECT_EQ(path_of(cells).steps().size(), 2U);
}

TEST(Walk, AFailedReadIsTheWalks) {
    Cells<4> cells = tables;
    cells.unreadable = 0x3008;
    EXPECT_EQ(walk(SecondStageFormat{}, in, cells).error(), 7);
    cells.cells[1].entry = 0;
    EXPECT_TRUE(walk(SecondStageFormat{}, in, cells)) << "never read";
}

TEST(Walk, ARootMayHaveMoreEntriesThanOtherTables) {
    const Cells<3> cells{{{{0x1000 + 8 * 0x201, 0x2007}, {0x2008, 0x3007}, {0x3008, 0x9007}}}};
    const auto path = walk(ConcatenatedFormat{}, in, cells);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->ended, EntryKind::leaf);
}

TEST(Mark, SetsWhatIsMissingFromTheRootDown) {
    const SecondStageFormat format{true};
    Cells<4> cells = tables;
    cells.cells[2].entry |= SecondStageFormat::accessed;
    const Path path = walk(format, in, cells).value();
    std::vector<std::pair<std::uint64_t, std::uint64_t>> updates;
    const auto update = [&](const Step& step, std::uint64_t desired) -> tl::expected<bool, int> {
        updates.emplace_back(step.slot, desired);
        return true;
    };
    using Updates = decltype(updates);
    EXPECT_TRUE(mark(format, path, Access::read, update).value());
    EXPECT_EQ(updates, (Updates{{0x1008, 0x2107}, {0x2008, 0x3105}, {0x4008, 0x9103}}));
    updates.clear();
    EXPECT_TRUE(mark(format, path, Access::write, update).value());
    EXPECT_EQ(updates, (Updates{{0x1008, 0x2107}, {0x2008, 0x3105}, {0x4008, 0x9303}}));
    updates.clear();
    EXPECT_TRUE(mark(SecondStageFormat{false}, path, Access::write, update).value());
    EXPECT_TRUE(updates.empty());
}

TEST(Mark, StopsAtAnEntryThatChangedOrCannotBeWritten) {
    const SecondStageFormat format{true};
    const Path path = walk(format, in, tables).value();
    int calls = 0;
    const auto changed = [&](const Step& step, std::uint64_t) -> tl::expected<bool, int> {
        ++calls;
        return step.slot != 0x2008;
    };
    EXPECT_FALSE(mark(format, path, Access::read, changed).value());
    EXPECT_EQ(calls, 2);
    const auto refused = [&](const Step&, std::uint64_t) -> tl::expected<bool, int> {
        ++calls;
        return tl::unexpected{9};
    };
    EXPECT_EQ(mark(format, path, Access::read, refused).error(), 9);
    EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace hyperstep::mmu
