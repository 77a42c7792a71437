#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/base/machine_state.hpp"

namespace hyperstep::archive_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Save, WritesLittleEndianWordsInOrder) {
    EXPECT_EQ(save(Timer{0x0102'0304, true}), (Bytes{4, 3, 2, 1, 1}));
    const Bytes expected{
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,  // rip
        0xfe, 0xff,                                      // delta
        1,                                               // halted
        2,                                               // mode
        0x02, 0x02, 0,    0,    0,    0,    0,    0,     // flags
        0,    0x10, 0,    0,    0,    0,    0,    0,     // root
        0x10, 0,    0x18, 0,                             // selectors
        7,    0,    0,    0,    1,                       // timers[0]
        9,    0,    0,    0,    0,                       // timers[1]
        3,    0,    0,    0,    0,    0,    0,    0,     // page.size
        1,    2,    3,                                   // page
        1,    0,    0,    0,    0,    0,    0,    0,     // words.size
        0xef, 0xbe, 0xad, 0xde,                          // words
        2,    0,    0,    0,    0,    0,    0,    0,     // queue.size
        1,    0,    0,    0,    1,                       // queue[0]
        2,    0,    0,    0,    0,                       // queue[1]
        4,    0,    0,    0,    0,    0,    0,    0,     // name.size
        'v',  'c',  'p',  'u',                           // name
        1,                                               // pending is present
        5,    0,    0,    0,    1,                       // pending
    };
    EXPECT_EQ(save(busy_state()), expected);
}

TEST(Load, GivesBackWhatWasSaved) {
    for (const MachineState& state : {MachineState{}, busy_state()}) {
        const auto loaded = load<MachineState>(save(state));
        ASSERT_TRUE(loaded);
        EXPECT_EQ(*loaded, state);
    }
}

TEST(Load, RefusesEveryTruncation) {
    const Bytes whole = save(busy_state());
    for (std::size_t length = 0; length < whole.size(); ++length) {
        SCOPED_TRACE(length);
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        const auto loaded = load<MachineState>(cut);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().kind, ArchiveError::Kind::truncated);
        EXPECT_LE(loaded.error().offset, length);
    }
}

TEST(Load, SaysWhereItStopped) {
    using Kind = ArchiveError::Kind;
    struct Row {
        const char* what = nullptr;
        std::size_t offset = 0;
        std::uint8_t byte = 0;
        ArchiveError expected;
    };
    const Row rows[] = {
        // what                              at  is    error
        {"a boolean of 2", 10, 2, {Kind::bad_value, 10}},
        {"a mode that is none", 11, 3, {Kind::bad_value, 11}},
        {"nested: a boolean of 255", 36, 255, {Kind::bad_value, 36}},
        {"a page of 9 bytes, 8 at most", 42, 9, {Kind::too_long, 42}},
        {"a page of 2^56 bytes", 49, 1, {Kind::too_long, 42}},
        {"5 words, 4 at most", 53, 5, {Kind::too_long, 53}},
        {"4 in the queue, 3 at most", 65, 4, {Kind::too_long, 65}},
        {"a name of 17 letters", 83, 17, {Kind::too_long, 83}},
        {"an optional that is there twice", 95, 2, {Kind::bad_value, 95}},
        {"no optional, and its bytes follow", 95, 0, {Kind::bytes_follow, 96}},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.what);
        Bytes bytes = save(busy_state());
        ASSERT_LT(row.offset, bytes.size());
        bytes[row.offset] = row.byte;
        const auto loaded = load<MachineState>(bytes);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error(), row.expected)
            << to_string(loaded.error().kind) << " at " << loaded.error().offset;
    }
}

TEST(Load, WhatItTakesSavesToTheSameBytes) {
    const Bytes whole = save(busy_state());
    std::size_t taken = 0;
    for (std::size_t i = 0; i < whole.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            Bytes changed = whole;
            changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1U << bit);
            if (const auto loaded = load<MachineState>(changed)) {
                EXPECT_EQ(save(*loaded), changed);
                ++taken;
            }
        }
    EXPECT_GT(taken, whole.size()) << "most flips are other states";
}

// ---- hash and difference: one change a field
// ----------------------------------------------------------------

struct Change {
    const char* path;
    std::function<void(MachineState&)> make;
    const char* left;
    const char* right;
};

