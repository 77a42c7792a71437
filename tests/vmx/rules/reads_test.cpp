#include <set>
#include <string>

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/check_code.hpp"

// A row declares the slots it reads: that list is documentation, tells what an unknown row needs, and decides
// which rows have to be looked at again when a field changes. So it must be what the predicates really read.
namespace hyperstep::vmx {
namespace {

/// A state whose readings are written down.
struct RecordingView {
    using Word = PartialWord;
    using Bool = Truth;
    const State& state;
    std::set<Slot>& seen;
    Word operator[](Slot s) const {
        seen.insert(s);
        return state[s];
    }
};

std::set<std::string> names(const auto& slots) {
    std::set<std::string> result;
    for (const Slot s : slots) result.emplace(info(s).name);
    return result;
}

TEST(Reads, DeclaredAreThoseRecorded) {
    const auto code = check_code<RecordingView>();
    const State state = base_state(BaseState::long_mode);
    for (std::size_t i = 0; i < all_checks().size(); ++i) {
        SCOPED_TRACE(all_checks()[i].id);
        std::set<Slot> seen;
        const RecordingView view{state, seen};
        static_cast<void>(code[i].applies(view));
        static_cast<void>(code[i].holds(view));
        EXPECT_EQ(names(seen), names(all_checks()[i].reads));
        EXPECT_EQ(names(all_checks()[i].reads).size(), all_checks()[i].reads.size())
            << "a slot is declared twice";
    }
}

/// What is read does not depend on the state: nothing short-circuits.
TEST(Reads, AreTheSameInEveryState) {
    const auto code = check_code<RecordingView>();
    for (const BaseState base : all_base_states) {
        const State state = base_state(base);
        for (std::size_t i = 0; i < all_checks().size(); ++i) {
            SCOPED_TRACE(all_checks()[i].id);
            std::set<Slot> seen;
            static_cast<void>(code[i].applies(RecordingView{state, seen}));
            static_cast<void>(code[i].holds(RecordingView{state, seen}));
            EXPECT_EQ(seen.size(), all_checks()[i].reads.size());
        }
    }
}

/// A rule about a VMCS reads the VMCS or memory, not only the processor.
TEST(Reads, EveryRuleReadsSomething) {
    for (const EntryCheck& check : all_checks()) {
        SCOPED_TRACE(check.id);
        if (check.outcome.kind == Outcome::Kind::none) continue;
        EXPECT_GE(check.reads.size(), 1U);
    }
}

}  // namespace
}  // namespace hyperstep::vmx
