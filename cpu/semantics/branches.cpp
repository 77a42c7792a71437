#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"

// Near branches, calls and returns.
namespace hyperstep::cpu {
namespace {

/// Lets the instruction go on at `target`, wrapped at the operand size. #GP(0) if it is beyond the limit of
/// CS or not canonical: the branch itself faults, before anything of it is done.
Expected<std::uint64_t> checked_target(const Cpu& cpu, const Op& op, std::uint64_t target) {
    target &= mask_of_bytes(op.operand_bytes);
    if (cpu.mode == Mode::long_64) {
        if (!is_canonical(cpu, target)) return general_protection();
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
};

}  // namespace

std::span<const Row> branches_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
