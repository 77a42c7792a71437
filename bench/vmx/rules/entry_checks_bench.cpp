#include <benchmark/benchmark.h>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

// How many whole states a second one core checks. One state = every row on a valid 64-bit state, `first` mode.
// The baseline of each ratio is the three-valued reading of the same rows, which no shortcut helps.
namespace {

using namespace hyperstep::vmx;

void first_broken_partial(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    for (auto _ : run) benchmark::DoNotOptimize(first_broken(state));
    run.SetItemsProcessed(run.iterations());
}
BENCHMARK(first_broken_partial);

void first_broken_exact_valid(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    for (auto _ : run) benchmark::DoNotOptimize(first_broken_exact(state));
    run.SetItemsProcessed(run.iterations());
}
BENCHMARK(first_broken_exact_valid);

void first_broken_exact_guest_failure(benchmark::State& run) {
    State state = base_state(BaseState::long_mode);
    state.set(Slot::guest_interruptibility, 1);
    state.set(Slot::guest_rflags, 2);
    for (auto _ : run) benchmark::DoNotOptimize(first_broken_exact(state));
    run.SetItemsProcessed(run.iterations());
}
BENCHMARK(first_broken_exact_guest_failure);

void evaluate_every_row(benchmark::State& run) {
    const State state = base_state(BaseState::long_mode);
    for (auto _ : run) benchmark::DoNotOptimize(evaluate_all(state));
    run.SetItemsProcessed(run.iterations());
}
BENCHMARK(evaluate_every_row);

}  // namespace
