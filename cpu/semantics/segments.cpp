#include <Zydis/Mnemonic.h>
#include <array>

#include "cpu/descriptors.hpp"
#include "cpu/families.hpp"
#include "cpu/operands.hpp"
#include "cpu/segment_loads.hpp"

// Segment registers: MOV, POP, LDS and its like, and the bases of FS and GS.
namespace hyperstep::cpu {
namespace {

Outcome load_selector(Cpu& cpu, unsigned number, std::uint16_t selector) {
    const auto name = static_cast<SegmentName>(number);
    const auto segment = checked_segment(cpu, name, selector);
    if (!segment) return tl::unexpected{segment.error()};
    load_segment(cpu, name, *segment);
    return {};
}

/// After MOV and POP to SS, so that the stack pointer can follow undisturbed. SDM "Masking Exceptions and
/// Interrupts When Switching Stacks".
void begin_shadow_if_stack(Cpu& cpu, unsigned number) {
    if (number == ss) cpu.state.blocking.mov_ss = true;
}

Outcome mov_from_register(Cpu& cpu, const Op& op) {
    HS_TRY(load_selector(cpu, op.reg[0], read_gpr<std::uint16_t>(cpu.state, op.reg[1])));
    begin_shadow_if_stack(cpu, op.reg[0]);
    return {};
}

Outcome mov_from_memory(Cpu& cpu, const Op& op) {
    const auto selector = load_operand<std::uint16_t>(cpu, op);
    if (!selector) return tl::unexpected{selector.error()};
    HS_TRY(load_selector(cpu, op.reg[0], *selector));
    begin_shadow_if_stack(cpu, op.reg[0]);
    return {};
}

Outcome mov_to_register(Cpu& cpu, const Op& op) {
    const std::uint16_t selector = cpu.state.segment[op.reg[1]].selector;
    if (op.operand_bytes == 2)
        write_gpr<std::uint16_t>(cpu.state, op.reg[0], selector);
    else
        write_gpr<std::uint64_t>(cpu.state, op.reg[0], selector);
    return {};
}

Outcome mov_to_memory(Cpu& cpu, const Op& op) {
    return store_operand(cpu, op, cpu.state.segment[op.reg[1]].selector);
}

Handler select_load(const Form& form) {
    using enum OperandKind;
    if (form.is(segment, gpr)) return mov_from_register;
    if (form.is(segment, memory)) return mov_from_memory;
    return nullptr;
}

Handler select_store(const Form& form) {
    using enum OperandKind;
    if (form.is(gpr, segment)) return mov_to_register;
    if (form.is(memory, segment)) return mov_to_memory;
    return nullptr;
}

template <class T>
struct Pop {
    static Outcome run(Cpu& cpu, const Op& op) {
        const auto name = static_cast<SegmentName>(op.reg[0]);
        const auto value = peek<T>(cpu);
        if (!value) return tl::unexpected{value.error()};
        const auto segment = checked_segment(cpu, name, static_cast<std::uint16_t>(*value));
        if (!segment) return tl::unexpected{segment.error()};
        drop(cpu, sizeof(T));
        load_segment(cpu, name, *segment);
        begin_shadow_if_stack(cpu, name);
        return {};
    }
};

Handler select_pop(const Form& form) {
    return form.is(OperandKind::segment) ? by_operand_size<Pop>(form) : nullptr;
}

/// LDS, LES, LFS, LGS, LSS.
template <SegmentName name>
struct LoadPointer {
    template <class T>
    struct Sized {
        static Outcome run(Cpu& cpu, const Op& op) {
            const std::uint64_t offset = effective_offset(cpu, op);
            const auto pointer = load<T>(cpu, op.segment, offset);
            if (!pointer) return tl::unexpected{pointer.error()};
            const auto selector =
                load<std::uint16_t>(cpu, op.segment, (offset + sizeof(T)) & mask_of_bytes(op.address_bytes));
            if (!selector) return tl::unexpected{selector.error()};
            HS_TRY(load_selector(cpu, name, *selector));
            write_gpr<T>(cpu.state, op.reg[0], *pointer);
            return {};
        }
    };
};

/// Sets the base of FS or GS in 64-bit mode: nothing else that is derived depends on it.
void set_base(Cpu& cpu, unsigned number, std::uint64_t base) {
    cpu.state.segment[number].base = base;
    cpu.quick_base[number] = base;
}

Outcome swapgs(Cpu& cpu, const Op& /*op*/) {
    if (cpu.cpl != 0) return general_protection();
    const std::uint64_t before = cpu.state.segment[gs].base;
    set_base(cpu, gs, cpu.state.msr.kernel_gs_base);
    cpu.state.msr.kernel_gs_base = before;
    return {};
}

template <SegmentName name>
Outcome read_base(Cpu& cpu, const Op& op) {
    if (!cpu.cr4()[Cr4::fsgsbase]) return undefined_opcode();
    const std::uint64_t base = cpu.state.segment[name].base;
    write_sized(cpu.state, op.reg[0], op.operand_bytes, base);
    return {};
}

template <SegmentName name>
Outcome write_base(Cpu& cpu, const Op& op) {
    if (!cpu.cr4()[Cr4::fsgsbase]) return undefined_opcode();
    const std::uint64_t base = read_sized(cpu.state, op.reg[0], op.operand_bytes);
    if (!is_canonical(cpu, base)) return general_protection();
    set_base(cpu, name, base);
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOV, Feature::always, select_store},
    {ZYDIS_MNEMONIC_MOV, Feature::always, select_load, Flow::ends},
    {ZYDIS_MNEMONIC_POP, Feature::always, select_pop, Flow::ends},
    {ZYDIS_MNEMONIC_LES, Feature::always, by_operand_size<LoadPointer<es>::Sized>, Flow::ends},
    {ZYDIS_MNEMONIC_LSS, Feature::always, by_operand_size<LoadPointer<ss>::Sized>, Flow::ends},
    {ZYDIS_MNEMONIC_LDS, Feature::always, by_operand_size<LoadPointer<ds>::Sized>, Flow::ends},
    {ZYDIS_MNEMONIC_LFS, Feature::always, by_operand_size<LoadPointer<fs>::Sized>, Flow::ends},
    {ZYDIS_MNEMONIC_LGS, Feature::always, by_operand_size<LoadPointer<gs>::Sized>, Flow::ends},
    {ZYDIS_MNEMONIC_SWAPGS, Feature::always, only<swapgs>},
    {ZYDIS_MNEMONIC_RDFSBASE, Feature::fsgsbase, only<read_base<fs>>},
    {ZYDIS_MNEMONIC_RDGSBASE, Feature::fsgsbase, only<read_base<gs>>},
    {ZYDIS_MNEMONIC_WRFSBASE, Feature::fsgsbase, only<write_base<fs>>},
    {ZYDIS_MNEMONIC_WRGSBASE, Feature::fsgsbase, only<write_base<gs>>},
};

}  // namespace

std::span<const Row> segments_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
