#include "cpu/semantics/x87_control.hpp"

#include <array>
#include <cstring>

#include "cpu/operands.hpp"
#include "cpu/x87.hpp"

namespace hyperstep::cpu::x87_control {
namespace {

constexpr std::size_t registers_bytes = 80;

/// The seven words of an environment, by meaning.
struct Environment {
    std::uint16_t control = 0, status = 0, tags = 0;
    std::uint64_t instruction = 0, operand = 0;
    std::uint16_t instruction_selector = 0, operand_selector = 0, opcode = 0;
};

/// SDM "x87 FPU Tag Word": 0 valid, 1 zero, 2 special, 3 empty.
unsigned tag_of(const FpuState& fpu, unsigned physical) {
    if ((fpu.empty >> physical & 1) != 0) return 3;
    const Float80& value = fpu.registers[physical];
    const unsigned exponent = value.sign_exponent & 0x7fff;
    if (exponent == 0 && value.significand == 0) return 1;
    const bool normal = exponent != 0 && exponent != 0x7fff && value.significand >> 63 != 0;
    return normal ? 0 : 2;
}

Environment environment_of(const FpuState& fpu) {
    Environment result{.control = fpu.control,
                       .status = fpu.status,
                       .instruction = fpu.last_instruction,
                       .operand = fpu.last_operand,
                       .instruction_selector = fpu.last_instruction_selector,
                       .operand_selector = fpu.last_operand_selector,
                       .opcode = fpu.last_opcode};
    for (unsigned i = 0; i < 8; ++i)
        result.tags = static_cast<std::uint16_t>(result.tags | tag_of(fpu, i) << (2 * i));
    return result;
}

void take(FpuState& fpu, const Environment& environment) {
    fpu.control =
        static_cast<std::uint16_t>((environment.control & x87::control_writable) | x87::control_fixed);
    fpu.status = environment.status;
    fpu.empty = 0;
    for (unsigned i = 0; i < 8; ++i)
        if ((environment.tags >> (2 * i) & 3) == 3)
            fpu.empty = static_cast<std::uint8_t>(fpu.empty | 1U << i);
    fpu.last_instruction = environment.instruction;
    fpu.last_operand = environment.operand;
    fpu.last_instruction_selector = environment.instruction_selector;
    fpu.last_operand_selector = environment.operand_selector;
    fpu.last_opcode = environment.opcode & 0x7ff;
    update_summary(fpu);
}

bool in_real_form(const Cpu& cpu) {
    return cpu.mode == Mode::real || cpu.mode == Mode::virtual_8086;
}

/// A linear address made of selector and offset, as the real-mode forms keep it.
std::uint64_t linear_of(std::uint16_t selector, std::uint64_t offset) {
    return (static_cast<std::uint64_t>(selector) << 4) + offset;
}

template <class Word>
using Seven = std::array<Word, 7>;

/// SDM figures "Protected Mode x87 FPU State Image in Memory" and "Real Mode ...", 16-bit and 32-bit formats.
template <class Word>
Seven<Word> words_of(const Environment& e, bool real) {
    Seven<Word> words{};
    constexpr bool wide = sizeof(Word) == 4;
    // The upper halves of 32-bit words of 16-bit values are ones where the manual reserves them.
    const auto word = [](std::uint64_t value) {
        return static_cast<Word>(wide ? value | 0xffff'0000 : value);
    };
    words[0] = word(e.control);
    words[1] = word(e.status);
    words[2] = word(e.tags);
    if (!real) {
        words[3] = static_cast<Word>(e.instruction);
        words[4] =
            static_cast<Word>(wide ? static_cast<std::uint64_t>(e.opcode) << 16 | e.instruction_selector
                                   : e.instruction_selector);
        words[5] = static_cast<Word>(e.operand);
        words[6] = word(e.operand_selector);
        return words;
    }
    const std::uint64_t instruction = linear_of(e.instruction_selector, e.instruction);
    const std::uint64_t operand = linear_of(e.operand_selector, e.operand);
    if (wide) {
        words[3] = word(instruction & 0xffff);
        words[4] = static_cast<Word>((instruction >> 16 & 0xffff) << 12 | e.opcode);
        words[5] = word(operand & 0xffff);
        words[6] = static_cast<Word>((operand >> 16 & 0xffff) << 12);
    } else {
        words[3] = static_cast<Word>(instruction);
        words[4] = static_cast<Word>((instruction >> 16 & 0xf) << 12 | e.opcode);
        words[5] = static_cast<Word>(operand);
        words[6] = static_cast<Word>((operand >> 16 & 0xf) << 12);
    }
    return words;
}

template <class Word>
Environment environment_of(const Seven<Word>& words, bool real) {
    constexpr bool wide = sizeof(Word) == 4;
    Environment e{.control = static_cast<std::uint16_t>(words[0]),
                  .status = static_cast<std::uint16_t>(words[1]),
                  .tags = static_cast<std::uint16_t>(words[2])};
    if (!real) {
        e.instruction = words[3];
        e.instruction_selector = static_cast<std::uint16_t>(words[4]);
        e.opcode = wide ? static_cast<std::uint16_t>(static_cast<std::uint64_t>(words[4]) >> 16 & 0x7ff)
                        : std::uint16_t{0};
        e.operand = words[5];
        e.operand_selector = static_cast<std::uint16_t>(words[6]);
        return e;
    }
    const std::uint64_t upper = wide ? 0xffff : 0xf;
    e.instruction = (words[3] & 0xffffU) | (static_cast<std::uint64_t>(words[4]) >> 12 & upper) << 16;
    e.opcode = static_cast<std::uint16_t>(words[4] & 0x7ffU);
    e.operand = (words[5] & 0xffffU) | (static_cast<std::uint64_t>(words[6]) >> 12 & upper) << 16;
    return e;
}

std::array<std::uint8_t, registers_bytes> register_bytes_of(const FpuState& fpu) {
    std::array<std::uint8_t, registers_bytes> bytes{};
    for (unsigned i = 0; i < 8; ++i) {
        const Float80& value = fpu.registers[x87_register(fpu, i)];
        std::memcpy(bytes.data() + i * 10, &value.significand, 8);
        std::memcpy(bytes.data() + i * 10 + 8, &value.sign_exponent, 2);
    }
    return bytes;
}

void take_registers(FpuState& fpu, const std::array<std::uint8_t, registers_bytes>& bytes) {
    for (unsigned i = 0; i < 8; ++i) {
        Float80& value = fpu.registers[x87_register(fpu, i)];
        std::memcpy(&value.significand, bytes.data() + i * 10, 8);
        std::memcpy(&value.sign_exponent, bytes.data() + i * 10 + 8, 2);
    }
}

/// FNSAVE's image: both parts in one access, so that nothing is stored if either faults.
template <class Word>
struct [[gnu::packed]] SaveImage {
    Seven<Word> words{};
    std::array<std::uint8_t, registers_bytes> registers{};
};

void reset(FpuState& fpu) {
    fpu.control = 0x37f;
    fpu.status = 0;
    fpu.empty = 0xff;
    fpu.last_instruction = fpu.last_operand = 0;
    fpu.last_instruction_selector = fpu.last_operand_selector = fpu.last_opcode = 0;
}

template <class Word>
Outcome store_environment(Cpu& cpu, const Op& op) {
    const auto words = words_of<Word>(environment_of(cpu.state.fpu), in_real_form(cpu));
    HS_TRY(store_operand(cpu, op, words));
    // FNSTENV masks all exceptions, after it has stored the control word.
    cpu.state.fpu.control |= x87::exceptions;
    update_summary(cpu.state.fpu);
    return {};
}
template <class Word>
Outcome load_environment(Cpu& cpu, const Op& op) {
    const auto words = load_operand<Seven<Word>>(cpu, op);
    if (!words) return tl::unexpected{words.error()};
    take(cpu.state.fpu, environment_of<Word>(*words, in_real_form(cpu)));
    return {};
}
template <class Word>
Outcome store_all(Cpu& cpu, const Op& op) {
    SaveImage<Word> image;
    image.words = words_of<Word>(environment_of(cpu.state.fpu), in_real_form(cpu));
    image.registers = register_bytes_of(cpu.state.fpu);
    HS_TRY(store_operand(cpu, op, image));
    reset(cpu.state.fpu);
    return {};
}
template <class Word>
Outcome load_all(Cpu& cpu, const Op& op) {
    const auto image = load_operand<SaveImage<Word>>(cpu, op);
    if (!image) return tl::unexpected{image.error()};
    take(cpu.state.fpu, environment_of<Word>(image->words, in_real_form(cpu)));
    take_registers(cpu.state.fpu, image->registers);
    return {};
}

}  // namespace

Outcome fnclex(Cpu& cpu, const Op& /*op*/) {
    HS_TRY(require_x87(cpu));
    FpuState& fpu = cpu.state.fpu;
    fpu.status = static_cast<std::uint16_t>(fpu.status &
                                            ~(x87::exceptions | x87::stack_fault | x87::summary | x87::busy));
    return {};
}

Outcome fninit(Cpu& cpu, const Op& /*op*/) {
    HS_TRY(require_x87(cpu));
    reset(cpu.state.fpu);
    return {};
}

Outcome fnstcw(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87(cpu));
    return store_operand(cpu, op, cpu.state.fpu.control);
}

Outcome fldcw(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    const auto value = load_operand<std::uint16_t>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    cpu.state.fpu.control = static_cast<std::uint16_t>((*value & x87::control_writable) | x87::control_fixed);
    update_summary(cpu.state.fpu);
    return {};
}

Handler select_fnstsw(const Form& form) {
    if (form.is(OperandKind::memory))
        return [](Cpu& cpu, const Op& op) -> Outcome {
            HS_TRY(require_x87(cpu));
            return store_operand(cpu, op, cpu.state.fpu.status);
        };
    return [](Cpu& cpu, const Op& /*op*/) -> Outcome {
        HS_TRY(require_x87(cpu));
        write_gpr<std::uint16_t>(cpu.state, rax, cpu.state.fpu.status);
        return {};
    };
}

Outcome fnstenv(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87(cpu));
    return op.operand_bytes == 2 ? store_environment<std::uint16_t>(cpu, op)
                                 : store_environment<std::uint32_t>(cpu, op);
}
Outcome fldenv(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    return op.operand_bytes == 2 ? load_environment<std::uint16_t>(cpu, op)
                                 : load_environment<std::uint32_t>(cpu, op);
}
Outcome fnsave(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87(cpu));
    return op.operand_bytes == 2 ? store_all<std::uint16_t>(cpu, op) : store_all<std::uint32_t>(cpu, op);
}
Outcome frstor(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    return op.operand_bytes == 2 ? load_all<std::uint16_t>(cpu, op) : load_all<std::uint32_t>(cpu, op);
}

Outcome fwait(Cpu& cpu, const Op& /*op*/) {
    const Cr0 cr0 = cpu.cr0();
    if (cr0[Cr0::mp] && cr0[Cr0::ts]) return raise(Vector::nm);
    if ((cpu.state.fpu.status & x87::summary) == 0) return {};
    if (cr0[Cr0::ne]) return raise(Vector::mf);
    cpu.board.signal_ferr();
    look_at_boundary(cpu);
    return {};
}

Outcome older_nop(Cpu& cpu, const Op& /*op*/) {
    return require_x87(cpu);
}

}  // namespace hyperstep::cpu::x87_control
