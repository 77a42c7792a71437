#include <Zydis/Mnemonic.h>

#include "cpu/control_registers.hpp"
#include "cpu/cpuid.hpp"
#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/msrs.hpp"
#include "cpu/operands.hpp"
#include "cpu/privilege.hpp"
#include "cpu/xsave.hpp"

// CPUID, model-specific registers, counters, random numbers, XCR0 and PKRU.
namespace hyperstep::cpu {
namespace {

std::uint32_t low_half(const State& state, Gpr name) {
    return static_cast<std::uint32_t>(state.gpr[name]);
}
std::uint64_t edx_eax(const State& state) {
    return static_cast<std::uint64_t>(low_half(state, rdx)) << 32 | low_half(state, rax);
}
void set_edx_eax(State& state, std::uint64_t value) {
    state.gpr[rax] = value & 0xffff'ffff;
    state.gpr[rdx] = value >> 32;
}

Outcome identify(Cpu& cpu, const Op& op) {
    HS_TRY(intercept(cpu, InterceptPoint::cpuid, {.op = &op}));
    const CpuidLeaf leaf = cpuid(cpu, low_half(cpu.state, rax), low_half(cpu.state, rcx));
    cpu.state.gpr[rax] = leaf.eax;
    cpu.state.gpr[rbx] = leaf.ebx;
    cpu.state.gpr[rcx] = leaf.ecx;
    cpu.state.gpr[rdx] = leaf.edx;
    return {};
}

Outcome read_model_specific(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    const std::uint32_t index = low_half(cpu.state, rcx);
    HS_TRY(intercept(cpu, InterceptPoint::rdmsr, {.op = &op, .index = index, .is_read = true}));
    const auto value = read_msr(cpu, index);
    if (!value) return tl::unexpected{value.error()};
    set_edx_eax(cpu.state, *value);
    return {};
}

Outcome write_model_specific(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    const std::uint32_t index = low_half(cpu.state, rcx);
    const std::uint64_t value = edx_eax(cpu.state);
    HS_TRY(intercept(cpu, InterceptPoint::wrmsr, {.op = &op, .value = value, .index = index}));
    return write_msr(cpu, index, value);
}

// ---- counters ---------------------------------------------------------------------------------------------

Outcome check_time_stamp_disable(const Cpu& cpu) {
    if (cpu.cpl != 0 && cpu.cr4()[Cr4::tsd]) return general_protection();
    return {};
}

Outcome read_time_stamp(Cpu& cpu, const Op& op) {
    HS_TRY(check_time_stamp_disable(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::rdtsc, {.op = &op}));
    set_edx_eax(cpu.state, read_time_stamp_counter(cpu));
    return {};
}

Outcome read_time_stamp_and_aux(Cpu& cpu, const Op& op) {
    HS_TRY(check_time_stamp_disable(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::rdtscp, {.op = &op}));
    set_edx_eax(cpu.state, read_time_stamp_counter(cpu));
    cpu.state.gpr[rcx] = cpu.state.msr.tsc_aux & 0xffff'ffff;
    return {};
}

/// CPUID leaf 0AH announces no counter, so that there is none to be read.
Outcome read_performance_counter(Cpu& cpu, const Op& op) {
    if (cpu.cpl != 0 && !cpu.cr4()[Cr4::pce]) return general_protection();
    HS_TRY(intercept(cpu, InterceptPoint::rdpmc, {.op = &op, .index = low_half(cpu.state, rcx)}));
    return general_protection();
}

Outcome read_processor_id(Cpu& cpu, const Op& op) {
    write_sized(cpu.state, op.reg[0], cpu.mode == Mode::long_64 ? 8 : 4, cpu.state.msr.tsc_aux);
    return {};
}

// ---- random numbers ---------------------------------------------------------------------------------------

/// Model: a number is always ready. It is a function of State::random, which counts up by an odd constant and
/// is mixed (the generator "splitmix64"), so that a run with the same seed repeats.
std::uint64_t next_random(State& state) {
    state.random += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t mixed = state.random;
    mixed = (mixed ^ mixed >> 30) * 0xbf58'476d'1ce4'e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d0'49bb'1331'11eb;
    return mixed ^ mixed >> 31;
}

template <InterceptPoint point>
Outcome give_random(Cpu& cpu, const Op& op) {
    HS_TRY(intercept(cpu, point, {.op = &op}));
    write_sized(cpu.state, op.reg[0], op.operand_bytes, next_random(cpu.state));
    cpu.state.rflags = with_status(cpu.state.rflags, flag::cf);
    return {};
}

// ---- XCR0 and PKRU ----------------------------------------------------------------------------------------

Outcome get_extended_control(Cpu& cpu, const Op& /*op*/) {
    if (!cpu.cr4()[Cr4::osxsave]) return undefined_opcode();
    const std::uint32_t index = low_half(cpu.state, rcx);
    if (index > 1 || (index == 1 && !cpu.model.has(Feature::xgetbv_ecx_1))) return general_protection();
    set_edx_eax(cpu.state, index == 0 ? cpu.state.xcr0 : cpu.state.xcr0 & components_in_use(cpu.state));
    return {};
}

Outcome set_extended_control(Cpu& cpu, const Op& op) {
    if (!cpu.cr4()[Cr4::osxsave]) return undefined_opcode();
    HS_TRY(require_most_privileged(cpu));
    HS_TRY(intercept(cpu,
                     InterceptPoint::xsetbv,
                     {.op = &op, .value = edx_eax(cpu.state), .index = low_half(cpu.state, rcx)}));
    if (low_half(cpu.state, rcx) != 0) return general_protection();
    return write_xcr0(cpu, edx_eax(cpu.state));
}

Outcome read_user_keys(Cpu& cpu, const Op& /*op*/) {
    if (!cpu.cr4()[Cr4::pke]) return undefined_opcode();
    if (low_half(cpu.state, rcx) != 0) return general_protection();
    set_edx_eax(cpu.state, cpu.state.pkru);
    return {};
}

Outcome write_user_keys(Cpu& cpu, const Op& /*op*/) {
    if (!cpu.cr4()[Cr4::pke]) return undefined_opcode();
    if (low_half(cpu.state, rcx) != 0 || low_half(cpu.state, rdx) != 0) return general_protection();
    cpu.state.pkru = low_half(cpu.state, rax);
    refresh(cpu);
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_CPUID, Feature::always, only<identify>},
    {ZYDIS_MNEMONIC_RDMSR, Feature::msr, only<read_model_specific>},
    {ZYDIS_MNEMONIC_WRMSR, Feature::msr, only<write_model_specific>, Flow::ends},
    {ZYDIS_MNEMONIC_RDTSC, Feature::tsc, only<read_time_stamp>},
    {ZYDIS_MNEMONIC_RDTSCP, Feature::rdtscp, only<read_time_stamp_and_aux>},
    {ZYDIS_MNEMONIC_RDPMC, Feature::always, only<read_performance_counter>},
    {ZYDIS_MNEMONIC_RDPID, Feature::rdpid, only<read_processor_id>},
    {ZYDIS_MNEMONIC_RDRAND, Feature::rdrand, only<give_random<InterceptPoint::rdrand>>},
    {ZYDIS_MNEMONIC_RDSEED, Feature::rdseed, only<give_random<InterceptPoint::rdseed>>},
    {ZYDIS_MNEMONIC_XGETBV, Feature::xsave, only<get_extended_control>},
    {ZYDIS_MNEMONIC_XSETBV, Feature::xsave, only<set_extended_control>, Flow::ends},
    {ZYDIS_MNEMONIC_RDPKRU, Feature::pku, only<read_user_keys>},
    {ZYDIS_MNEMONIC_WRPKRU, Feature::pku, only<write_user_keys>, Flow::ends},
};

}  // namespace

std::span<const Row> processor_information_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
