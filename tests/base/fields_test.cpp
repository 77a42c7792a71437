#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/base/machine_state.hpp"

// A field that visit() misses must not compile: FullyVisitable is what save, load, state_hash and differences
// ask for.
namespace hyperstep::archive_test {
namespace {

struct Whole {
    std::uint32_t a = 0;
    std::vector<std::uint8_t> b;
    auto visit(auto& archive) { return archive(field("a", a), field("b", at_most<4>(b))); }
};
struct MissesOne {
    std::uint32_t a = 0;
    std::vector<std::uint8_t> b;
    auto visit(auto& archive) { return archive(field("a", a)); }
};
struct NamesTooMany {
    std::uint32_t a = 0;
    auto visit(auto& archive) { return archive(field("a", a), field("again", a)); }
};
struct Empty {
    auto visit(auto& archive) { return archive(); }
};
struct NoVisit {
    std::uint32_t a = 0;
};
class Closed {
public:
    auto visit(auto& archive) { return archive(field("a", a_)); }

private:
    std::uint32_t a_ = 0;
};

static_assert(FullyVisitable<Whole> && FullyVisitable<Empty> && FullyVisitable<MachineState>);
static_assert(!FullyVisitable<MissesOne>);
static_assert(!FullyVisitable<NamesTooMany>);
static_assert(!FullyVisitable<NoVisit>);
static_assert(!FullyVisitable<Closed>, "private members cannot be counted");

template <class T>
concept CanSave = requires(const T& t) {
    save(t);
};
template <class T>
concept CanHash = requires(const T& t) {
    state_hash(t);
};
template <class T>
concept CanCompare = requires(const T& t) {
    differences(t, t);
};
static_assert(CanSave<Whole> && CanHash<Whole> && CanCompare<Whole>);
static_assert(!CanSave<MissesOne> && !CanHash<MissesOne> && !CanCompare<MissesOne>);

struct Members {
    std::array<std::uint64_t, 16> array{};
    std::optional<Timer> optional;
    std::string string;
    Timer nested;
    Gpa address;
    std::uint8_t byte = 3;
};
static_assert(aggregate_arity<Empty> == 0);
static_assert(aggregate_arity<NoVisit> == 1);
static_assert(aggregate_arity<Timer> == 2);
static_assert(aggregate_arity<Members> == 6);
static_assert(aggregate_arity<MachineState> == 13);
static_assert(aggregate_arity<Flags> == 1, "a base counts");

TEST(Fields, AreNamedInOrder) {
    MachineState state;
    std::string names;
    for_each_field(fields_of(state), [&](const auto& each) { names += std::string{each.name} + " "; });
    EXPECT_EQ(names, "rip delta halted mode flags root selectors timers page words queue name pending ");
}

TEST(Fields, AreTheMembersThemselves) {
    Timer timer;
    EXPECT_EQ(&std::get<0>(fields_of(timer).all).value, &timer.count);
    EXPECT_EQ(&std::get<1>(fields_of(timer).all).value, &timer.armed);
}

struct NamesOneTwice {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    auto visit(auto& archive) { return archive(field("a", a), field("b", a)); }
};

TEST(Fields, NamedTwiceAreNoticed) {
    const FieldCollector archive;
    NamesOneTwice twice;
    EXPECT_FALSE(all_distinct(twice.visit(archive)));
    MachineState state;
    EXPECT_TRUE(all_distinct(state.visit(archive)));
}

TEST(Numbers, HaveTheWordsOfTheirType) {
    EXPECT_EQ(to_word(std::int16_t{-2}), 0xfffeU);
    EXPECT_EQ(from_word<std::int16_t>(0xfffe), std::int16_t{-2});
    EXPECT_EQ(from_word<bool>(1), true);
    EXPECT_EQ(from_word<bool>(2), std::nullopt) << "a boolean is 0 or 1";
    EXPECT_EQ(from_word<Mode>(2), Mode::paged);
    EXPECT_EQ(from_word<Mode>(3), std::nullopt) << "count is no mode";
    EXPECT_EQ(from_word<Gpa>(0x1000), Gpa{0x1000});
}

}  // namespace
}  // namespace hyperstep::archive_test
