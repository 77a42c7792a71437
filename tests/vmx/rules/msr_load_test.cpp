#include <algorithm>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"
#include "vmx/rules/loadable_msrs.hpp"

// SDM "Loading MSRs": the entries of the area are processed one by one, and the qualification is the number
// of the one that fails.
namespace hyperstep::vmx {
namespace {

constexpr MsrEntry good{0xc000'0102, 0, 0x1000};

State with_area(std::initializer_list<MsrEntry> entries) {
    State state = base_state(BaseState::long_mode);
    state.msr_load = entries;
    state.set(Slot::entry_msr_load_count, state.msr_load.size());
    return state;
}

State with_many(std::size_t count) {
    State state = base_state(BaseState::long_mode);
    state.msr_load.assign(count, good);
    state.set(Slot::entry_msr_load_count, count);
    return state;
}

struct Reported {
    std::string id;
    std::uint64_t qualification;
    friend bool operator==(const Reported&, const Reported&) = default;
};
Reported reported(const State& state) {
    const auto failure = first_broken(state);
    if (!failure) return {"none", 0};
    return {std::string{check_of(*failure).id}, qualification_of(*failure)};
}

TEST(MsrLoad, QualificationIsTheNumberOfTheEntry) {
    EXPECT_EQ(reported(with_area({{0xc000'0100, 0, 0}})), (Reported{"load.msr.fs_base", 1}));
    EXPECT_EQ(reported(with_area({good, good, {0xc000'0101, 0, 0}})), (Reported{"load.msr.gs_base", 3}));
}

TEST(MsrLoad, TheFirstBadEntryCountsWhateverItsRule) {
    EXPECT_EQ(reported(with_area({good, {0x17, 0, 0}, {0xc000'0100, 0, 0}})),
              (Reported{"load.msr.wrmsr_gp", 2}));
}

TEST(MsrLoad, AnEntryIsBadOnlyIfTheCountReachesIt) {
    State state = with_area({good, {0xc000'0100, 0, 0}});
    state.forget(Slot::entry_msr_load_count);
    EXPECT_EQ(reported(state), (Reported{"none", 0}));
    const auto rows = all_checks();
    const auto row = std::find_if(rows.begin(), rows.end(), [](const EntryCheck& c) {
        return std::string_view{c.id} == "load.msr.fs_base";
    });
    ASSERT_NE(row, rows.end());
    const auto check = static_cast<std::size_t>(row - rows.begin());
    EXPECT_EQ(evaluate(check, state).standing, Standing::unknown);
    state.set(Slot::entry_msr_load_count, PartialWord{2, 2});  // 2 or more
    EXPECT_EQ(evaluate(check, state).standing, Standing::broken);
    EXPECT_EQ(reported(state), (Reported{"load.msr.fs_base", 2}));
}

/// IA32_VMX_MISC[27:25] = 0 recommends at most 512 entries, 1 recommends 1024.
TEST(MsrLoad, AnExcessiveCountFailsAtTheFirstEntryBeyondTheMaximum) {
    EXPECT_EQ(reported(with_many(512)), (Reported{"none", 0}));
    State state = with_many(513);
    EXPECT_EQ(reported(state), (Reported{"load.msr.count_limit", 513}));
    state.set(Slot::vmx_misc, 0x7204'c1e7);
    EXPECT_EQ(reported(state), (Reported{"none", 0}));
    state = with_many(1025);
    state.set(Slot::vmx_misc, 0x7204'c1e7);
    EXPECT_EQ(reported(state), (Reported{"load.msr.count_limit", 1025}));
}

TEST(MsrLoad, EntriesUpToTheMaximumFailBeforeTheCount) {
    State state = with_many(513);
    state.msr_load[511] = {0xc000'0100, 0, 0};
    EXPECT_EQ(reported(state), (Reported{"load.msr.fs_base", 512}));
    state.msr_load[511] = good;
    state.msr_load[512] = {0xc000'0100, 0, 0};
    EXPECT_EQ(reported(state), (Reported{"load.msr.count_limit", 513}));
    state.set(Slot::opt_msr_count, 1);
    EXPECT_EQ(reported(state), (Reported{"load.msr.fs_base", 513}));
}

/// Whether a processor recommends more than 512 entries may be unknown, but none recommends more than 4096.
TEST(MsrLoad, AnUnknownMaximumIsAtMost4096) {
    State state = base_state(BaseState::long_mode);
    state.forget(Slot::vmx_misc);
    state.set(Slot::entry_msr_load_count, 513);
    EXPECT_EQ(reported(state), (Reported{"none", 0}));
    state.set(Slot::entry_msr_load_count, 4097);
    EXPECT_EQ(reported(state), (Reported{"load.msr.count_limit", 0}));
}

Standing standing_on_unknown_processor(MsrEntry entry) {
    State state = with_area({entry});
    install(state, Capabilities{});
    return evaluate(*find_check("load.msr.wrmsr_gp"), state).standing;
}

TEST(MsrLoad, AnUnknownProcessorIsAccusedOnlyOfWhatNoneTakes) {
    EXPECT_EQ(standing_on_unknown_processor({0xc000'0081, 0, ~0ULL}), Standing::holds);
    EXPECT_EQ(standing_on_unknown_processor({0xc000'0082, 0, 0x8000'0000'0000'0000}), Standing::broken);
    EXPECT_EQ(standing_on_unknown_processor({0xc000'0082, 0, 0x0080'0000'0000'0000}), Standing::unknown);
    EXPECT_EQ(standing_on_unknown_processor({0x480, 0, 0}), Standing::broken);
    // Long mode has LME 1, and it cannot be cleared while paging is on.
    EXPECT_EQ(standing_on_unknown_processor({0xc000'0080, 0, 0xc01}), Standing::broken);
}

TEST(MsrLoad, AnUnknownProcessorMayHaveOtherMsrs) {
    EXPECT_EQ(standing_on_unknown_processor({0x6e1, 0, 0}), Standing::unknown);
    EXPECT_EQ(standing_on_unknown_processor({0x6e1, 0, 0x1'0000'0000}), Standing::broken);
    EXPECT_EQ(standing_on_unknown_processor({0x1234'5678, 0, 0}), Standing::unknown);
}

TEST(LoadableMsrs, DoNotOverlap) {
    for (const LoadableMsrs& a : loadable_msrs) {
        EXPECT_LE(a.first, a.last) << a.name;
        for (const LoadableMsrs& b : loadable_msrs) {
            const bool apart = &a == &b || a.last < b.first || b.last < a.first;
            EXPECT_TRUE(apart) << a.name << ", " << b.name;
        }
    }
}

}  // namespace
}  // namespace hyperstep::vmx
