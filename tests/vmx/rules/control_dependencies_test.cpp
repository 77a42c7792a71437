#include "vmx/rules/control_dependencies.hpp"

#include <gtest/gtest.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

namespace hyperstep::vmx {
namespace {

/// The 1-setting of everything that a control needs, itself included.
void turn_on_with_needs(State& state, Control c) {
    const Change change = turn_on(c);
    apply(state, {&change, 1});
    if (c.word == ControlWord::secondary)
        state.set(Slot::primary_controls,
                  state[Slot::primary_controls].value | primary::activate_secondary_controls.mask());
    if (c.word == ControlWord::tertiary)
        state.set(Slot::primary_controls,
                  state[Slot::primary_controls].value | primary::activate_tertiary_controls.mask());
    for (const ControlDependency& d : all_control_dependencies())
        if (d.control == c && d.relation == Relation::requires_1) turn_on_with_needs(state, d.other);
}

void turn_off(State& state, Control c) {
    const Slot slot = slot_of(c.word);
    state.set(slot, state[slot].value & ~c.mask());
}

// The check named beside each dependency is broken when the dependency is, and holds when it is kept.
TEST(ControlDependencies, AreEnforcedByTheirEntryCheck) {
    for (const ControlDependency& d : all_control_dependencies()) {
        SCOPED_TRACE(d.check);
        const auto check = find_check(d.check);
        ASSERT_TRUE(check);
        State kept = base_state(BaseState::long_mode);
        turn_off(kept, secondary::enable_ept);
        turn_on_with_needs(kept, d.control);
        State broken = kept;
        if (d.relation == Relation::requires_1)
            turn_off(broken, d.other);
        else
            turn_on_with_needs(broken, d.other);
        EXPECT_NE(evaluate(*check, kept).standing, Standing::broken);
        EXPECT_EQ(evaluate(*check, broken).standing, Standing::broken);
    }
}

}  // namespace
}  // namespace hyperstep::vmx
