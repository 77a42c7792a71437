#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "tests/cpu/unicorn/system_trial.hpp"

namespace hyperstep::unicorn {
namespace {

constexpr unsigned general_protection = 13;

void note(std::string& text, const char* what, std::uint64_t unicorn, std::uint64_t ours) {
    char line[128];
    std::snprintf(
        line, sizeof line, "    %s: Unicorn %#" PRIx64 ", ours %#" PRIx64 "\n", what, unicorn, ours);
    text += line;
}

std::uint64_t quadword(const Trial& trial, std::uint64_t address) {
    std::uint64_t value = 0;
    if (address >= layout::begin && address + 8 <= layout::end)
        std::memcpy(&value, &trial.memory[address - layout::begin], 8);
    return value;
}

bool is_null(std::uint64_t selector) {
    return (selector & 0xfffc) == 0;
}

bool has_rex_w(const Trial& trial) {
    return trial.surroundings == Surroundings::long_64 && trial.code.front() == 0x48;
}

bool is_far_branch(const Trial& trial) {
    return trial.name == "JMP far" || trial.name == "CALL far" || trial.name == "RET far" ||
           trial.name == "IRET";
}

/// The operand of an instruction whose ModRM byte is the third: a register, or the word at layout::data.
std::uint64_t operand(const Trial& trial) {
    const std::uint8_t modrm = trial.code[2];
    return modrm >= 0xc0 ? trial.gpr[modrm & 7] : quadword(trial, layout::data);
}

/// LLDT and LTR in IA-32e mode: the base must be canonical, and the type in the upper half 0. SDM "LLDT",
/// "LTR"; "Segment Descriptor Tables in IA-32e Mode".
bool is_wrong_upper_half(const Trial& trial, std::uint64_t selector) {
    if (trial.surroundings != Surroundings::long_64) return false;
    const std::uint64_t upper = quadword(trial, layout::gdt + (selector & 0xfff8) + 8);
    const std::uint64_t base_63_47 = (upper & 0xffff'ffff) >> 15;
    return (upper >> 40 & 0x1f) != 0 || (base_63_47 != 0 && base_63_47 != 0x1'ffff);
}

std::uint64_t operand_bytes(const Trial& trial) {
    const bool bits_16 =
        trial.surroundings == Surroundings::real || trial.surroundings == Surroundings::protected_16;
    if (has_rex_w(trial)) return 8;
    return (trial.code.front() == 0x66) != bits_16 ? 2 : 4;
}

/// The code segment that a far branch goes to, if its selector is of the GDT.
std::uint64_t target_descriptor(const Trial& trial) {
    const bool returns = trial.name == "RET far" || trial.name == "IRET";
    const std::uint64_t pointer = (returns ? layout::stack : layout::data) + operand_bytes(trial);
    const std::uint64_t selector = quadword(trial, pointer) & 0xfffc;
    return (selector & 4) == 0 && selector < selector::end ? quadword(trial, layout::gdt + selector) : 0;
}

/// "If the L bit and the D bit of the code segment are both set", in IA-32e mode. SDM "JMP", "CALL", "RET",
/// "IRET".
bool is_both_long_and_default(const Trial& trial) {
    return trial.surroundings == Surroundings::long_64 && is_far_branch(trial) &&
           (target_descriptor(trial) >> 53 & 3) == 3;
}

/// A check that Unicorn leaves out: it completes what the manual, and we, answer with #GP.
bool is_unchecked_by_unicorn(const Trial& trial) {
    // "#GP(0) if the source operand contains a NULL segment selector." SDM "LTR".
    if (trial.name == "LTR") return is_null(operand(trial)) || is_wrong_upper_half(trial, operand(trial));
    if (trial.name == "LLDT") return is_wrong_upper_half(trial, operand(trial));
    // Bits 63:32 of IA32_FMASK are reserved. SDM "System-Call Flag Mask Register".
    if (trial.name == "WRMSR") return trial.gpr[1] == 0xc000'0084 && (trial.gpr[2] & 0xffff'ffff) != 0;
    if (trial.surroundings != Surroundings::long_64) return false;
    // A null SS needs RPL = CPL. SDM "MOV", 64-Bit Mode Exceptions.
    if (trial.name == "MOV to Sreg") {
        const std::uint8_t modrm = trial.code[1];
        const std::uint64_t selector = modrm >= 0xc0 ? trial.gpr[modrm & 7] : quadword(trial, layout::data);
        return (modrm >> 3 & 7) == 2 && is_null(selector) && (selector & 3) != 0;
    }
    if (trial.name == "LES, LDS, LSS, LFS, LGS") {
        const std::uint64_t selector = quadword(trial, layout::data + operand_bytes(trial));
        const bool is_lss = trial.code[trial.code.front() == 0x66 ? 2 : 1] == 0xb2;
        return is_lss && is_null(selector) && (selector & 3) != 0;
    }
    // A null SS is for 64-bit mode only, not for the compatibility mode that IRET returns to, and needs
    // RPL = CPL. SDM "IRET".
    if (trial.name == "IRET") {
        const std::uint64_t stack = quadword(trial, layout::stack + 4 * operand_bytes(trial));
        if (is_null(stack)) return (target_descriptor(trial) >> 53 & 1) == 0 || (stack & 3) != 0;
    }
    return false;
}

/// Where Unicorn's whole outcome says nothing.
bool is_inexact(const Trial& trial, const Result& unicorn, const Result& ours) {
    // With REX.W they load m16:64 on Intel's processors, m16:32 on AMD's and Unicorn's. SDM "LDS/LES/...".
    if (trial.name == "LES, LDS, LSS, LFS, LGS" && has_rex_w(trial)) return true;
    // An absent SS of IRET from 64-bit mode is #SS(selector); Unicorn has #NP. SDM "IRET".
    if (unicorn.vector == 11 && ours.vector == 12) {
        const std::uint64_t stack = quadword(trial, layout::stack + 4 * operand_bytes(trial)) & 0xfff8;
        return trial.name == "IRET" && trial.surroundings == Surroundings::long_64 && stack < selector::end &&
               (quadword(trial, layout::gdt + stack) >> 47 & 1) == 0;
    }
    if (ours.vector == general_protection && is_both_long_and_default(trial)) return true;
    return unicorn.vector == Result::no_fault && ours.vector == general_protection &&
           is_unchecked_by_unicorn(trial);
}

/// Bits of a register that the manual leaves undefined, or that Unicorn keeps wrong.
std::uint64_t ignored_bits(const Trial& trial, std::string_view name) {
    const bool is_gpr = name.front() == 'R' && name != "RIP" && name != "RFLAGS";
    // Bits 19:16 are undefined. SDM "LAR".
    if (trial.name == "LAR" && is_gpr) return 0xf'0000;
    // Into a register of 32 bits: the upper 16 are undefined. SDM "SMSW".
    if (trial.name == "SMSW" && is_gpr && trial.surroundings != Surroundings::long_64) return 0xffff'0000;
    // Bit 12 of DR6 is always 0; Unicorn stores what is written. SDM "Debug Status Register (DR6)".
    if (name == "DR6") return 0x1000;
    return 0;
}

/// Unicorn stops before an instruction with its linear address in the place of RIP; and it adds the base of
/// CS in 64-bit mode, where it is taken as 0. SDM "Segmentation in IA-32e Mode".
bool is_linear_rip(const Trial& trial, const Value& own, const Value& theirs, const Result& ours) {
    const std::uint64_t mask = trial.surroundings == Surroundings::real ? 0xffff : 0xffff'ffff;
    return own.name == std::string_view{"RIP"} && ours.code_base != 0 &&
           ((own.value + ours.code_base - theirs.value) & mask) == 0;
}

/// Unicorn does not set the accessed bit of a code segment that a far branch loads. SDM "Code- and
/// Data-Segment Descriptor Types": it is set whenever the selector is loaded.
std::uint8_t ignored_memory_bits(const Trial& trial, std::uint64_t address) {
    const bool is_type = address >= layout::gdt && address < layout::gdt + selector::end && address % 8 == 5;
    return is_type && is_far_branch(trial) ? 1 : 0;
}

}  // namespace

std::string difference(const Trial& trial, const Result& unicorn, const Result& ours) {
    std::string text;
    if (is_inexact(trial, unicorn, ours)) return text;
    if (unicorn.vector != ours.vector) note(text, "vector", unicorn.vector, ours.vector);
    for (std::size_t i = 0; i < ours.registers.size(); ++i) {
        const Value &theirs = unicorn.registers[i], &own = ours.registers[i];
        const std::uint64_t bits = ~ignored_bits(trial, own.name);
        if (((theirs.value ^ own.value) & bits) != 0 && !is_linear_rip(trial, own, theirs, ours))
            note(text, own.name, theirs.value, own.value);
    }
    for (std::size_t i = 0; i < ours.memory.size(); ++i)
        if (((unicorn.memory[i] ^ ours.memory[i]) & ~ignored_memory_bits(trial, layout::begin + i)) != 0) {
            const std::string where = "byte " + std::to_string(layout::begin + i);
            note(text, where.c_str(), unicorn.memory[i], ours.memory[i]);
            break;
        }
    return text;
}

}  // namespace hyperstep::unicorn
