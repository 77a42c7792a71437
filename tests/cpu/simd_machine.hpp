#pragma once
#include "cpu/model.hpp"
#include "cpu/packed.hpp"
#include "tests/cpu/bare_machine.hpp"

namespace hyperstep::cpu {

/// `max` in long mode with SSE and AVX on.
class SimdMachine : public BareMachine {
public:
    explicit SimdMachine(unsigned cpl = 0) {
        enter_long_mode(cpl);
        cpu.state.cr4 |= 1U << 18U;
        cpu.state.xcr0 = 7;
        cpu.state.gpr[rdi] = data;
        refresh(cpu);
    }
    VectorRegister& ymm(unsigned number) { return cpu.state.vector[number]; }
};

inline bool raises(const Outcome& outcome, Vector vector) {
    return !outcome && outcome.error().kind == Fault::Kind::exception && outcome.error().vector == vector;
}

}  // namespace hyperstep::cpu
