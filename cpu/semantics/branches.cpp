#include <Zydis/Mnemonic.h>

#include "cpu/semantics/forms.hpp"

// Near branches, calls and returns.
namespace hyperstep::cpu {
namespace {

/// Lets the instruction go on at `target`, wrapped at the operand size. #GP(0) if it is beyond the limit of
/// CS or not canonical: the branch itself faults, before anything of it is done.
Expected<std::uint64_t> checked_target(const Cpu& cpu, const Op& op, std::uint64_t target) {
    target &= mask_of_bytes(op.operand_bytes);
    if (cpu.mode == Mode::long_64) {
        // Canonical with 48 bits is canonical with 57 too.
        const bool plainly_canonical = (target + (1ULL << 47)) >> 48 == 0;
        if (!plainly_canonical && !is_canonical(cpu, target)) return general_protection();
    } else if (target > cpu.state.segment[cs].limit) {
        return general_protection();
    }
    return target;
}

Outcome jump_to(Cpu& cpu, const Op& op, std::uint64_t target) {
    const auto checked = checked_target(cpu, op, target);
    if (!checked) return tl::unexpected{checked.error()};
    cpu.next_rip = *checked;
    return {};
}

Outcome jump_relative(Cpu& cpu, const Op& op) {
    return jump_to(cpu, op, cpu.next_rip + op.immediate);
}

template <unsigned code>
Outcome jump_if(Cpu& cpu, const Op& op) {
    if (!condition_holds(code, cpu.state.rflags)) return {};
    return jump_relative(cpu, op);
}

/// The counter is CX, ECX or RCX by the address size. It changes only if the branch does not fault.
enum class LoopCondition : std::uint8_t { always, equal, not_equal };
template <LoopCondition condition>
Outcome loop(Cpu& cpu, const Op& op) {
    const std::uint64_t count = (cpu.state.gpr[rcx] - 1) & mask_of_bytes(op.address_bytes);
    const bool zf = (cpu.state.rflags & flag::zf) != 0;
    const bool holds = condition == LoopCondition::always || zf == (condition == LoopCondition::equal);
    if (count != 0 && holds) HS_TRY(jump_relative(cpu, op));
    write_sized(cpu.state, rcx, op.address_bytes, count);
    return {};
}

/// Undocumented; processors do it: F3 makes LOOPNE a LOOPE, F2 makes LOOPE a LOOPNE.
template <LoopCondition condition>
Handler select_loop(const Form& form) {
    if ((form.flags & op_flag::rep) != 0) return loop<LoopCondition::equal>;
    if ((form.flags & op_flag::repne) != 0) return loop<LoopCondition::not_equal>;
    return loop<condition>;
}

Outcome jump_if_count_zero(Cpu& cpu, const Op& op) {
    return read_sized(cpu.state, rcx, op.address_bytes) == 0 ? jump_relative(cpu, op) : Outcome{};
}

template <class T, OperandKind from>
Outcome jump_indirect(Cpu& cpu, const Op& op) {
    const auto target = operand<T, from, 0>(cpu, op);
    if (!target) return tl::unexpected{target.error()};
    return jump_to(cpu, op, *target);
}

template <class T>
Outcome call_to(Cpu& cpu, const Op& op, std::uint64_t target) {
    const auto checked = checked_target(cpu, op, target);
    if (!checked) return tl::unexpected{checked.error()};
    HS_TRY(push<T>(cpu, static_cast<T>(cpu.next_rip)));
    cpu.next_rip = *checked;
    return {};
}
template <class T>
Outcome call_relative(Cpu& cpu, const Op& op) {
    return call_to<T>(cpu, op, cpu.next_rip + op.immediate);
}
template <class T, OperandKind from>
Outcome call_indirect(Cpu& cpu, const Op& op) {
    const auto target = operand<T, from, 0>(cpu, op);
    if (!target) return tl::unexpected{target.error()};
    return call_to<T>(cpu, op, *target);
}

/// The immediate, if there is one, is the number of bytes of parameters to release.
template <class T>
Outcome return_near(Cpu& cpu, const Op& op) {
    const auto target = peek<T>(cpu);
    if (!target) return tl::unexpected{target.error()};
    HS_TRY(jump_to(cpu, op, *target));
    drop(cpu, sizeof(T) + (op.immediate & 0xffff));
    return {};
}

/// FF /3 and /5 are far: not of this family.
bool is_far_indirect(const Form& form) {
    const unsigned extension = form.modrm >> 3 & 7;
    return form.opcode == 0xff && (extension & 1) != 0;
}

Handler select_jmp(const Form& form) {
    if (form.is(OperandKind::relative)) return jump_relative;
    if (is_far_indirect(form)) return nullptr;
    return by_word_bytes(form.operand_bytes, [&](auto size) {
        return by_location(form.kind[0], [](auto from) -> Handler {
            return jump_indirect<decltype(size), decltype(from)::value>;
        });
    });
}
Handler select_call(const Form& form) {
    return by_word_bytes(form.operand_bytes, [&](auto size) -> Handler {
        if (form.is(OperandKind::relative)) return call_relative<decltype(size)>;
        if (is_far_indirect(form)) return nullptr;
        return by_location(form.kind[0], [](auto from) -> Handler {
            return call_indirect<decltype(size), decltype(from)::value>;
        });
    });
}
Handler select_ret(const Form& form) {
    if (form.opcode != 0xc2 && form.opcode != 0xc3) return nullptr;  // far
    return by_word_bytes(form.operand_bytes,
                         [](auto size) -> Handler { return return_near<decltype(size)>; });
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_JO, Feature::always, only<jump_if<0>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNO, Feature::always, only<jump_if<1>>, Flow::ends},
    {ZYDIS_MNEMONIC_JB, Feature::always, only<jump_if<2>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNB, Feature::always, only<jump_if<3>>, Flow::ends},
    {ZYDIS_MNEMONIC_JZ, Feature::always, only<jump_if<4>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNZ, Feature::always, only<jump_if<5>>, Flow::ends},
    {ZYDIS_MNEMONIC_JBE, Feature::always, only<jump_if<6>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNBE, Feature::always, only<jump_if<7>>, Flow::ends},
    {ZYDIS_MNEMONIC_JS, Feature::always, only<jump_if<8>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNS, Feature::always, only<jump_if<9>>, Flow::ends},
    {ZYDIS_MNEMONIC_JP, Feature::always, only<jump_if<10>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNP, Feature::always, only<jump_if<11>>, Flow::ends},
    {ZYDIS_MNEMONIC_JL, Feature::always, only<jump_if<12>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNL, Feature::always, only<jump_if<13>>, Flow::ends},
    {ZYDIS_MNEMONIC_JLE, Feature::always, only<jump_if<14>>, Flow::ends},
    {ZYDIS_MNEMONIC_JNLE, Feature::always, only<jump_if<15>>, Flow::ends},
    {ZYDIS_MNEMONIC_JCXZ, Feature::always, only<jump_if_count_zero>, Flow::ends},
    {ZYDIS_MNEMONIC_JECXZ, Feature::always, only<jump_if_count_zero>, Flow::ends},
    {ZYDIS_MNEMONIC_JRCXZ, Feature::always, only<jump_if_count_zero>, Flow::ends},
    {ZYDIS_MNEMONIC_LOOP, Feature::always, only<loop<LoopCondition::always>>, Flow::ends},
    {ZYDIS_MNEMONIC_LOOPE, Feature::always, select_loop<LoopCondition::equal>, Flow::ends},
    {ZYDIS_MNEMONIC_LOOPNE, Feature::always, select_loop<LoopCondition::not_equal>, Flow::ends},
    {ZYDIS_MNEMONIC_JMP, Feature::always, select_jmp, Flow::ends},
    {ZYDIS_MNEMONIC_CALL, Feature::always, select_call, Flow::ends},
    {ZYDIS_MNEMONIC_RET, Feature::always, select_ret, Flow::ends},
};

}  // namespace

std::span<const Row> branches_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
