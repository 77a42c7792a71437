#include <benchmark/benchmark.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

// Whole states checked per second: one item is every row on a valid state, stopping at the first broken one.
namespace hyperstep::vmx {
namespace {

void three_valued(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    while (run.KeepRunning()) benchmark::DoNotOptimize(first_broken(state));
    run.SetItemsProcessed(run.iterations());
}

void exact(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    while (run.KeepRunning()) benchmark::DoNotOptimize(first_broken_exact(state));
    run.SetItemsProcessed(run.iterations());
    run.SetLabel("baseline=entry_checks/three_valued");
}

void every_row(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    while (run.KeepRunning()) benchmark::DoNotOptimize(evaluate_all(state));
    run.SetItemsProcessed(run.iterations());
    run.SetLabel("baseline=entry_checks/three_valued");
}

BENCHMARK(three_valued)->Name("entry_checks/three_valued");
BENCHMARK(exact)->Name("entry_checks/exact");
BENCHMARK(every_row)->Name("entry_checks/every_row");

}  // namespace
}  // namespace hyperstep::vmx
