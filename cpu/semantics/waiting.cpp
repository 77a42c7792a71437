#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/monitor.hpp"
#include "cpu/operands.hpp"
#include "cpu/privilege.hpp"

// HLT, PAUSE, MONITOR and MWAIT.
namespace hyperstep::cpu {
namespace {

Outcome halt(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::hlt, {.op = &op}));
    cpu.state.activity = Activity::halted;
    look_at_boundary(cpu);
    return {};
}

Outcome pause(Cpu& cpu, const Op& op) {
    return intercept(cpu, InterceptPoint::pause, {.op = &op});
}

/// SDM "MONITOR/MWAIT Instructions": #UD rather than #GP at a lower privilege level.
Outcome require_wait_instructions(const Cpu& cpu) {
    constexpr std::uint64_t enabled = 1 << 18;  // of IA32_MISC_ENABLE
    if (cpu.cpl != 0 || (cpu.state.msr.misc_enable & enabled) == 0) return undefined_opcode();
    return {};
}

/// The extensions: ECX, or RCX in 64-bit mode.
std::uint64_t extensions_of(const Cpu& cpu) {
    return read_sized(cpu.state, rcx, cpu.mode == Mode::long_64 ? 8 : 4);
}

Outcome monitor(Cpu& cpu, const Op& op) {
    HS_TRY(require_wait_instructions(cpu));
    const std::uint64_t offset = read_sized(cpu.state, rax, op.address_bytes);
    HS_TRY(intercept(cpu, InterceptPoint::monitor, {.op = &op, .address = offset}));
    if (extensions_of(cpu) != 0) return general_protection();
    const auto place = locate(cpu, op.segment, offset, 1, mmu::Access::read);
    if (!place) return tl::unexpected{place.error()};
    arm_monitor(cpu, place->first);
    return {};
}

/// Model: every hint is taken as the shallowest state, so that MWAIT waits like HLT, and a store to the page
/// of the monitored line ends the wait.
Outcome wait_for_store(Cpu& cpu, const Op& op) {
    constexpr std::uint64_t masked_interrupts_wake = 1;
    HS_TRY(require_wait_instructions(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::mwait, {.op = &op, .value = cpu.state.monitor.armed ? 1U : 0U}));
    const std::uint64_t extensions = extensions_of(cpu);
    if ((extensions & ~masked_interrupts_wake) != 0) return general_protection();
    if (!cpu.state.monitor.armed) return {};
    cpu.state.monitor.masked_interrupts_wake = extensions != 0;
    cpu.state.activity = Activity::mwait;
    look_at_boundary(cpu);
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_HLT, Feature::always, only<halt>, Flow::ends},
    {ZYDIS_MNEMONIC_PAUSE, Feature::always, only<pause>},
    {ZYDIS_MNEMONIC_MONITOR, Feature::monitor, only<monitor>, Flow::ends},
    {ZYDIS_MNEMONIC_MWAIT, Feature::monitor, only<wait_for_store>, Flow::ends},
};

}  // namespace

std::span<const Row> waiting_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
