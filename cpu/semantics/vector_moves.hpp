#pragma once
#include "cpu/families.hpp"
#include "cpu/packed.hpp"
#include "cpu/packed_forms.hpp"

// Moves between vector registers, memory and general registers: of SSE and of VEX. SDM volume 2, by name.
namespace hyperstep::cpu::vector_moves {

/// A whole register: MOVAPS, MOVUPS and what is the same.
template <Encoding encoding, unsigned bytes, Alignment alignment>
struct Whole {
    static Outcome from_register(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        set_vector<encoding, bytes>(cpu.state, op.reg[0], vector_register<bytes>(cpu.state, op.reg[1]));
        return {};
    }
    static Outcome from_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        const auto value = load_packed<bytes, alignment>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        set_vector<encoding, bytes>(cpu.state, op.reg[0], *value);
        return {};
    }
    static Outcome to_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        return store_packed<bytes, alignment>(cpu, op, vector_register<bytes>(cpu.state, op.reg[1]));
    }
    static Handler select(const Form& form) {
        if (form.kind[0] == OperandKind::memory) return to_memory;
        return form.kind[1] == OperandKind::memory ? from_memory : from_register;
    }
};
template <Alignment alignment>
Handler whole_sse(const Form& form) {
    return Whole<Encoding::sse, 16, alignment>::select(form);
}
template <Alignment alignment>
Handler whole_vex(const Form& form) {
    if (on_ymm(form)) return Whole<Encoding::vex, 32, alignment>::select(form);
    return Whole<Encoding::vex, 16, alignment>::select(form);
}
/// VMOVNTDQA, whose two widths are of different features.
template <unsigned bytes>
Handler whole_vex_aligned(const Form& form) {
    if (on_ymm(form) != (bytes == 32)) return nullptr;
    return Whole<Encoding::vex, bytes, Alignment::natural>::select(form);
}

/// MOVSS, MOVSD: between registers the lowest lane is replaced; from memory the rest is cleared.
template <Encoding encoding, class T>
struct Scalar {
    static Outcome from_registers(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        auto lanes = lanes_of<T>(xmm(cpu.state, first_source<encoding>(op)));
        lanes[0] = lanes_of<T>(xmm(cpu.state, op.reg[second_source<encoding>]))[0];
        set_xmm<encoding>(cpu.state, op.reg[0], pack(lanes));
        return {};
    }
    static Outcome from_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        const auto value = load_operand<T>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        set_xmm<encoding>(cpu.state, op.reg[0], {*value, 0});
        return {};
    }
    static Outcome to_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        return store_operand<T>(cpu, op, static_cast<T>(xmm(cpu.state, op.reg[1])[0]));
    }
    static Handler select(const Form& form) {
        if (form.kind[0] == OperandKind::memory) return to_memory;
        return form.kind[1] == OperandKind::memory ? from_memory : from_registers;
    }
};

/// MOVLPS, MOVHPS and their kin: quadword `to` of the result is quadword `from` of a register, or memory; the
/// other is the first source's. The store is of quadword `to`.
template <Encoding encoding, unsigned to, unsigned from>
struct Half {
    static Outcome from_register(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        return replace(cpu, op, xmm(cpu.state, op.reg[second_source<encoding>])[from]);
    }
    static Outcome from_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        const auto value = load_operand<std::uint64_t>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        return replace(cpu, op, *value);
    }
    static Outcome to_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        return store_operand<std::uint64_t>(cpu, op, xmm(cpu.state, op.reg[1])[to]);
    }
    static Handler select(const Form& form) {
        if (form.kind[0] == OperandKind::memory) return to_memory;
        return (form.flags & op_flag::has_memory) != 0 ? from_memory : from_register;
    }

private:
    static Outcome replace(Cpu& cpu, const Op& op, std::uint64_t value) {
        auto result = xmm(cpu.state, first_source<encoding>(op));
        result[to] = value;
        set_xmm<encoding>(cpu.state, op.reg[0], result);
        return {};
    }
};

/// MOVD, MOVQ: the low T, the rest of the register cleared.
template <Encoding encoding, class T>
struct Low {
    static Outcome from_gpr_or_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        T value = read_gpr<T>(cpu.state, op.reg[1]);
        if (op.has(op_flag::has_memory)) {
            const auto loaded = load_operand<T>(cpu, op);
            if (!loaded) return tl::unexpected{loaded.error()};
            value = *loaded;
        }
        set_xmm<encoding>(cpu.state, op.reg[0], {value, 0});
        return {};
    }
    static Outcome to_gpr_or_memory(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        const T value = static_cast<T>(xmm(cpu.state, op.reg[1])[0]);
        if (op.has(op_flag::has_memory)) return store_operand<T>(cpu, op, value);
        write_gpr<T>(cpu.state, op.reg[0], value);
        return {};
    }
    static Outcome between(Cpu& cpu, const Op& op) {
        HS_TRY(check<encoding>(cpu));
        set_xmm<encoding>(cpu.state, op.reg[0], {xmm(cpu.state, op.reg[1])[0], 0});
        return {};
    }
    static Handler select(const Form& form) {
        using enum OperandKind;
        if (form.is(xmm, xmm)) return between;
        if (form.is(xmm)) return from_gpr_or_memory;
        return form.kind[1] == xmm ? to_gpr_or_memory : nullptr;
    }
};

/// A row for each, of the mnemonics of one encoding.
template <class Operation>
Handler select(const Form& form) {
    return Operation::select(form);
}

}  // namespace hyperstep::cpu::vector_moves
