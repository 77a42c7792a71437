#include "embed/include/hyperstep/rules.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct Free {
    void operator()(hs_state* s) const { hs_state_free(s); }
};
using State = std::unique_ptr<hs_state, Free>;

constexpr std::uint32_t guest_interruptibility = 0x4824;
constexpr std::uint32_t guest_rflags = 0x6820;
constexpr std::uint32_t io_bitmap_a_high = 0x2001;

TEST(Embed, PresetsEnter) {
    for (const char* name : {"long-mode", "pae", "protected-32", "real-mode", "virtual-8086", "host-32"}) {
        const State state{hs_state_preset(name)};
        ASSERT_TRUE(state) << name;
        EXPECT_EQ(hs_first_broken(state.get()).outcome, HS_ENTERS) << name;
        EXPECT_EQ(hs_first_broken(state.get()).rule, nullptr) << name;
    }
    EXPECT_EQ(hs_state_preset("none such"), nullptr);
    EXPECT_EQ(hs_state_preset(nullptr), nullptr);
}

// SDM "Checks on Guest Non-Register State": blocking by STI requires RFLAGS.IF.
TEST(Embed, NamesTheBrokenRule) {
    const State state{hs_state_preset("long-mode")};
    EXPECT_EQ(hs_set_field(state.get(), guest_interruptibility, 1), 0);
    EXPECT_EQ(hs_set_field(state.get(), guest_rflags, 2), 0);
    const hs_result result = hs_first_broken(state.get());
    EXPECT_EQ(result.outcome, HS_ENTRY_FAILURE);
    EXPECT_EQ(result.number, 33U);
    EXPECT_EQ(result.qualification, 0U);
    EXPECT_STREQ(result.rule, "guest.int.sti_needs_if");
}

TEST(Embed, TheSecondMsrLoadEntryIsReportedByItsNumber) {
    const State state{hs_state_preset("long-mode")};
    EXPECT_EQ(hs_add_msr_load(state.get(), 0xc0000102, 0), 0);
    EXPECT_EQ(hs_add_msr_load(state.get(), 0xc0000100, 0), 0);  // IA32_FS_BASE may not be loaded
    const hs_result result = hs_first_broken(state.get());
    EXPECT_STREQ(result.rule, "load.msr.fs_base");
    EXPECT_EQ(result.number, 34U);
    EXPECT_EQ(result.qualification, 2U);
}

TEST(Embed, HighAccessWritesTheUpperHalf) {
    const State state{hs_state_preset("long-mode")};
    EXPECT_EQ(hs_set_field(state.get(), 0x2000, 0x1111'2222'3333'4000), 0);
    EXPECT_EQ(hs_set_field(state.get(), io_bitmap_a_high, 0xaaaa'bbbb), 0);
    std::uint64_t value = 0;
    std::uint64_t known = 0;
    EXPECT_EQ(hs_get_field(state.get(), 0x2000, &value, &known), 0);
    EXPECT_EQ(value, 0xaaaa'bbbb'3333'4000U);
    EXPECT_EQ(known, ~0ULL);
}

TEST(Embed, WhatIsNotSetIsUnknownUntilCompleted) {
    const State state{hs_state_new(nullptr)};
    std::uint64_t value = 1;
    std::uint64_t known = 1;
    EXPECT_EQ(hs_get_field(state.get(), guest_rflags, &value, &known), 0);
    EXPECT_EQ(known, 0U);
    hs_state_complete(state.get());
    EXPECT_EQ(hs_get_field(state.get(), guest_rflags, &value, &known), 0);
    EXPECT_EQ(known, ~0ULL);
    EXPECT_EQ(value, 0U);
}

TEST(Embed, EveryRuleHasABoundaryThatShowsIt) {
    std::vector<std::uint8_t> standings(hs_rule_count());
    for (std::size_t i = 0; i < hs_rule_count(); ++i) {
        hs_rule rule{};
        ASSERT_EQ(hs_rule_at(i, &rule), 0);
        SCOPED_TRACE(rule.id);
        ASSERT_GE(hs_boundary_count(rule.id), 1U);
        hs_state* broken = nullptr;
        hs_state* twin = nullptr;
        ASSERT_EQ(hs_boundary(rule.id, 0, &broken, &twin), 0);
        const State owned_broken{broken};
        const State owned_twin{twin};
        EXPECT_EQ(hs_first_broken(twin).outcome, HS_ENTERS);
        if (broken == nullptr) continue;
        EXPECT_STREQ(hs_first_broken(broken).rule, rule.id);
        EXPECT_EQ(hs_standings(broken, standings.data(), standings.size()), standings.size());
        EXPECT_EQ(standings[i], HS_BROKEN);
    }
    hs_rule none{};
    EXPECT_EQ(hs_rule_at(hs_rule_count(), &none), -1);
}

TEST(Embed, WrongArgumentsAreRefusedAndHarmless) {
    const State state{hs_state_new("all")};
    EXPECT_EQ(hs_state_new("pentium"), nullptr);
    EXPECT_EQ(hs_set_field(state.get(), 0x1234567, 0), -1);
    EXPECT_EQ(hs_set_field(nullptr, guest_rflags, 0), -1);
    EXPECT_EQ(hs_get_field(state.get(), guest_rflags, nullptr, nullptr), -1);
    EXPECT_EQ(hs_set_capability_msr(state.get(), 0x10, 0), -1);
    EXPECT_EQ(hs_set_named(state.get(), "no such slot", 0), -1);
    EXPECT_EQ(hs_set_named(state.get(), "nmi_under_sti", 2), -1);
    EXPECT_EQ(hs_set_named(state.get(), "nmi_under_sti", 1), 0);
    EXPECT_EQ(hs_rule_at(0, nullptr), -1);
    EXPECT_EQ(hs_boundary("no.such.rule", 0, nullptr, nullptr), -1);
    EXPECT_EQ(hs_boundary_count(nullptr), 0U);
    hs_state_free(nullptr);
}

TEST(Embed, TheMsrLoadAreaIsBounded) {
    const State state{hs_state_preset("long-mode")};
    for (int i = 0; i < 4096; ++i) ASSERT_EQ(hs_add_msr_load(state.get(), 0xc0000102, 0), 0);
    EXPECT_EQ(hs_add_msr_load(state.get(), 0xc0000102, 0), -1);
}

}  // namespace
