#include "tests/cpu/unicorn/our_system_processor.hpp"

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

namespace hyperstep::unicorn {
namespace {

using namespace hyperstep::cpu;

constexpr std::uint64_t code_rights = 0x9b, data_rights = 0x93, l = 1 << 13, db = 1 << 14, g = 1 << 15;

void enter(BareMachine& machine, const Trial& trial) {
    machine.put(layout::begin, trial.memory);
    if (trial.surroundings == Surroundings::long_64) machine.enter_long_mode();
    State state = state_after_reset(0);
    state.gpr = trial.gpr;
    if (trial.surroundings != Surroundings::long_64)
        for (std::uint64_t& value : state.gpr) value &= 0xffff'ffff;
    state.rip = layout::code;
    state.rflags = trial.rflags;
    state.gdtr = {layout::gdt, table_limit};
    state.idtr = {0, 0x3ff};
    state.cr0 = first_cr0(trial.surroundings);
    state.cr4 = first_cr4(trial.surroundings);
    state.ldtr = {.selector = 0, .base = 0, .limit = 0, .rights = {{1 << 16}}};
    state.tr = {.selector = 0, .base = 0, .limit = 0, .rights = {{0x8b}}};
    const bool real = trial.surroundings == Surroundings::real;
    const bool bits_16 = real || trial.surroundings == Surroundings::protected_16;
    const std::uint64_t size = bits_16 ? 0 : db | g;
    const std::uint32_t limit = bits_16 ? 0xffff : 0xffff'ffff;
    for (Segment& segment : state.segment)
        segment = {.selector = real ? std::uint16_t{0} : selector::stack,
                   .base = 0,
                   .limit = limit,
                   .rights = {{data_rights | size}}};
    state.segment[cs].selector = real ? std::uint16_t{0} : selector::code;
    state.segment[cs].rights = {{code_rights | (trial.surroundings == Surroundings::long_64 ? l | g : size)}};
    if (real) state.segment[cs].rights = {{data_rights}};
    if (trial.surroundings == Surroundings::long_64) {
        state.cr3 = layout::page_tables;
        state.msr.efer = 0x500;
    }
    machine.cpu.state = state;
    refresh(machine.cpu);
}

std::vector<Value> registers_of(const State& state, Surroundings surroundings) {
    const bool is_64 = surroundings == Surroundings::long_64;
    std::vector<Value> values;
    for (std::size_t i = 0; i < (is_64 ? 16 : 8); ++i) values.push_back({gpr_names[i], state.gpr[i]});
    values.push_back({"RIP", state.rip});
    values.push_back({"RFLAGS", state.rflags});
    for (std::size_t i = 0; i < 6; ++i) values.push_back({segment_names[i], state.segment[i].selector});
    values.push_back({"CR0", state.cr0});
    values.push_back({"CR2", state.cr2});
    values.push_back({"CR3", state.cr3});
    values.push_back({"CR4", state.cr4});
    values.push_back({"DR0", state.dr[0]});
    values.push_back({"DR1", state.dr[1]});
    values.push_back({"DR2", state.dr[2]});
    values.push_back({"DR3", state.dr[3]});
    values.push_back({"DR6", state.dr6});
    values.push_back({"DR7", state.dr7});
    values.push_back({"GDTR base", state.gdtr.base});
    values.push_back({"GDTR limit", state.gdtr.limit});
    values.push_back({"IDTR base", state.idtr.base});
    values.push_back({"IDTR limit", state.idtr.limit});
    values.push_back({"LDTR", state.ldtr.selector});
    values.push_back({"LDTR base", state.ldtr.base});
    values.push_back({"LDTR limit", state.ldtr.limit});
    values.push_back({"TR", state.tr.selector});
    values.push_back({"TR base", state.tr.base});
    values.push_back({"TR limit", state.tr.limit});
    if (!is_64) return values;
    const std::array<std::uint64_t, compared_msrs.size()> msrs{state.msr.star,
                                                               state.msr.lstar,
                                                               state.msr.cstar,
                                                               state.msr.fmask,
                                                               state.segment[fs].base,
                                                               state.segment[gs].base,
                                                               state.msr.kernel_gs_base,
                                                               state.msr.sysenter_cs,
                                                               state.msr.sysenter_esp,
                                                               state.msr.sysenter_eip};
    for (std::size_t i = 0; i < msrs.size(); ++i) values.push_back({msr_names[i], msrs[i]});
    return values;
}

}  // namespace

Result run_on_ours(const Trial& trial) {
    static BareMachine machine;
    enter(machine, trial);
    Result result;
    if (const Outcome outcome = execute_one(machine.cpu); !outcome) {
        // A fault that is none of the architecture's is shown as a vector that no processor has.
        const Fault fault = outcome.error();
        result.vector = fault.kind == Fault::Kind::exception ? static_cast<unsigned>(fault.vector) : 0x101;
    }
    result.registers = registers_of(machine.cpu.state, trial.surroundings);
    result.code_base = machine.cpu.state.segment[cs].base;
    EXPECT_TRUE(
        machine.memory.read_bytes(Hpa{layout::begin}, std::as_writable_bytes(std::span{result.memory})));
    return result;
}

}  // namespace hyperstep::unicorn
