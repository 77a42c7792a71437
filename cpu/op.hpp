#pragma once
#include <array>
#include <cstdint>

#include "cpu/fault.hpp"

namespace hyperstep::cpu {

struct Cpu;
struct Op;

/// Executes one instruction. With a fault, nothing of the instruction is committed (a string instruction has
/// committed its completed iterations). Cpu::next_rip holds the following instruction's address on entry; a
/// branch replaces it.
using Handler = Outcome (*)(Cpu&, const Op&);

/// Numbers of registers in an Op. 8-bit registers 16 to 19 are AH, CH, DH, BH.
inline constexpr std::uint8_t no_register = 0xff;
inline constexpr std::uint8_t rip_register = 0x80;  ///< as a base

/// Prefixes, and facts of the encoding, that an execution needs.
namespace op_flag {
inline constexpr std::uint8_t lock = 1;
inline constexpr std::uint8_t rep = 2;    ///< F3
inline constexpr std::uint8_t repne = 4;  ///< F2
inline constexpr std::uint8_t rex_w = 8;
inline constexpr std::uint8_t vector_256 = 16;  ///< VEX.L
inline constexpr std::uint8_t vex = 32;
inline constexpr std::uint8_t ends_block = 64;
/// There is an explicit memory operand: base, index, scale, displacement and segment mean something.
inline constexpr std::uint8_t has_memory = 128;
}  // namespace op_flag

/// One decoded instruction, ready to run.
struct Op {
    Handler run = nullptr;
    std::uint64_t immediate = 0;  ///< sign-extended; branch displacement; far offset; moffs; x87: ModRM
    std::int32_t displacement =
        0;  ///< of the memory operand. Of ENTER the second immediate, of far pointers the selector
    /// Registers by position of the visible operand: 0 is the destination as written. Of what kind, the
    /// handler knows.
    std::array<std::uint8_t, 4> reg{no_register, no_register, no_register, no_register};
    std::uint8_t base = no_register;   ///< of the memory operand
    std::uint8_t index = no_register;  ///< of the memory operand (VSIB: a vector register)
    std::uint8_t scale = 0;            ///< as a shift
    std::uint8_t segment = 3;          ///< effective, after overrides. Of strings: of the source
    std::uint8_t operand_bytes = 4;    ///< effective operand size: 1, 2, 4, 8
    std::uint8_t address_bytes = 4;    ///< effective address size: 2, 4, 8
    std::uint8_t flags = 0;            ///< op_flag
    std::uint8_t length = 0;           ///< of the encoding, in bytes

    bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};
static_assert(sizeof(Op) == 32);

/// What kind an operand is.
enum class OperandKind : std::uint8_t {
    none,
    gpr,
    memory,
    immediate,
    relative,
    far_pointer,
    segment,
    control,
    debug,
    x87,
    mmx,
    xmm,
    ymm,
    other
};

/// What a decoded instruction looks like to those who choose its handler.
struct Form {
    std::uint16_t mnemonic = 0;  ///< a ZydisMnemonic
    std::uint8_t operands = 0;   ///< visible ones
    std::array<OperandKind, 5> kind{};
    std::array<std::uint16_t, 5> bits{};  ///< size of each operand
    std::uint8_t operand_bytes = 4;
    std::uint8_t address_bytes = 4;
    std::uint8_t code_bytes = 4;  ///< 2, 4 or 8: the mode that it was decoded for
    std::uint8_t opcode = 0;
    std::uint8_t modrm = 0;  ///< 0 if there is none
    bool has_modrm = false;
    std::uint8_t flags = 0;            ///< op_flag
    bool operand_size_prefix = false;  ///< 66 was there
    std::uint16_t vector_bits = 0;

    constexpr bool is(OperandKind first) const { return operands >= 1 && kind[0] == first; }
    constexpr bool is(OperandKind first, OperandKind second) const {
        return operands >= 2 && kind[0] == first && kind[1] == second;
    }
};

}  // namespace hyperstep::cpu
