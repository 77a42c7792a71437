#include <gtest/gtest.h>

#include "cpu/fpu_image.hpp"
#include "cpu/xsave.hpp"
#include "tests/cpu/bare_machine.hpp"

// FXSAVE and FXRSTOR, the XSAVE family, MXCSR.
namespace hyperstep::cpu {
namespace {

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault ud{.vector = Vector::ud};
constexpr Fault nm{.vector = Vector::nm};
constexpr std::uint64_t area = BareMachine::data;

using Code = std::initializer_list<std::uint8_t>;
// All with [rax] as the operand.
constexpr Code fxsave{0x0f, 0xae, 0x00}, fxsave64{0x48, 0x0f, 0xae, 0x00};
constexpr Code fxrstor{0x0f, 0xae, 0x08}, fxrstor64{0x48, 0x0f, 0xae, 0x08};
constexpr Code xsave{0x0f, 0xae, 0x23}, xrstor{0x0f, 0xae, 0x2b}, xsaveopt{0x0f, 0xae, 0x33};  // [rbx]
constexpr Code xsavec{0x0f, 0xc7, 0x23}, xsaves{0x0f, 0xc7, 0x2b}, xrstors{0x0f, 0xc7, 0x1b};  // [rbx]

/// A machine in long mode, with state in every component of XCR0, and a processor that has AVX and PKU.
struct Machine : BareMachine {
    explicit Machine(const Model& model) : BareMachine{model} {
        enter_long_mode();
        State& state = cpu.state;
        state.cr4 |= Cr4::osxsave.mask | Cr4::osfxsr.mask;
        state.xcr0 = 0x207;
        state.gpr[rax] = area;
        state.gpr[rbx] = area;
        state.gpr[rdx] = 0;
        for (std::size_t i = 0; i < 16; ++i) state.vector[i] = {i + 1, i + 0x100, i + 0x200, i + 0x300};
        state.fpu = initial_fpu();
        state.mxcsr = 0x1fa0;
        refresh(cpu);
    }
    Outcome save(Code instruction, std::uint32_t mask) {
        cpu.state.gpr[rax] = mask;
        cpu.state.rip = code;
        return run_code(instruction);
    }
};

const Model& avx_model() {
    static const Model model = [] {
        Model each = model_max();
        for (const Feature feature : {Feature::avx, Feature::pku, Feature::sse, Feature::sse2})
            each.features.set(static_cast<std::size_t>(feature));
        return each;
    }();
    return model;
}

Fault fault_of(const Outcome& outcome) {
    EXPECT_FALSE(outcome);
    return outcome ? Fault{.kind = Fault::Kind::shutdown} : outcome.error();
}

// ---- FXSAVE -----------------------------------------------------------------------------------------------

TEST(Fxsave, TheFieldsAreWhereTheManualHasThem) {
    Machine machine{avx_model()};
    FpuState& fpu = machine.cpu.state.fpu;
    fpu.control = 0x27f;
    fpu.status = 0x3800;  // TOP = 7: R7 is ST(0), R0 is ST(1)
    fpu.empty = 0x7e;     // R7 and R0 are not empty
    fpu.registers[7] = {.significand = 0x8000'0000'0000'0001, .sign_exponent = 0x3fff};
    fpu.registers[0] = {.significand = 0xc000'0000'0000'0000, .sign_exponent = 0xc000};
    fpu.last_opcode = 0x7ff;
    fpu.last_instruction = 0x1234'5678'9abc;
    fpu.last_operand = 0xfedc'ba98'7654;
    ASSERT_TRUE(machine.run_code(fxsave64));
    EXPECT_EQ(machine.get(area, 2), 0x27fU);
    EXPECT_EQ(machine.get(area + 2, 2), 0x3800U);
    EXPECT_EQ(machine.get(area + 4, 1), 0x81U) << "a 1 for a register that is not empty, by physical number";
    EXPECT_EQ(machine.get(area + 6, 2), 0x7ffU);
    EXPECT_EQ(machine.get(area + 8, 8), 0x1234'5678'9abcU);
    EXPECT_EQ(machine.get(area + 16, 8), 0xfedc'ba98'7654U);
    EXPECT_EQ(machine.get(area + 24, 4), 0x1fa0U);
    EXPECT_EQ(machine.get(area + 28, 4), 0xffffU);
    EXPECT_EQ(machine.get(area + 32, 8), 0x8000'0000'0000'0001U) << "ST(0)";
    EXPECT_EQ(machine.get(area + 40, 2), 0x3fffU);
    EXPECT_EQ(machine.get(area + 56, 2), 0xc000U) << "ST(1)";
    EXPECT_EQ(machine.get(area + 160, 8), 1U) << "XMM0";
    EXPECT_EQ(machine.get(area + 408, 8), 0x10fU) << "the upper half of XMM15";

    const State saved = machine.cpu.state;
    machine.cpu.state.fpu = initial_fpu();
    machine.cpu.state.mxcsr = 0x1f80;
    for (VectorRegister& each : machine.cpu.state.vector) each[0] = each[1] = 0;
    machine.cpu.state.rip = BareMachine::code;
    ASSERT_TRUE(machine.run_code(fxrstor64));
    EXPECT_EQ(machine.cpu.state.fpu, saved.fpu);
    EXPECT_EQ(machine.cpu.state.vector, saved.vector);
    EXPECT_EQ(machine.cpu.state.mxcsr, saved.mxcsr);
}

TEST(Fxsave, Outside64BitModeThereAreEightVectorRegistersAndOffsetsOf32Bits) {
    BareMachine machine{avx_model()};
    machine.enter_protected_32();
    machine.cpu.state.gpr[rax] = area;
    machine.cpu.state.fpu.last_instruction = 0x1234'5678'9abc;
    for (std::size_t i = 0; i < 16; ++i) machine.cpu.state.vector[i] = {i + 1, 0, 0, 0};
    machine.memory.write(Hpa{area + 288}, 8, 0x5555);
    ASSERT_TRUE(machine.run_code(fxsave));
    EXPECT_EQ(machine.get(area + 8, 8), 0x5678'9abcU) << "and FCS, which is not saved";
    EXPECT_EQ(machine.get(area + 272, 8), 8U) << "XMM7";
    EXPECT_EQ(machine.get(area + 288, 8), 0x5555U) << "the place of XMM8";
}

TEST(Fxsave, Faults) {
    struct Case {
        const char* what;
        Code code;
        std::uint64_t cr0;
        std::uint64_t address;
        std::uint32_t mxcsr;
        Fault fault;
    };
    const Case cases[] = {
        {"task switched", fxsave, 0x8000'003b, area, 0, nm},
        {"emulation", fxsave, 0x8000'0037, area, 0, nm},
        {"not aligned to 16 bytes", fxsave, 0x8000'0033, area + 8, 0, gp0},
        {"task switched wins over alignment", fxrstor, 0x8000'003b, area + 8, 0, nm},
        {"a bit of MXCSR that does not exist", fxrstor, 0x8000'0033, area, 0x1'0000, gp0},
        {"not canonical", fxrstor, 0x8000'0033, 1ULL << 50, 0, gp0},
    };
    for (const Case& each : cases) {
        Machine machine{avx_model()};
        machine.cpu.state.cr0 = each.cr0;
        refresh(machine.cpu);
        machine.cpu.state.gpr[rax] = each.address;
        machine.memory.write(Hpa{area + 24}, 4, each.mxcsr);
        EXPECT_EQ(fault_of(machine.run_code(each.code)), each.fault) << each.what;
    }
}

// ---- the XSAVE family -------------------------------------------------------------------------------------

TEST(Xsave, EveryRequestedComponentIsWrittenAndTheHeaderSaysWhichAreInUse) {
    Machine machine{avx_model()};
    machine.memory.write(Hpa{area + 512}, 8, 0xffff'0000'0000'0201);  // of earlier
    machine.memory.write(Hpa{area + 528}, 8, 0x77);
    machine.memory.write(Hpa{area}, 2, 0xeeee);
    ASSERT_TRUE(machine.save(xsave, 0x7));
    EXPECT_EQ(machine.get(area + 512, 8), 0xffff'0000'0000'0206U) << "x87 is in its initial configuration";
    EXPECT_EQ(machine.get(area + 528, 8), 0x77U) << "XSAVE writes nothing but XSTATE_BV of the header";
    EXPECT_EQ(machine.get(area, 2), 0x37fU) << "but x87 is written";
    EXPECT_EQ(machine.get(area + 576, 8), 0x200U) << "YMM0, upper half";
    EXPECT_EQ(machine.get(area + 576 + 248, 8), 0x30fU) << "YMM15";
}

TEST(Xsaveopt, WhatIsInitialIsLeftOut) {
    Machine machine{avx_model()};
    machine.memory.write(Hpa{area}, 2, 0xeeee);
    ASSERT_TRUE(machine.save(xsaveopt, 0x7));
    EXPECT_EQ(machine.get(area, 2), 0xeeeeU);
    EXPECT_EQ(machine.get(area + 512, 8), 6U);
    EXPECT_EQ(machine.get(area + 160, 8), 1U);
}

TEST(Xsavec, TheCompactedFormatHasNoGaps) {
    Machine machine{avx_model()};
    machine.cpu.state.pkru = 0x5555'5554;
    ASSERT_TRUE(machine.save(xsavec, 0x203));
    EXPECT_EQ(machine.get(area + 512, 8), 0x202U);
    EXPECT_EQ(machine.get(area + 520, 8), 0x8000'0000'0000'0203U);
    EXPECT_EQ(machine.get(area + 576, 8), 0x5555'5554U) << "PKRU, as AVX was not requested";
}

TEST(Xsavec, AnMxcsrThatIsNotInitialCountsAsSse) {
    Machine machine{avx_model()};
    for (VectorRegister& each : machine.cpu.state.vector) each = {};
    ASSERT_TRUE(machine.save(xsavec, 0x7));
    EXPECT_EQ(machine.get(area + 512, 8), 2U);
    EXPECT_EQ(machine.get(area + 24, 4), 0x1fa0U);
    machine.cpu.state.mxcsr = 0x1f80;
    ASSERT_TRUE(machine.save(xsavec, 0x7));
    EXPECT_EQ(machine.get(area + 512, 8), 0U);
}

TEST(Xrstor, ComponentsThatAreNotPresentAreInitialized) {
    Machine machine{avx_model()};
    machine.memory.write(Hpa{area + 512}, 8, 2);
    machine.memory.write(Hpa{area + 160}, 8, 0x1111);
    machine.memory.write(Hpa{area + 24}, 4, 0x1f00);
    machine.cpu.state.pkru = 4;
    machine.cpu.state.fpu.status = 0x3800;
    ASSERT_TRUE(machine.save(xrstor, 0x207));
    EXPECT_EQ(machine.cpu.state.vector[0], (VectorRegister{0x1111, 0, 0, 0}));
    EXPECT_EQ(machine.cpu.state.fpu, initial_fpu());
    EXPECT_EQ(machine.cpu.state.pkru, 0U);
    EXPECT_EQ(machine.cpu.state.mxcsr, 0x1f00U);
}

TEST(Xrstor, MxcsrComesFromMemoryInStandardFormEvenIfSseIsAbsent) {
    Machine machine{avx_model()};
    machine.memory.write(Hpa{area + 24}, 4, 0x1f00);
    ASSERT_TRUE(machine.save(xrstor, 0x4));
    EXPECT_EQ(machine.cpu.state.mxcsr, 0x1f00U);
    EXPECT_EQ(machine.cpu.state.vector[0], (VectorRegister{1, 0x100, 0, 0})) << "SSE was not requested";
    Machine compacted{avx_model()};
    compacted.memory.write(Hpa{area + 24}, 4, 0x1f00);
    compacted.memory.write(Hpa{area + 520}, 8, 0x8000'0000'0000'0007);
    ASSERT_TRUE(compacted.save(xrstor, 0x2));
    EXPECT_EQ(compacted.cpu.state.mxcsr, 0x1f80U) << "initialized with SSE";
}

TEST(Xrstor, AHeaderMustBeOneThatXsaveWrites) {
    struct Case {
        const char* what;
        Code code;
        std::uint64_t present, compaction, reserved, last;
        bool allowed;
    };
    constexpr std::uint64_t compact = 1ULL << 63;
    const Case cases[] = {
        {"standard", xrstor, 7, 0, 0, 0, true},
        {"standard: bytes 63:24 are not looked at", xrstor, 7, 0, 0, 1, true},
        {"standard: a component that XCR0 does not enable", xrstor, 1 << 5, 0, 0, 0, false},
        {"standard: bytes 15:8", xrstor, 7, 1, 0, 0, false},
        {"standard: bytes 23:16", xrstor, 7, 0, 1, 0, false},
        {"compacted", xrstor, 3, compact | 7, 0, 0, true},
        {"compacted: present but not in the layout", xrstor, 4, compact | 3, 0, 0, false},
        {"compacted: a layout beyond XCR0", xrstor, 0, compact | 8, 0, 0, false},
        {"compacted: bytes 63:16", xrstor, 3, compact | 7, 0, 1, false},
        {"supervisor form: compacted", xrstors, 3, compact | 7, 0, 0, true},
        {"supervisor form: standard", xrstors, 3, 0, 0, 0, false},
    };
    for (const Case& each : cases) {
        Machine machine{avx_model()};
        machine.memory.write(Hpa{area + 512}, 8, each.present);
        machine.memory.write(Hpa{area + 520}, 8, each.compaction);
        machine.memory.write(Hpa{area + 528}, 8, each.reserved);
        machine.memory.write(Hpa{area + 568}, 8, each.last);
        const Outcome outcome = machine.save(each.code, 7);
        EXPECT_EQ(outcome.has_value(), each.allowed) << each.what;
        if (!outcome) {
            EXPECT_EQ(outcome.error(), gp0) << each.what;
        }
    }
}

TEST(Xsave, FaultsOfEveryForm) {
    for (const Code code : {xsave, xsaveopt, xsavec, xsaves, xrstor, xrstors}) {
        Machine disabled{avx_model()};
        disabled.cpu.state.cr4 &= ~Cr4::osxsave.mask;
        disabled.cpu.state.cr0 |= Cr0::ts.mask;
        refresh(disabled.cpu);
        EXPECT_EQ(fault_of(disabled.save(code, 7)), ud);
        Machine switched{avx_model()};
        switched.cpu.state.cr0 |= Cr0::ts.mask;
        switched.cpu.state.gpr[rbx] = area + 16;
        refresh(switched.cpu);
        EXPECT_EQ(fault_of(switched.save(code, 7)), nm);
        Machine misaligned{avx_model()};
        misaligned.cpu.state.gpr[rbx] = area + 16;
        EXPECT_EQ(fault_of(misaligned.save(code, 7)), gp0);
    }
}

TEST(Xsave, AnAreaAcrossTwoPagesComesBackWhole) {
    Machine machine{avx_model()};
    machine.cpu.state.gpr[rbx] = area + 0xf80;
    const auto vector = machine.cpu.state.vector;
    ASSERT_TRUE(machine.save(xsave, 0x207));
    for (VectorRegister& each : machine.cpu.state.vector) each = {};
    ASSERT_TRUE(machine.save(xrstor, 0x207));
    EXPECT_EQ(machine.cpu.state.vector, vector);
}

// ---- tags and control word --------------------------------------------------------------------------------

TEST(FpuImage, TagsOfEachClassOfContent) {
    struct Case {
        const char* what;
        Float80 value;
        Tag tag;
    };
    const Case cases[] = {
        {"one", {1ULL << 63, 0x3fff}, Tag::valid},
        {"minus zero", {0, 0x8000}, Tag::zero},
        {"denormal", {1, 0}, Tag::special},
        {"pseudo-denormal", {1ULL << 63, 0}, Tag::special},
        {"infinity", {1ULL << 63, 0x7fff}, Tag::special},
        {"NaN", {3ULL << 62, 0xffff}, Tag::special},
        {"unnormal", {1, 0x3fff}, Tag::special},
    };
    for (const Case& each : cases) EXPECT_EQ(tag_of(each.value), each.tag) << each.what;
    FpuState fpu;
    set_full_tag_word(fpu, 0xfffc);
    EXPECT_EQ(fpu.empty, 0xfe);
    EXPECT_EQ(full_tag_word(fpu), 0xfffd) << "R0 is zero";
}

TEST(FpuImage, AnUnmaskedExceptionShowsInTheStatusWord) {
    FpuState fpu;
    set_control_and_status(fpu, 0x37e, 0x0001);
    EXPECT_EQ(fpu.status, 0x8081);
    set_control_and_status(fpu, 0x37f, 0x8081);
    EXPECT_EQ(fpu.status, 0x0001);
    set_control_and_status(fpu, 0xffff, 0);
    EXPECT_EQ(fpu.control, 0x1f7f);
}

// ---- MXCSR ------------------------------------------------------------------------------------------------

TEST(Mxcsr, LoadsAndStores) {
    Machine machine{avx_model()};
    machine.memory.write(Hpa{area}, 4, 0xffff);
    ASSERT_TRUE(machine.run_code({0x0f, 0xae, 0x10}));
    EXPECT_EQ(machine.cpu.state.mxcsr, 0xffffU);
    machine.memory.write(Hpa{area}, 4, 0x1'0000);
    machine.cpu.state.rip = BareMachine::code;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0xae, 0x10})), gp0);
    ASSERT_TRUE(machine.run_code({0xc5, 0xf8, 0xae, 0x18})) << "VSTMXCSR";
    EXPECT_EQ(machine.get(area, 4), 0xffffU);
    machine.cpu.state.xcr0 = 3;
    machine.cpu.state.rip = BareMachine::code;
    EXPECT_EQ(fault_of(machine.run_code({0xc5, 0xf8, 0xae, 0x18})), ud);
    machine.cpu.state.cr4 &= ~Cr4::osfxsr.mask;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0xae, 0x18})), ud);
}

}  // namespace
}  // namespace hyperstep::cpu