std::vector<Change> one_change_a_field() {
    using M = MachineState&;
    return {
        // path               change                                     before                  after
        {"rip", [](M s) { s.rip ^= 1; }, "0x123456789abcdef", "0x123456789abcdee"},
        {"delta", [](M s) { s.delta = -1; }, "0xfffe", "0xffff"},
        {"halted", [](M s) { s.halted = false; }, "0x1", "0x0"},
        {"mode", [](M s) { s.mode = Mode::guarded; }, "0x2", "0x1"},
        {"flags", [](M s) { s.flags.raw = 2; }, "0x202", "0x2"},
        {"root", [](M s) { s.root += 1; }, "0x1000", "0x1001"},
        {"selectors[1]", [](M s) { s.selectors[1] = 0; }, "0x18", "0x0"},
        {"timers[0].count", [](M s) { s.timers[0].count = 6; }, "0x7", "0x6"},
        {"timers[1].armed", [](M s) { s.timers[1].armed = true; }, "0x0", "0x1"},
        {"page[2]", [](M s) { s.page[2] = 0; }, "0x3", "0x0"},
        {"page.size", [](M s) { s.page.push_back(0); }, "0x3", "0x4"},
        {"words[0]", [](M s) { s.words[0] = 0; }, "0xdeadbeef", "0x0"},
        {"queue[1].count", [](M s) { s.queue[1].count = 3; }, "0x2", "0x3"},
        {"queue.size", [](M s) { s.queue.pop_back(); }, "0x2", "0x1"},
        {"name[0]", [](M s) { s.name = "Vcpu"; }, "0x76", "0x56"},
        {"pending.armed", [](M s) { s.pending->armed = false; }, "0x1", "0x0"},
        {"pending", [](M s) { s.pending.reset(); }, "present", "none"},
    };
}

TEST(Differences, NameTheFieldAndBothValues) {
    for (const Change& change : one_change_a_field()) {
        MachineState changed = busy_state();
        change.make(changed);
        EXPECT_EQ(differences(busy_state(), changed),
                  (std::vector<Difference>{{change.path, change.left, change.right}}))
            << change.path;
    }
}

TEST(Differences, CoverEveryField) {
    std::set<std::string> covered;
    for (const Change& change : one_change_a_field()) {
        const std::string path = change.path;
        covered.insert(path.substr(0, path.find_first_of(".[")));
    }
    MachineState state;
    for_each_field(fields_of(state), [&](const auto& each) {
        EXPECT_TRUE(covered.contains(std::string{each.name})) << each.name << " is never changed";
    });
}

TEST(Differences, AreInOrderAndBounded) {
    MachineState changed = busy_state();
    changed.rip = 0;
    changed.timers[1].count = 0;
    changed.name = "v";
    const auto all = differences(busy_state(), changed);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].path, "rip");
    EXPECT_EQ(all[1].path, "timers[1].count");
    EXPECT_EQ(all[2].path, "name.size");
    EXPECT_EQ(differences(busy_state(), changed, 2).size(), 2U);
    EXPECT_TRUE(differences(changed, changed).empty());
}

struct Nothing {
    auto visit(auto& archive) { return archive(); }
};

TEST(StateHash, IsXxh3OfTheSavedBytes) {
    // XXH3_64bits of no bytes, as the algorithm's specification gives it.
    EXPECT_EQ(state_hash(Nothing{}), 0x2d06'8005'38d3'94c2U);
    EXPECT_EQ(state_hash(busy_state()), state_hash(busy_state()));
}

TEST(StateHash, ChangesWithEveryBitOfEveryField) {
    const Bytes whole = save(busy_state());
    std::set<std::uint64_t> hashes{state_hash(busy_state())};
    std::size_t states = 1;
    for (std::size_t i = 0; i < whole.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            Bytes changed = whole;
            changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1U << bit);
            if (const auto loaded = load<MachineState>(changed)) {
                hashes.insert(state_hash(*loaded));
                ++states;
            }
        }
    EXPECT_EQ(hashes.size(), states);
    for (const Change& change : one_change_a_field()) {
        MachineState changed = busy_state();
        change.make(changed);
        EXPECT_NE(state_hash(changed), state_hash(busy_state())) << change.path;
    }
}

}  // namespace
}  // namespace hyperstep::archive_test
