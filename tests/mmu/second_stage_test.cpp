#include <vector>

#include <gtest/gtest.h>

#include "tests/mmu/paging_fixture.hpp"

namespace hyperstep::mmu {
namespace {

constexpr std::uint64_t all_rights = bit::p | bit::rw | bit::us;

/// Adds an offset, notes what it is asked, and refuses one page for one kind of access.
struct Offset final : SecondStage {
    tl::expected<SecondStagePage, SecondStageFault> translate(const SecondStageRequest& request) override {
        asked.push_back(request);
        if (request.address.page_start() == refused && request.access == refused_access)
            return tl::unexpected{SecondStageFault{42, request}};
        return SecondStagePage{Hpa{request.address.raw() + 0x100000}, 5};
    }
    std::vector<SecondStageRequest> asked;
    Gpa refused{~0ULL};
    Access refused_access = Access::read;
};

struct TwoStages : testing::Test {
    TwoStages() {
        static_cast<void>(memory.add_ram(Hpa{0x100000}, 0x10000));
        paging.mode = PagingMode::level_4;
        paging.cr3 = 0x4000;
        // 0x8040201008 has index 1 at every level.
        for (std::uint64_t table = 0x4000; table > 0x1000; table -= 0x1000)
            memory.write(Hpa{0x100008 + table}, 8, (table - 0x1000) | all_rights);
        memory.write(Hpa{0x101008}, 8, 0x7000 | all_rights);
    }
    tl::expected<X86Translation, X86Fault> ask(Access access) {
        return translate(paging, view, Gva{0x8040201008}, access, Privilege::user);
    }
    bool is_accessed(std::uint64_t table) { return (memory.read(Hpa{0x100008 + table}, 8) & bit::a) != 0; }

    GuestMemory memory;
    Offset stage;
    PhysicalView view{memory, &stage};
    X86Paging paging;
};

TEST_F(TwoStages, EveryEntryAndThePageAreTranslated) {
    using Purpose = SecondStageRequest::Purpose;
    const auto page = ask(Access::write);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->address, Gpa{0x7008});
    EXPECT_EQ(page->physical, Hpa{0x107008});
    EXPECT_EQ(page->leaf_table, Hpa{0x101000});
    EXPECT_EQ(page->second_stage_accesses, 5);
    EXPECT_EQ(memory.watches(Hpa{0x101000}), 2);
    EXPECT_EQ(memory.watches(Hpa{0x104000}), 4);
    struct Row {
        std::uint64_t address;
        Access access;
        Purpose purpose;
    };
    const std::vector<Row> rows{{0x4008, Access::read, Purpose::paging_structure},
                                {0x3008, Access::read, Purpose::paging_structure},
                                {0x2008, Access::read, Purpose::paging_structure},
                                {0x1008, Access::read, Purpose::paging_structure},
                                {0x4008, Access::write, Purpose::paging_structure},
                                {0x3008, Access::write, Purpose::paging_structure},
                                {0x2008, Access::write, Purpose::paging_structure},
                                {0x1008, Access::write, Purpose::paging_structure},
                                {0x7008, Access::write, Purpose::final_page}};
    ASSERT_EQ(stage.asked.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(stage.asked[i].address.raw(), rows[i].address) << i;
        EXPECT_EQ(stage.asked[i].access, rows[i].access) << i;
        EXPECT_EQ(stage.asked[i].purpose, rows[i].purpose) << i;
        EXPECT_EQ(stage.asked[i].effect, Effect::update) << i;
    }
    EXPECT_TRUE(stage.asked.back().user_page && stage.asked.back().writable_page);
    stage.asked.clear();
    ASSERT_TRUE(ask(Access::write));
    EXPECT_EQ(stage.asked.size(), 5U) << "no flag is missing now";
}

TEST_F(TwoStages, ARefusalIsPassedOn) {
    const auto reason = [&](Access access) -> const SecondStageFault {
        const auto result = ask(access);
        const auto* const fault = result ? nullptr : std::get_if<SecondStageFault>(&result.error());
        return fault == nullptr ? SecondStageFault{} : *fault;
    };
    stage.refused = Gpa{0x2000};  // an entry is read
    EXPECT_EQ(reason(Access::fetch).reason, 42U);
    EXPECT_FALSE(is_accessed(0x4000));
    stage.refused_access = Access::write;  // an entry's accessed flag is set
    const SecondStageFault setting = reason(Access::fetch);
    EXPECT_EQ(setting.reason, 42U);
    EXPECT_EQ(setting.request.address, Gpa{0x2008});
    EXPECT_EQ(setting.request.purpose, SecondStageRequest::Purpose::paging_structure);
    EXPECT_TRUE(is_accessed(0x3000)) << "those above were set before";
    EXPECT_FALSE(is_accessed(0x2000));
    EXPECT_FALSE(is_accessed(0x1000));
    stage.refused = Gpa{0x7000};  // the page
    const SecondStageFault page = reason(Access::write);
    EXPECT_EQ(page.reason, 42U);
    EXPECT_EQ(page.request.purpose, SecondStageRequest::Purpose::final_page);
    EXPECT_EQ(page.request.address, Gpa{0x7008});
    EXPECT_TRUE(is_accessed(0x1000));
    EXPECT_EQ(reason(Access::read).reason, 0U) << "a read is not refused";
}

TEST_F(TwoStages, AProbeAsksForNoEffect) {
    ASSERT_TRUE(probe(paging, view, Gva{0x8040201008}, Access::write, Privilege::user));
    EXPECT_EQ(stage.asked.size(), 5U);
    for (const SecondStageRequest& request : stage.asked) EXPECT_EQ(request.effect, Effect::none);
    EXPECT_FALSE(is_accessed(0x4000));
}

TEST_F(TwoStages, APageFaultComesBeforeTheSecondStageIsAskedForThePage) {
    stage.refused = Gpa{0x7000};
    stage.refused_access = Access::write;
    memory.write(Hpa{0x101008}, 8, 0x7000 | bit::p | bit::us);
    EXPECT_EQ(error_code(ask(Access::write)), 7);
}

TEST_F(TwoStages, PdptesAreTranslated) {
    stage.refused = Gpa{0x9000};
    EXPECT_EQ(std::get<SecondStageFault>(load_pdptes(0x9000, view, 36).error()).reason, 42U);
    memory.write(Hpa{0x108008}, 8, 0x5001);
    EXPECT_EQ(load_pdptes(0x8000, view, 36)->at(1), 0x5001U);
}

}  // namespace
}  // namespace hyperstep::mmu
