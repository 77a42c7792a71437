#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/cpu/native/trials.hpp"

// What an instruction of a system program can see and change: the common ground of Unicorn's processor and
// ours, at CPL 0.
namespace hyperstep::unicorn {

using native::Numbers;

enum class Surroundings : std::uint8_t { real, protected_16, protected_32, long_64, count };

/// Where things lie in physical memory, which is also their linear address and, in all segments that a trial
/// begins with, their offset.
namespace layout {
inline constexpr std::uint64_t ram_bytes = 16ULL << 20;
inline constexpr std::uint64_t begin = 0x1000;  ///< of what is compared
inline constexpr std::uint64_t code = 0x1000;
inline constexpr std::uint64_t data = 0x2000;
inline constexpr std::uint64_t gdt = 0x3000;
inline constexpr std::uint64_t stack = 0x4800;  ///< RSP: the operands of POP, RET and IRET
inline constexpr std::uint64_t end = 0x5000;
inline constexpr std::uint64_t page_tables = 0x40'0000;  ///< of 64-bit mode: 16 MiB as they are
}  // namespace layout

/// The descriptors of the GDT. From `varied` on they are random.
namespace selector {
inline constexpr std::uint16_t code = 0x08;   ///< of the trial's size
inline constexpr std::uint16_t stack = 0x10;  ///< of the trial's size, in all segment registers but CS
inline constexpr std::uint16_t other_code = 0x18;
inline constexpr std::uint16_t varied = 0x20;
inline constexpr std::uint16_t end = 0x80;
}  // namespace selector

constexpr std::uint16_t table_limit = selector::end - 1;

/// One instruction in its surroundings.
struct Trial {
    Surroundings surroundings = Surroundings::real;
    std::string name;
    std::vector<std::uint8_t> code;
    std::array<std::uint64_t, 16> gpr{};
    std::uint64_t rflags = 2;
    std::array<std::uint8_t, layout::end - layout::begin> memory{};
};

/// The registers that are compared, by name.
struct Value {
    const char* name;
    std::uint64_t value;
};

/// What came of it.
struct Result {
    static constexpr unsigned no_fault = 0x100;
    unsigned vector = no_fault;
    std::vector<Value> registers;
    std::uint64_t code_base = 0;  ///< of CS; of ours only
    std::array<std::uint8_t, layout::end - layout::begin> memory{};
};

/// An instruction of those that user programs may not execute or whose outcome is the operating system's.
Trial draw(Numbers& numbers);

/// What two results differ in, as text; empty: the same, but for what is known of Unicorn or undefined.
std::string difference(const Trial& trial, const Result& unicorn, const Result& ours);
std::string description(const Trial& trial);

/// Model-specific registers that are compared.
inline constexpr std::array<std::uint32_t, 10> compared_msrs{0xc000'0081,
                                                             0xc000'0082,
                                                             0xc000'0083,
                                                             0xc000'0084,
                                                             0xc000'0100,
                                                             0xc000'0101,
                                                             0xc000'0102,
                                                             0x174,
                                                             0x175,
                                                             0x176};
inline constexpr std::array<const char*, 10> msr_names{"IA32_STAR",
                                                       "IA32_LSTAR",
                                                       "IA32_CSTAR",
                                                       "IA32_FMASK",
                                                       "IA32_FS_BASE",
                                                       "IA32_GS_BASE",
                                                       "IA32_KERNEL_GS_BASE",
                                                       "IA32_SYSENTER_CS",
                                                       "IA32_SYSENTER_ESP",
                                                       "IA32_SYSENTER_EIP"};
inline constexpr std::array<const char*, 16> gpr_names{"RAX",
                                                       "RCX",
                                                       "RDX",
                                                       "RBX",
                                                       "RSP",
                                                       "RBP",
                                                       "RSI",
                                                       "RDI",
                                                       "R8",
                                                       "R9",
                                                       "R10",
                                                       "R11",
                                                       "R12",
                                                       "R13",
                                                       "R14",
                                                       "R15"};
inline constexpr std::array<const char*, 6> segment_names{"ES", "CS", "SS", "DS", "FS", "GS"};

/// CR0 and CR4 that a trial begins with.
constexpr std::uint64_t first_cr0(Surroundings surroundings) {
    return surroundings == Surroundings::real      ? 0x30
           : surroundings == Surroundings::long_64 ? 0x8000'0031
                                                   : 0x31;
}
constexpr std::uint64_t first_cr4(Surroundings surroundings) {
    return surroundings == Surroundings::long_64 ? 0x620 : 0x600;
}

}  // namespace hyperstep::unicorn
