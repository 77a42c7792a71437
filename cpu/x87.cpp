#include "cpu/x87.hpp"

#include "cpu/operands.hpp"

namespace hyperstep::cpu {

Outcome require_x87(const Cpu& cpu) {
    const Cr0 cr0 = cpu.cr0();
    if (cr0[Cr0::em] || cr0[Cr0::ts]) return raise(Vector::nm);
    return {};
}

Outcome require_x87_waiting(Cpu& cpu) {
    HS_TRY(require_x87(cpu));
    if ((cpu.state.fpu.status & x87::summary) == 0) return {};
    if (cpu.cr0()[Cr0::ne]) return raise(Vector::mf);
    cpu.board.signal_ferr();
    look_at_boundary(cpu);
    return {};
}

void update_summary(FpuState& fpu) {
    const unsigned pending = fpu.status & ~fpu.control & x87::exceptions;
    const std::uint16_t both = x87::summary | x87::busy;
    fpu.status = static_cast<std::uint16_t>(pending != 0 ? fpu.status | both : fpu.status & ~both);
}

void note_x87_instruction(Cpu& cpu, const Op& op, std::uint16_t opcode) {
    FpuState& fpu = cpu.state.fpu;
    const bool keeps_selectors = cpu.mode != Mode::long_64 && !cpu.model.has(Feature::fcs_fds_deprecated);
    fpu.last_instruction = cpu.state.rip;
    fpu.last_instruction_selector = keeps_selectors ? cpu.state.segment[cs].selector : std::uint16_t{0};
    if (op.has(op_flag::has_memory)) {
        fpu.last_operand = effective_offset(cpu, op);
        fpu.last_operand_selector =
            keeps_selectors ? cpu.state.segment[op.segment].selector : std::uint16_t{0};
    }
    // The opcode is recorded only of an instruction that ends with an unmasked exception (SDM "Fopcode
    // Compatibility Sub-mode").
    if ((fpu.status & x87::summary) != 0) fpu.last_opcode = opcode & 0x7ff;
}

}  // namespace hyperstep::cpu
