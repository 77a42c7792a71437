#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

// What the rules on guest segment registers say when parts of access rights or controls are not known.
namespace hyperstep::vmx {
namespace {

Standing standing_of(std::string_view id, const State& state) {
    return evaluate(*find_check(id), state).standing;
}

State with(State state, Slot slot, PartialWord word) {
    state.set(slot, word);
    return state;
}

constexpr std::uint64_t everything = ~0ULL;

/// Type 3 of CS asks for unrestricted guest; other types are right or wrong whatever the controls are.
TEST(GuestCsType, WithUnknownControls) {
    State state = base_state(BaseState::protected_32);
    state.forget(Slot::secondary_controls);
    const auto of_type = [&](std::uint64_t type) {
        return standing_of("guest.seg.cs.type", with(state, Slot::guest_cs_ar, 0xc090 | type));
    };
    for (const std::uint64_t type : {9U, 11U, 13U, 15U}) EXPECT_EQ(of_type(type), Standing::holds) << type;
    for (const std::uint64_t type : {0U, 1U, 2U, 4U, 5U, 6U, 7U, 8U, 10U, 12U, 14U})
        EXPECT_EQ(of_type(type), Standing::broken) << type;
    EXPECT_EQ(of_type(3), Standing::unknown);
}

TEST(GuestCsType, KnownInPart) {
    State state = base_state(BaseState::real_mode);
    const auto without_bit = [&](std::uint64_t rights, unsigned bit) {
        const PartialWord word{rights, everything & ~(1ULL << bit)};
        return standing_of("guest.seg.cs.type", with(state, Slot::guest_cs_ar, word));
    };
    EXPECT_EQ(without_bit(0x93, 3), Standing::holds) << "3 or 11, both right with unrestricted guest";
    EXPECT_EQ(without_bit(0x9b, 2), Standing::holds) << "11 or 15";
    EXPECT_EQ(without_bit(0x92, 3), Standing::broken) << "2 or 10";
    EXPECT_EQ(without_bit(0x97, 3), Standing::unknown) << "7 or 15";
}

/// The bits on which rules about segments turn, in slots of any kind.
constexpr unsigned interesting_bits[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 11,
                                         12, 13, 14, 15, 16, 17, 20, 31, 32, 56};

bool is_about_segments(std::string_view id) {
    return id.starts_with("guest.seg.") || id.starts_with("guest.gdtr.") || id.starts_with("guest.idtr.") ||
           id == "guest.rflags.fred_iopl";
}

struct Unknown {
    Slot slot;
    std::uint64_t bit;
};

/// Up to four bits of what a check reads.
std::vector<Unknown> some_unknowns(const EntryCheck& check, std::mt19937_64& random) {
    std::vector<Slot> slots;
    for (const Slot s : check.reads)
        if (info(s).kind == SlotKind::field) slots.push_back(s);
    std::vector<Unknown> unknowns(1 + random() % 4);
    for (Unknown& u : unknowns)
        u = {slots[random() % slots.size()],
             1ULL << interesting_bits[random() % std::size(interesting_bits)]};
    return unknowns;
}

/// Of all states that a state with these bits unknown may be: does any break the check, does any not?
struct Possible {
    bool broken = false;
    bool unbroken = false;
};
Possible possibilities(std::size_t check, const State& state, const std::vector<Unknown>& unknowns) {
    Possible possible;
    for (std::uint64_t choice = 0; choice < 1ULL << unknowns.size(); ++choice) {
        State whole = state;
        for (std::size_t i = 0; i < unknowns.size(); ++i) {
            const auto [slot, bit] = unknowns[i];
            const std::uint64_t value = whole[slot].value;
            whole.set(slot, (choice >> i & 1) != 0 ? value | bit : value & ~bit);
        }
        (evaluate(check, whole).standing == Standing::broken ? possible.broken : possible.unbroken) = true;
    }
    return possible;
}

void expect_exact(std::size_t check, const State& state, std::mt19937_64& random) {
    const auto unknowns = some_unknowns(all_checks()[check], random);
    State partial = state;
    for (const auto [slot, bit] : unknowns)
        partial.set(slot, PartialWord{partial[slot].value, partial[slot].known & ~bit});
    const Possible possible = possibilities(check, state, unknowns);
    const Standing told = evaluate(check, partial).standing;
    EXPECT_EQ(told == Standing::broken, possible.broken && !possible.unbroken) << all_checks()[check].id;
    EXPECT_EQ(told == Standing::unknown, possible.broken && possible.unbroken) << all_checks()[check].id;
}

/// With a few bits unknown, a rule on segments is unknown only if the bits decide it.
TEST(GuestSegments, UnknownOnlyIfItDepends) {
    std::mt19937_64 random{1};
    for (const Boundary& b : all_boundaries()) {
        if (!is_about_segments(b.id)) continue;
        const std::size_t check = *find_check(b.id);
        for (int repeat = 0; repeat < 8; ++repeat) {
            expect_exact(check, broken_state(b), random);
            expect_exact(check, twin_state(b), random);
        }
    }
}

}  // namespace
}  // namespace hyperstep::vmx
