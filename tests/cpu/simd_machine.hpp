#pragma once
#include "cpu/model.hpp"
#include "cpu/packed.hpp"
#include "tests/cpu/bare_machine.hpp"

namespace hyperstep::cpu {

/// A processor with every SIMD feature, also those that `max` has not yet, in long mode with SSE and AVX on.
class SimdMachine : public BareMachine {
public:
    explicit SimdMachine(unsigned cpl = 0) : BareMachine{model()} {
        enter_long_mode(cpl);
        cpu.state.cr4 |= 1U << 18U;
        cpu.state.xcr0 = 7;
        cpu.state.gpr[rdi] = data;
        refresh(cpu);
    }
    static const Model& model() {
        static const Model all = [] {
            Model every = model_max();
            for (const Feature feature : {Feature::avx, Feature::avx2, Feature::fma, Feature::f16c})
                every.features.set(static_cast<std::size_t>(feature));
            return every;
        }();
        return all;
    }
    VectorRegister& ymm(unsigned number) { return cpu.state.vector[number]; }
};

inline bool raises(const Outcome& outcome, Vector vector) {
    return !outcome && outcome.error().kind == Fault::Kind::exception && outcome.error().vector == vector;
}

}  // namespace hyperstep::cpu
