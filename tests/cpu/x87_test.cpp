#include "cpu/x87.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// SDM volume 1 "x87 FPU Execution Environment", "x87 FPU Exception Handling"; volume 3 "x87 FPU ... CR0".
namespace hyperstep::cpu {
namespace {

constexpr Float80 one{.significand = 1ULL << 63, .sign_exponent = 0x3fff};
constexpr Float80 default_nan{.significand = 0xc000'0000'0000'0000, .sign_exponent = 0xffff};
constexpr std::uint16_t all_masked = 0x37f, invalid_unmasked = 0x37e;

FpuState full_stack(std::uint16_t control) {
    FpuState fpu;
    fpu.control = control;
    fpu.status = 5 << 11;
    fpu.registers.fill(one);
    return fpu;
}
FpuState empty_stack(std::uint16_t control) {
    FpuState fpu = full_stack(control);
    fpu.empty = 0xff;
    return fpu;
}
unsigned bits_of(const FpuState& fpu, unsigned bits) {
    return fpu.status & bits;
}
constexpr unsigned fault_bits = x87::exceptions | x87::stack_fault | x87::c1 | x87::summary | x87::busy;

class LongMachine : public BareMachine {
public:
    explicit LongMachine(const FpuState& fpu) {
        enter_long_mode();
        cpu.state.fpu = fpu;
    }
    FpuState& fpu() { return cpu.state.fpu; }
    Outcome run_bytes(const std::vector<std::uint8_t>& bytes) {
        put(cpu.state.rip, bytes);
        return execute_one(cpu);
    }
    Float80 st(unsigned i) { return fpu().registers[x87_register(fpu(), i)]; }
};

void expect_fault(const Outcome& outcome, Vector vector) {
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = vector}));
}

// ---- stack ------------------------------------------------------------------------------------------------

TEST(X87Stack, OverflowWhileMaskedPushesTheDefaultNan) {
    LongMachine machine{full_stack(all_masked)};
    ASSERT_TRUE(machine.run_code({0xd9, 0xe8}));  // fld1
    EXPECT_EQ(bits_of(machine.fpu(), fault_bits), x87::ie | x87::stack_fault | x87::c1);
    EXPECT_EQ(x87_top(machine.fpu()), 4U);
    EXPECT_EQ(machine.st(0), default_nan);
}

TEST(X87Stack, OverflowWhileUnmaskedChangesNothing) {
    LongMachine machine{full_stack(invalid_unmasked)};
    ASSERT_TRUE(machine.run_code({0xd9, 0xe8}));
    EXPECT_EQ(bits_of(machine.fpu(), fault_bits),
              x87::ie | x87::stack_fault | x87::c1 | x87::summary | x87::busy);
    EXPECT_EQ(x87_top(machine.fpu()), 5U);
    EXPECT_EQ(machine.fpu().registers, full_stack(invalid_unmasked).registers);
    expect_fault(machine.run_code({0xd9, 0xe8}), Vector::mf);
}

TEST(X87Stack, OverflowOfFsincosAndFptan) {
    for (const std::uint8_t opcode : {std::uint8_t{0xfb}, std::uint8_t{0xf2}}) {
        LongMachine masked{full_stack(all_masked)};
        ASSERT_TRUE(masked.run_code({0xd9, opcode}));
        EXPECT_EQ(bits_of(masked.fpu(), fault_bits), x87::ie | x87::stack_fault | x87::c1);
        EXPECT_EQ(x87_top(masked.fpu()), 4U);
        EXPECT_EQ(masked.st(0), default_nan);
        EXPECT_EQ(masked.st(1), default_nan);
        LongMachine unmasked{full_stack(invalid_unmasked)};
        ASSERT_TRUE(unmasked.run_code({0xd9, opcode}));
        EXPECT_EQ(x87_top(unmasked.fpu()), 5U);
        EXPECT_EQ(unmasked.fpu().registers, full_stack(0).registers);
        EXPECT_EQ(bits_of(unmasked.fpu(), x87::summary), x87::summary);
    }
}

TEST(X87Stack, UnderflowWhileMaskedGivesTheDefaultNan) {
    LongMachine machine{empty_stack(all_masked)};
    ASSERT_TRUE(machine.run_code({0xd8, 0xc1}));  // fadd st, st(1)
    EXPECT_EQ(bits_of(machine.fpu(), fault_bits), x87::ie | x87::stack_fault);
    EXPECT_EQ(machine.st(0), default_nan);
    EXPECT_EQ(machine.fpu().empty, 0xff & ~(1 << 5));
}

