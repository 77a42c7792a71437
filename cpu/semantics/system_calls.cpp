#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/operands.hpp"

// SYSCALL, SYSRET, SYSENTER, SYSEXIT: transfers to flat segments that no descriptor table describes.
namespace hyperstep::cpu {
namespace {

enum class CodeSize : std::uint8_t { bits_32, bits_64 };

/// Loads CS and SS with flat segments of level `cpl`. SDM "SYSCALL": the attributes do not come from a table.
void load_flat_segments(
    Cpu& cpu, std::uint64_t code_selector, std::uint64_t stack_selector, unsigned cpl, CodeSize size) {
    constexpr AccessRights code{{0x809b}}, stack{{0xc093}};  // G; the stack is of 32 bits
    const bool is_64 = size == CodeSize::bits_64;
    const auto with_level = [&](std::uint64_t selector) {
        return static_cast<std::uint16_t>((selector & 0xfffc) | cpl);
    };
    cpu.state.segment[cs] = {
        .selector = with_level(code_selector),
        .base = 0,
        .limit = 0xffff'ffff,
        .rights =
            code.with(AccessRights::dpl, cpl).with(AccessRights::l, is_64).with(AccessRights::db, !is_64)};
    cpu.state.segment[ss] = {.selector = with_level(stack_selector),
                             .base = 0,
                             .limit = 0xffff'ffff,
                             .rights = stack.with(AccessRights::dpl, cpl)};
    refresh(cpu);
}

Outcome syscall(Cpu& cpu, const Op& /*op*/) {
    State& state = cpu.state;
    if (cpu.mode != Mode::long_64 || !cpu.efer()[Efer::sce]) return undefined_opcode();
    state.gpr[rcx] = cpu.next_rip;
    state.gpr[r11] = state.rflags & ~Rflags::rf.mask;
    cpu.next_rip = state.msr.lstar;
    state.rflags = (state.rflags & ~(state.msr.fmask | Rflags::rf.mask)) | Rflags::always_1.mask;
    // Whether a trap follows is decided by the flag that is left.
    cpu.single_step = cpu.single_step && cpu.rflags()[Rflags::tf];
    const std::uint64_t selector = state.msr.star >> 32 & 0xfffc;
    load_flat_segments(cpu, selector, selector + 8, 0, CodeSize::bits_64);
    return {};
}

Outcome sysret(Cpu& cpu, const Op& op) {
    State& state = cpu.state;
    if (cpu.mode != Mode::long_64 || !cpu.efer()[Efer::sce]) return undefined_opcode();
    if (cpu.cpl != 0) return general_protection();
    const bool is_64 = op.operand_bytes == 8;
    const std::uint64_t target = read_sized(state, rcx, op.operand_bytes);
    // At CPL 0, with the program's stack pointer.
    if (!is_canonical(cpu, target)) return general_protection();
    constexpr std::uint64_t loadable = 0x3c'7fd7;
    state.rflags = (state.gpr[r11] & loadable) | Rflags::always_1.mask;
    cpu.next_rip = target;
    const std::uint64_t selector = state.msr.star >> 48;
    const CodeSize size = is_64 ? CodeSize::bits_64 : CodeSize::bits_32;
    load_flat_segments(cpu, selector + (is_64 ? 16 : 0), selector + 8, 3, size);
    return {};
}

bool has_sysenter_segments(const Cpu& cpu) {
    return (cpu.state.msr.sysenter_cs & 0xfffc) != 0;
}

Outcome sysenter(Cpu& cpu, const Op& /*op*/) {
    State& state = cpu.state;
    if (cpu.mode == Mode::real || !has_sysenter_segments(cpu)) return general_protection();
    const bool is_ia32e = cpu.efer()[Efer::lma];
    const std::uint64_t mask = is_ia32e ? ~0ULL : 0xffff'ffff;
    state.rflags &= ~(Rflags::vm.mask | Rflags::if_.mask | Rflags::rf.mask);
    state.gpr[rsp] = state.msr.sysenter_esp & mask;
    cpu.next_rip = state.msr.sysenter_eip & mask;
    const std::uint64_t selector = state.msr.sysenter_cs & 0xfffc;
    const CodeSize size = is_ia32e ? CodeSize::bits_64 : CodeSize::bits_32;
    load_flat_segments(cpu, selector, selector + 8, 0, size);
    return {};
}

Outcome sysexit(Cpu& cpu, const Op& op) {
    State& state = cpu.state;
    if (cpu.mode == Mode::real || cpu.cpl != 0 || !has_sysenter_segments(cpu)) return general_protection();
    const bool is_64 = op.operand_bytes == 8;
    const unsigned bytes = is_64 ? 8 : 4;
    const std::uint64_t target = read_sized(state, rdx, bytes);
    const std::uint64_t stack = read_sized(state, rcx, bytes);
    if (!is_canonical(cpu, target) || !is_canonical(cpu, stack)) return general_protection();
    cpu.next_rip = target;
    state.gpr[rsp] = stack;
    const std::uint64_t selector = (state.msr.sysenter_cs & 0xfffc) + (is_64 ? 32 : 16);
    const CodeSize size = is_64 ? CodeSize::bits_64 : CodeSize::bits_32;
    load_flat_segments(cpu, selector, selector + 8, 3, size);
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_SYSCALL, Feature::syscall, only<syscall>, Flow::ends},
    {ZYDIS_MNEMONIC_SYSRET, Feature::syscall, only<sysret>, Flow::ends},
    {ZYDIS_MNEMONIC_SYSENTER, Feature::sep, only<sysenter>, Flow::ends},
    {ZYDIS_MNEMONIC_SYSEXIT, Feature::sep, only<sysexit>, Flow::ends},
};

}  // namespace

std::span<const Row> system_calls_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
