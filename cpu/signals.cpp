#include "cpu/signals.hpp"

namespace hyperstep::cpu {

void raise_nmi(Cpu& cpu) {
    cpu.state.signals.nmi = true;
    look_at_boundary(cpu);
}

void raise_smi(Cpu& cpu) {
    cpu.state.signals.smi = true;
    look_at_boundary(cpu);
}

void raise_init(Cpu& cpu) {
    if (cpu.state.activity == Activity::wait_for_sipi) return;
    cpu.state.signals.init = true;
    look_at_boundary(cpu);
}

void raise_sipi(Cpu& cpu, std::uint8_t vector) {
    if (cpu.state.activity != Activity::wait_for_sipi && !cpu.state.signals.init) return;
    cpu.state.signals.sipi = true;
    cpu.state.signals.sipi_vector = vector;
    look_at_boundary(cpu);
}

void notice_interrupt(Cpu& cpu) {
    look_at_boundary(cpu);
}

}  // namespace hyperstep::cpu
