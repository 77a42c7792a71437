#include "tests/cpu/bare_machine.hpp"

#include <gtest/gtest.h>

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t code_type = 0x9b;  ///< present, execute/read, accessed
constexpr std::uint64_t data_type = 0x93;  ///< present, read/write, accessed
constexpr std::uint64_t db = 1 << 14, l = 1 << 13, g = 1 << 15;

Segment flat(std::uint16_t selector, std::uint64_t rights, unsigned dpl) {
    return {.selector = static_cast<std::uint16_t>(selector | dpl),
            .base = 0,
            .limit = 0xffff'ffff,
            .rights = {{rights | static_cast<std::uint64_t>(dpl) << 5 | g}}};
}

void set_flat_segments(State& state, std::uint64_t code_flags, unsigned dpl) {
    for (Segment& segment : state.segment) segment = flat(0x10, data_type | db, dpl);
    state.segment[cs] = flat(0x08, code_type | code_flags, dpl);
    state.ldtr.rights = {{1 << 16}};
    state.gpr[rsp] = BareMachine::stack;
    state.rip = BareMachine::code;
}

}  // namespace

BareMachine::BareMachine(const Model& model)
    : cpu{{.memory = memory, .time = time, .board = board, .blocks = blocks, .model = model}, 0} {
    if (!memory.add_ram(Hpa{0}, ram_bytes)) ADD_FAILURE() << "no RAM";
}

void BareMachine::enter_long_mode(unsigned cpl) {
    memory.write(Hpa{tables}, 8, (tables + 0x1000) | 7);
    memory.write(Hpa{tables + 0x1000}, 8, (tables + 0x2000) | 7);
    for (std::uint64_t i = 0; i < 512; ++i) memory.write(Hpa{tables + 0x2000 + i * 8}, 8, i << 21 | 0x87);
    set_flat_segments(cpu.state, l, cpl);
    cpu.state.cr0 = 0x8000'0033;
    cpu.state.cr3 = tables;
    cpu.state.cr4 = 0x6a0 & ~0x80ULL;
    cpu.state.msr.efer = 0xd01;
    refresh(cpu);
}

void BareMachine::enter_protected_32(unsigned cpl) {
    set_flat_segments(cpu.state, db, cpl);
    cpu.state.cr0 = 0x33;
    cpu.state.cr4 = 0x600;
    refresh(cpu);
}

void BareMachine::enter_protected_16() {
    set_flat_segments(cpu.state, 0, 0);
    cpu.state.segment[ss].rights = {{data_type}};
    cpu.state.segment[ss].limit = 0xffff;
    cpu.state.gpr[rsp] = 0x8000;
    cpu.state.cr0 = 0x33;
    cpu.state.cr4 = 0x600;
    refresh(cpu);
}

void BareMachine::enter_real_mode() {
    for (Segment& segment : cpu.state.segment) segment = {.limit = 0xffff, .rights = {{data_type}}};
    cpu.state.segment[cs].selector = 0;
    cpu.state.segment[cs].base = code;
    cpu.state.gpr[rsp] = 0x8000;
    cpu.state.rip = 0;
    cpu.state.cr0 = 0x30;
    refresh(cpu);
}

void BareMachine::put(std::uint64_t address, std::span<const std::uint8_t> bytes) {
    EXPECT_TRUE(memory.write_bytes(Hpa{address}, std::as_bytes(bytes)));
}

Outcome BareMachine::run_code(std::initializer_list<std::uint8_t> bytes) {
    put(cpu.state.segment[cs].base + cpu.state.rip, bytes);
    return execute_one(cpu);
}

}  // namespace hyperstep::cpu