/// Stores of an empty register: the encodings are of [200000H].
struct EmptyStore {
    std::uint8_t opcode, modrm;
    unsigned bytes;
    std::uint64_t indefinite;
};
constexpr EmptyStore empty_stores[] = {
    {0xd9, 0x1c, 4, 0xffc0'0000},            // fstp m32
    {0xdd, 0x1c, 8, 0xfff8'0000'0000'0000},  // fstp m64
    {0xdf, 0x1c, 2, 0x8000},                 // fistp m16
    {0xdb, 0x1c, 4, 0x8000'0000},            // fistp m32
    {0xdf, 0x3c, 8, 0x8000'0000'0000'0000},  // fistp m64
    {0xdb, 0x0c, 4, 0x8000'0000},            // fisttp m32
};

TEST(X87Stack, StoresOfAnEmptyRegister) {
    for (const EmptyStore& each : empty_stores) {
        SCOPED_TRACE(testing::Message() << int{each.opcode} << "/" << int{each.modrm});
        LongMachine masked{empty_stack(all_masked)};
        ASSERT_TRUE(masked.run_code({each.opcode, each.modrm, 0x25, 0x00, 0x00, 0x20, 0x00}));
        EXPECT_EQ(masked.get(BareMachine::data, each.bytes), each.indefinite);
        EXPECT_EQ(masked.get(BareMachine::data + each.bytes, 1), 0U);
        EXPECT_EQ(x87_top(masked.fpu()), 6U);
        LongMachine unmasked{empty_stack(invalid_unmasked)};
        ASSERT_TRUE(unmasked.run_code({each.opcode, each.modrm, 0x25, 0x00, 0x00, 0x20, 0x00}));
        EXPECT_EQ(unmasked.get(BareMachine::data, each.bytes), 0U);
        EXPECT_EQ(x87_top(unmasked.fpu()), 5U);
        EXPECT_EQ(bits_of(unmasked.fpu(), x87::summary), x87::summary);
    }
}

TEST(X87Stack, FbstpOfAnEmptyRegisterIsThePackedIndefinite) {
    LongMachine machine{empty_stack(all_masked)};
    ASSERT_TRUE(machine.run_code({0xdf, 0x34, 0x25, 0x00, 0x00, 0x20, 0x00}));
    EXPECT_EQ(machine.get(BareMachine::data, 8), 0xc000'0000'0000'0000U);
    EXPECT_EQ(machine.get(BareMachine::data + 8, 2), 0xffffU);
}

// ---- images -----------------------------------------------------------------------------------------------

enum class ImageForm : std::uint8_t { real_16, real_32, protected_16, protected_32 };

/// FNSTENV and its like at [2000H] of the mode that stores this form.
class ImageMachine : public BareMachine {
public:
    static constexpr std::uint64_t image = 0x2000;
    explicit ImageMachine(ImageForm form) : form_{form} {
        real() ? enter_real_mode() : enter_protected_32();
        FpuState& fpu = cpu.state.fpu;
        fpu = {.control = 0x27f,
               .status = 3 << 11 | x87::c3 | x87::pe,
               .empty = 0xc1,
               .last_opcode = 0x5a7,
               .last_instruction = 0xabcde,
               .last_operand = 0x98765,
               .registers = {}};
        for (unsigned i = 0; i < 8; ++i)
            fpu.registers[i] = {.significand = 0x8000'0000'0000'0100 + i, .sign_exponent = 0x4000};
        fpu.registers[2] = {};                                                    // zero
        fpu.registers[3] = {.significand = 1ULL << 63, .sign_exponent = 0x7fff};  // special
        if (!real()) {
            fpu.last_instruction_selector = 0x1b;
            fpu.last_operand_selector = 0x23;
        }
    }
    bool real() const { return form_ == ImageForm::real_16 || form_ == ImageForm::real_32; }
    bool wide() const { return form_ == ImageForm::real_32 || form_ == ImageForm::protected_32; }
    /// An instruction whose ModRM.reg is `reg`, of this form.
    Outcome run_form(std::uint8_t opcode, std::uint8_t reg) {
        const auto modrm = static_cast<std::uint8_t>(reg << 3 | (real() ? 6 : 5));
        const bool prefixed = real() == wide();
        std::vector<std::uint8_t> bytes;
        if (prefixed) bytes.push_back(0x66);
        bytes.insert(bytes.end(), {opcode, modrm, 0x00, 0x20});
        if (!real()) bytes.insert(bytes.end(), {0x00, 0x00});
        put(cpu.state.segment[cs].base + cpu.state.rip, bytes);
        return execute_one(cpu);
    }
    std::uint64_t word(unsigned i) { return wide() ? get(image + 4 * i, 4) : get(image + 2 * i, 2); }

private:
    ImageForm form_;
};
constexpr std::uint8_t env = 0xd9, all = 0xdd, load = 4, keep = 6;

// R0, R6, R7 are empty, R2 is zero, R3 special: 11 11 00 00 10 01 00 11.
constexpr std::uint64_t tag_word = 0xf093;

TEST(X87Images, EnvironmentInEveryForm) {
    for (const ImageForm form :
         {ImageForm::real_16, ImageForm::real_32, ImageForm::protected_16, ImageForm::protected_32}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(form));
        ImageMachine machine{form};
        ASSERT_TRUE(machine.run_form(env, keep));
        EXPECT_EQ(machine.word(0) & 0xffff, 0x27fU);
        EXPECT_EQ(machine.word(1) & 0xffff, 3U << 11 | 1U << 14 | 0x20);
        EXPECT_EQ(machine.word(2) & 0xffff, tag_word);
        switch (form) {
            case ImageForm::real_16:
                EXPECT_EQ(machine.word(3), 0xbcdeU);
                EXPECT_EQ(machine.word(4), 0xa5a7U);
                EXPECT_EQ(machine.word(5), 0x8765U);
                EXPECT_EQ(machine.word(6), 0x9000U);
                break;
            case ImageForm::real_32:
                EXPECT_EQ(machine.word(3) & 0xffff, 0xbcdeU);
                EXPECT_EQ(machine.word(4), 0xa5a7U);
                EXPECT_EQ(machine.word(5) & 0xffff, 0x8765U);
                EXPECT_EQ(machine.word(6), 0x9000U);
                break;
            case ImageForm::protected_16:
                EXPECT_EQ(machine.word(3), 0xbcdeU);
                EXPECT_EQ(machine.word(4), 0x1bU);
                EXPECT_EQ(machine.word(5), 0x8765U);
                EXPECT_EQ(machine.word(6), 0x23U);
                break;
            case ImageForm::protected_32:
                EXPECT_EQ(machine.word(3), 0xabcdeU);
                EXPECT_EQ(machine.word(4), 0x05a7'001bU);
                EXPECT_EQ(machine.word(5), 0x98765U);
                EXPECT_EQ(machine.word(6) & 0xffff, 0x23U);
                break;
        }
        EXPECT_EQ(machine.cpu.state.fpu.control, 0x27f);
        EXPECT_EQ(machine.get(ImageMachine::image + (machine.wide() ? 28 : 14), 8), 0U);
    }
}

TEST(X87Images, FnstenvMasksAndFnsaveInitializes) {
    ImageMachine machine{ImageForm::protected_32};
    machine.cpu.state.fpu.control = 0x340;
    machine.cpu.state.fpu.status |= x87::summary | x87::busy;
    ASSERT_TRUE(machine.run_form(env, keep));
    EXPECT_EQ(machine.word(0) & 0xffff, 0x340U);
    EXPECT_EQ(machine.cpu.state.fpu.control, 0x37f);
    EXPECT_EQ(bits_of(machine.cpu.state.fpu, x87::summary | x87::busy), 0U);
    ASSERT_TRUE(machine.run_form(all, keep));
    EXPECT_EQ(machine.cpu.state.fpu.control, 0x37f);
    EXPECT_EQ(machine.cpu.state.fpu.status, 0);
    EXPECT_EQ(machine.cpu.state.fpu.empty, 0xff);
    EXPECT_EQ(machine.cpu.state.fpu.last_instruction, 0U);
}

TEST(X87Images, FnsaveKeepsRegistersFromTheTopOn) {
    for (const ImageForm form :
         {ImageForm::real_16, ImageForm::real_32, ImageForm::protected_16, ImageForm::protected_32}) {
        ImageMachine machine{form};
        const FpuState before = machine.cpu.state.fpu;
        ASSERT_TRUE(machine.run_form(all, keep));
        const std::uint64_t registers = ImageMachine::image + (machine.wide() ? 28 : 14);
        for (unsigned i = 0; i < 8; ++i) {
            EXPECT_EQ(machine.get(registers + 10 * i, 8), before.registers[(3 + i) % 8].significand);
            EXPECT_EQ(machine.get(registers + 10 * i + 8, 2), before.registers[(3 + i) % 8].sign_exponent);
        }
        machine.cpu.state.fpu.registers = {};
        ASSERT_TRUE(machine.run_form(all, load));
        FpuState expected = before;
        // The 16-bit form of protected mode has no opcode and half an address.
        if (form == ImageForm::protected_16) {
            expected.last_opcode = 0;
            expected.last_instruction &= 0xffff;
            expected.last_operand &= 0xffff;
        }
        EXPECT_EQ(machine.cpu.state.fpu, expected) << static_cast<int>(form);
    }
}

TEST(X87Images, FldenvMakesWhatItLoadsPending) {
    ImageMachine machine{ImageForm::protected_32};
    ASSERT_TRUE(machine.run_form(env, keep));
    machine.memory.write(
        Hpa{ImageMachine::image}, 2, 0xffff & ~0x20);  // the control word: precision unmasked
    ASSERT_TRUE(machine.run_form(env, load));
    EXPECT_EQ(machine.cpu.state.fpu.control, 0x1f5f);
    EXPECT_EQ(bits_of(machine.cpu.state.fpu, x87::summary | x87::busy), x87::summary | x87::busy);
    expect_fault(machine.run_form(env, load), Vector::mf);
}

// ---- exceptions that are pending --------------------------------------------------------------------------

FpuState sticky_invalid() {
    FpuState fpu = full_stack(all_masked);
    fpu.status = x87::ie;
    fpu.empty = 0;
    return fpu;
}

TEST(X87Pending, FldcwUnmasksAndTheNextWaitingInstructionFaults) {
    LongMachine machine{sticky_invalid()};
    machine.memory.write(Hpa{BareMachine::data}, 2, invalid_unmasked);
    ASSERT_TRUE(machine.run_code({0xd9, 0x2c, 0x25, 0x00, 0x00, 0x20, 0x00}));  // fldcw
    EXPECT_EQ(bits_of(machine.fpu(), x87::summary | x87::busy), x87::summary | x87::busy);
    const std::vector<std::uint8_t> waiting[] = {
        {0x9b},                                      // fwait
        {0xd9, 0xd0},                                // fnop
        {0xd8, 0xc0},                                // fadd
        {0xd9, 0xfe},                                // fsin
        {0xd9, 0x2c, 0x25, 0x00, 0x00, 0x20, 0x00},  // fldcw
        {0xd9, 0x1c, 0x25, 0x00, 0x00, 0x20, 0x00},  // fstp
        {0x0f, 0x77},                                // emms
    };
    for (const auto& each : waiting) expect_fault(machine.run_bytes(each), Vector::mf);
    ASSERT_TRUE(machine.run_code({0xdf, 0xe0}));  // fnstsw ax
    EXPECT_EQ(machine.cpu.state.gpr[rax] & 0xffff, std::uint64_t{x87::ie | x87::summary | x87::busy});
    ASSERT_TRUE(machine.run_code({0xd9, 0x3c, 0x25, 0x00, 0x00, 0x20, 0x00}));  // fnstcw
    ASSERT_TRUE(machine.run_code({0xdb, 0xe2}));                                // fnclex
    EXPECT_EQ(machine.fpu().status, 0);
    EXPECT_TRUE(machine.run_code({0xd8, 0xc0}));
}

TEST(X87Pending, FninitFnsaveAndFnstenvDoNotWait) {
    const std::vector<std::uint8_t> free[] = {{0xdb, 0xe3},
                                              {0xdd, 0x34, 0x25, 0x00, 0x00, 0x20, 0x00},
                                              {0xd9, 0x34, 0x25, 0x00, 0x00, 0x20, 0x00},
                                              {0xdd, 0x3c, 0x25, 0x00, 0x00, 0x20, 0x00}};
    for (const auto& each : free) {
        FpuState fpu = sticky_invalid();
        fpu.control = invalid_unmasked;
        fpu.status |= x87::summary | x87::busy;
        LongMachine machine{fpu};
        EXPECT_TRUE(machine.run_bytes(each));
    }
}

TEST(X87Pending, WithoutNumericErrorItIsSignalledOutsideAndTheInstructionGoesOn) {
    FpuState fpu = sticky_invalid();
    fpu.control = invalid_unmasked;
    fpu.status |= x87::summary | x87::busy;
    LongMachine machine{fpu};
    machine.cpu.state.cr0 &= ~Cr0::ne.mask;
    refresh(machine.cpu);
    ASSERT_TRUE(machine.run_code({0xd8, 0xc0}));  // fadd st, st
    EXPECT_TRUE(machine.board.ferr);
    EXPECT_EQ(machine.st(0).sign_exponent, 0x4000);
    EXPECT_EQ(bits_of(machine.fpu(), fault_bits & ~unsigned{x87::c1}), x87::ie | x87::summary | x87::busy);
    ASSERT_TRUE(machine.run_code({0xdd, 0x1c, 0x25, 0x00, 0x00, 0x20, 0x00}));  // fstp m64
    EXPECT_EQ(machine.get(BareMachine::data, 8), 0x4000'0000'0000'0000U);
    machine.board.ferr = false;
    ASSERT_TRUE(machine.run_code({0x9b}));
    EXPECT_TRUE(machine.board.ferr);
}

TEST(X87Pending, TheLastOpcodeIsThatOfTheFault) {
    FpuState fpu = full_stack(0x37b);  // division by zero unmasked
    fpu.registers[5] = {};
    LongMachine machine{fpu};
    machine.cpu.state.gpr[rbx] = BareMachine::data;
    ASSERT_TRUE(machine.run_code({0xd8, 0xf1}));  // fdiv st, st(1): 0 / 1
    EXPECT_EQ(machine.fpu().last_opcode, 0);
    const std::uint64_t rip = machine.cpu.state.rip;
    ASSERT_TRUE(
        machine.run_code({0xd8, 0x7b, 0x40}));  // fdivr dword [rbx+40h]: 0 / 0 is invalid, which is masked
    EXPECT_EQ(machine.fpu().last_opcode, 0);
    machine.memory.write(Hpa{BareMachine::data + 0x40}, 4, 0x3f80'0000);
    machine.fpu().registers[5] = {};
    ASSERT_TRUE(machine.run_code({0xd8, 0x7b, 0x40}));  // 1 / 0
    EXPECT_EQ(machine.fpu().last_opcode, 0x07b);
    EXPECT_EQ(machine.fpu().last_instruction, rip + 3);
    EXPECT_EQ(machine.fpu().last_operand, BareMachine::data + 0x40);
}

TEST(X87Pending, TheLastOpcodeOfATranscendental) {
    FpuState fpu = full_stack(0x37d);  // denormals unmasked
    fpu.registers[5] = {.significand = 1, .sign_exponent = 0};
    LongMachine machine{fpu};
    ASSERT_TRUE(machine.run_code({0xd9, 0xfe}));
    EXPECT_EQ(machine.fpu().last_opcode, 0x1fe);
}

// ---- device not available ---------------------------------------------------------------------------------

TEST(X87NotAvailable, EmMpAndTs) {
    for (unsigned bits = 0; bits < 8; ++bits) {
        const bool em = (bits & 4) != 0, mp = (bits & 2) != 0, ts = (bits & 1) != 0;
        LongMachine machine{full_stack(all_masked)};
        machine.cpu.state.cr0 &= ~(Cr0::em.mask | Cr0::mp.mask | Cr0::ts.mask);
        machine.cpu.state.cr0 |= (em ? Cr0::em.mask : 0) | (mp ? Cr0::mp.mask : 0) | (ts ? Cr0::ts.mask : 0);
        refresh(machine.cpu);
        SCOPED_TRACE(testing::Message() << "EM " << em << " MP " << mp << " TS " << ts);
        const auto expect = [&](std::initializer_list<std::uint8_t> code, bool faults) {
            const Outcome outcome = machine.run_code(code);
            if (faults)
                expect_fault(outcome, Vector::nm);
            else
                EXPECT_TRUE(outcome);
        };
        expect({0xd8, 0xc0}, em || ts);  // fadd
        expect({0xdf, 0xe0}, em || ts);  // fnstsw ax
        expect({0xdb, 0xe3}, em || ts);  // fninit
        expect({0xd9, 0xd0}, em || ts);  // fnop
        expect({0x9b}, mp && ts);        // fwait
    }
}

}  // namespace
}  // namespace hyperstep::cpu
