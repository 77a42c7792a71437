#include "tests/cpu/fault_order.hpp"

#include <gtest/gtest.h>

namespace hyperstep::cpu {

void expect_checks_in_order(std::span<const Check> checks,
                            const std::function<void(TableMachine&)>& prepare,
                            const std::function<Outcome(TableMachine&)>& attempt) {
    for (std::size_t i = 0; i < checks.size(); ++i) {
        for (const bool with_later : {false, true}) {
            SCOPED_TRACE(testing::Message()
                         << checks[i].what << (with_later ? ", and all later ones" : ", alone"));
            TableMachine machine;
            prepare(machine);
            if (with_later)
                for (std::size_t later = checks.size() - 1; later > i; --later)
                    checks[later].violate(machine);
            checks[i].violate(machine);
            refresh(machine.cpu);
            const State before = machine.cpu.state;
            const Outcome outcome = attempt(machine);
            ASSERT_FALSE(outcome);
            EXPECT_EQ(outcome.error().vector, checks[i].expected.vector);
            EXPECT_EQ(outcome.error().error_code, checks[i].expected.error_code);
            EXPECT_EQ(outcome.error().has_error_code, checks[i].expected.has_error_code);
            EXPECT_EQ(machine.cpu.state, before);
        }
    }
    TableMachine machine;
    prepare(machine);
    EXPECT_TRUE(attempt(machine)) << "with nothing violated";
}

}  // namespace hyperstep::cpu
