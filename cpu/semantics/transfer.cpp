#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/operands.hpp"

// Moves of data between registers, memory and the stack.
namespace hyperstep::cpu {
namespace {

template <class T>
struct Mov {
    static Outcome register_register(Cpu& cpu, const Op& op) {
        write_gpr<T>(cpu.state, op.reg[0], read_gpr<T>(cpu.state, op.reg[1]));
        return {};
    }
    static Outcome register_immediate(Cpu& cpu, const Op& op) {
        write_gpr<T>(cpu.state, op.reg[0], static_cast<T>(op.immediate));
        return {};
    }
    static Outcome register_memory(Cpu& cpu, const Op& op) {
        const auto value = load_operand<T>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        write_gpr<T>(cpu.state, op.reg[0], *value);
        return {};
    }
    static Outcome memory_register(Cpu& cpu, const Op& op) {
        return store_operand<T>(cpu, op, read_gpr<T>(cpu.state, op.reg[1]));
    }
    static Outcome memory_immediate(Cpu& cpu, const Op& op) {
        return store_operand<T>(cpu, op, static_cast<T>(op.immediate));
    }
    /// The forms with a whole address in the instruction (A0 to A3).
    static Outcome accumulator_moffs(Cpu& cpu, const Op& op) {
        const auto value = load<T>(cpu, op.segment, op.immediate & mask_of_bytes(op.address_bytes));
        if (!value) return tl::unexpected{value.error()};
        write_gpr<T>(cpu.state, rax, *value);
        return {};
    }
    static Outcome moffs_accumulator(Cpu& cpu, const Op& op) {
        return store<T>(
            cpu, op.segment, op.immediate & mask_of_bytes(op.address_bytes), read_gpr<T>(cpu.state, rax));
    }

    static Handler select(const Form& form) {
        using enum OperandKind;
        if (form.opcode >= 0xa0 && form.opcode <= 0xa3 && !form.has_modrm)
            return form.is(memory, gpr) ? moffs_accumulator : accumulator_moffs;
        if (form.is(gpr, gpr)) return register_register;
        if (form.is(gpr, immediate)) return register_immediate;
        if (form.is(gpr, memory)) return register_memory;
        if (form.is(memory, gpr)) return memory_register;
        if (form.is(memory, immediate)) return memory_immediate;
        return nullptr;
    }
};

Handler select_mov(const Form& form) {
    switch (form.operand_bytes) {
        case 1: return Mov<std::uint8_t>::select(form);
        case 2: return Mov<std::uint16_t>::select(form);
        case 4: return Mov<std::uint32_t>::select(form);
        default: return Mov<std::uint64_t>::select(form);
    }
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOV, Feature::always, select_mov},
};

}  // namespace

std::span<const Row> transfer_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
