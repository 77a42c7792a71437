#include <gtest/gtest.h>

#include "tests/cpu/simd_machine.hpp"

// SDM "Instruction Exception Specification" and "Exceptions Type 1" and following; MXCSR's exceptions.
namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t em = 1 << 2, ts = 1 << 3, ne = 1 << 5;
constexpr std::uint64_t osfxsr = 1 << 9, osxmmexcpt = 1 << 10, osxsave = 1 << 18;

#define PADDB_XMM \
    { 0x66, 0x0f, 0xfc, 0xc1 }
#define PADDB_MMX \
    { 0x0f, 0xfc, 0xc1 }
#define VPADDB \
    { 0xc5, 0xf1, 0xfc, 0xc2 }

struct Condition {
    std::uint64_t cr0_set, cr4_clear;
    int vector;  ///< -1: none
};

TEST(SimdExceptions, OfSse) {
    constexpr Condition table[] = {
        {0, 0, -1}, {ts, 0, 7}, {em, 0, 6}, {em | ts, 0, 6}, {0, osfxsr, 6}, {ts, osfxsr, 6}};
    for (const auto& row : table) {
        SimdMachine machine;
        machine.cpu.state.cr0 |= row.cr0_set;
        machine.cpu.state.cr4 &= ~row.cr4_clear;
        const Outcome outcome = machine.run_code(PADDB_XMM);
        if (row.vector < 0)
            EXPECT_TRUE(outcome);
        else
            EXPECT_TRUE(raises(outcome, static_cast<Vector>(row.vector))) << row.cr0_set;
    }
}

TEST(SimdExceptions, OfMmx) {
    // CR4.OSFXSR does not concern it.
    constexpr Condition table[] = {{0, osfxsr, -1}, {ts, 0, 7}, {em, 0, 6}, {em | ts, 0, 6}};
    for (const auto& row : table) {
        SimdMachine machine;
        machine.cpu.state.cr0 |= row.cr0_set;
        machine.cpu.state.cr4 &= ~row.cr4_clear;
        const Outcome outcome = machine.run_code(PADDB_MMX);
        if (row.vector < 0)
            EXPECT_TRUE(outcome);
        else
            EXPECT_TRUE(raises(outcome, static_cast<Vector>(row.vector))) << row.cr0_set;
    }
}

TEST(SimdExceptions, OfVex) {
    // CR0.EM and CR4.OSFXSR do not concern it.
    constexpr Condition table[] = {
        {0, 0, -1}, {em, osfxsr, -1}, {ts, 0, 7}, {0, osxsave, 6}, {ts, osxsave, 6}};
    for (const auto& row : table) {
        SimdMachine machine;
        machine.cpu.state.cr0 |= row.cr0_set;
        machine.cpu.state.cr4 &= ~row.cr4_clear;
        const Outcome outcome = machine.run_code(VPADDB);
        if (row.vector < 0)
            EXPECT_TRUE(outcome);
        else
            EXPECT_TRUE(raises(outcome, static_cast<Vector>(row.vector))) << row.cr0_set;
    }
    for (const std::uint64_t xcr0 : {1U, 3U, 5U}) {
        SimdMachine machine;
        machine.cpu.state.xcr0 = xcr0;
        EXPECT_TRUE(raises(machine.run_code(VPADDB), Vector::ud)) << xcr0;
    }
}

TEST(SimdExceptions, APendingX87ExceptionIsBeforeMmx) {
    SimdMachine machine;
    machine.cpu.state.fpu.status = 0x80;
    EXPECT_TRUE(raises(machine.run_code(PADDB_MMX), Vector::mf));
    machine.cpu.state.cr0 &= ~ne;
    EXPECT_TRUE(machine.run_code(PADDB_MMX));
    EXPECT_TRUE(machine.board.ferr);
    machine.cpu.state.cr0 |= ts;
    EXPECT_TRUE(raises(machine.run_code(PADDB_MMX), Vector::nm));
}

TEST(SimdExceptions, SixteenBytesOfLegacyEncodingsAreAligned) {
    SimdMachine machine;
    machine.cpu.state.gpr[rdi] = SimdMachine::data + 8;
    const Outcome paddb = machine.run_code({0x66, 0x0f, 0xfc, 0x07});
    ASSERT_FALSE(paddb);
    EXPECT_EQ(paddb.error(), (Fault{.vector = Vector::gp, .has_error_code = true, .error_code = 0}));
    EXPECT_TRUE(raises(machine.run_code({0x0f, 0x29, 0x07}), Vector::gp));        // movaps [rdi], xmm0
    EXPECT_TRUE(machine.run_code({0x0f, 0x11, 0x07}));                            // movups [rdi], xmm0
    EXPECT_TRUE(machine.run_code({0xf3, 0x0f, 0x58, 0x07}));                      // addss xmm0, [rdi]
    EXPECT_TRUE(machine.run_code({0x66, 0x0f, 0x3a, 0x63, 0x07, 0x00}));          // pcmpistri xmm0, [rdi], 0
    EXPECT_TRUE(machine.run_code({0xc5, 0xf1, 0xfc, 0x07}));                      // vpaddb xmm0, xmm1, [rdi]
    EXPECT_TRUE(raises(machine.run_code({0xc5, 0xf8, 0x28, 0x07}), Vector::gp));  // vmovaps xmm0, [rdi]
    machine.cpu.state.gpr[rdi] = SimdMachine::data + 16;
    EXPECT_TRUE(machine.run_code({0xc5, 0xf8, 0x28, 0x07}));
    EXPECT_TRUE(raises(machine.run_code({0xc5, 0xfc, 0x28, 0x07}), Vector::gp));  // vmovaps ymm0, [rdi]
}

TEST(SimdExceptions, MmxAliasesX87Registers) {
    SimdMachine machine;
    machine.cpu.state.fpu.status = 0x3800;
    machine.cpu.state.fpu.empty = 0xff;
    machine.cpu.state.gpr[rax] = 0x1234'5678;
    ASSERT_TRUE(machine.run_code({0x0f, 0x6e, 0xd8}));  // movd mm3, eax
    EXPECT_EQ(machine.cpu.state.fpu.status, 0);
    EXPECT_EQ(machine.cpu.state.fpu.empty, 0);
    EXPECT_EQ(machine.cpu.state.fpu.registers[3],
              (Float80{.significand = 0x1234'5678, .sign_exponent = 0xffff}));
    machine.cpu.state.rip = SimdMachine::code;
    ASSERT_TRUE(machine.run_code({0x0f, 0x77}));  // emms
    EXPECT_EQ(machine.cpu.state.fpu.empty, 0xff);
    EXPECT_EQ(machine.cpu.state.fpu.registers[3].sign_exponent, 0xffff);
}

// ---- floating point: divps xmm0, xmm1 with one pair of operands
// -----------------------------------------------

constexpr std::uint32_t one = 0x3f80'0000, two = 0x4000'0000, three = 0x4040'0000, zero = 0;
constexpr std::uint32_t snan = 0x7f80'0001, tiny = 0x0000'0001, least = 0x0080'0000, greatest = 0x7f7f'ffff;

struct Division {
    std::uint32_t a, b;
    std::uint32_t flags;
};
/// What is found of each: IE 1, DE 2, ZE 4, OE 8, UE 16, PE 32.
constexpr Division divisions[] = {
    {one, two, 0},
    {one, three, 32},
    {zero, zero, 1},
    {snan, one, 1},
    {one, zero, 4},
    {tiny, one, 2},
    {greatest, least, 8 | 32},
    {least, three, 16 | 32},
};

TEST(SimdExceptions, MaskedOnesSetFlagsUnmaskedOnesAreXm) {
    for (const auto& row : divisions) {
        for (unsigned unmasked = 0; unmasked < 64; ++unmasked) {
            SimdMachine machine;
            machine.cpu.state.mxcsr = 0x1f80 & ~(unmasked << 7U);
            machine.ymm(0) = {row.a | std::uint64_t{one} << 32U, 0x3f80'0000'3f80'0000, 5, 6};
            machine.ymm(1) = {row.b | std::uint64_t{one} << 32U, 0x3f80'0000'3f80'0000, 7, 8};
            const VectorRegister before = machine.ymm(0);
            // tiny / 1 is tiny and exact: #U if that is not masked, though it is not inexact.
            const bool exactly_tiny = row.a == tiny && (unmasked & 16U) != 0 && (unmasked & 2U) == 0;
            std::uint32_t flags = row.flags | (exactly_tiny ? 16U : 0U);
            const bool faults = (flags & unmasked) != 0;
            const Outcome outcome = machine.run_code({0x0f, 0x5e, 0xc1});
            if (faults) {
                EXPECT_TRUE(raises(outcome, Vector::xm)) << row.a << ' ' << unmasked;
                EXPECT_EQ(machine.ymm(0), before);
                // The overflowing quotient is a power of two apart from its significand: exact.
                if ((flags & unmasked & 7U) != 0) flags &= 7U;
                EXPECT_EQ(machine.cpu.state.mxcsr & 0x1f, flags & 0x1f) << row.a << ' ' << unmasked;
            } else {
                EXPECT_TRUE(outcome);
                EXPECT_EQ(machine.cpu.state.mxcsr & 0x3f, flags) << row.a << ' ' << unmasked;
                EXPECT_EQ(machine.ymm(0)[2], 5U);
            }
        }
    }
}

TEST(SimdExceptions, WithoutOsxmmexcptItIsUd) {
    SimdMachine machine;
    machine.cpu.state.cr4 &= ~osxmmexcpt;
    machine.cpu.state.mxcsr = 0x1f00;
    machine.ymm(0) = {};
    machine.ymm(1) = {};
    EXPECT_TRUE(raises(machine.run_code({0x0f, 0x5e, 0xc1}), Vector::ud));
    EXPECT_EQ(machine.cpu.state.mxcsr, 0x1f01U);
}

TEST(SimdExceptions, ADenormalIsNotReportedBesideAnUnmaskedInvalidOne) {
    // One lane is invalid, one overflows: with #I unmasked the overflow is not looked for.
    SimdMachine machine;
    machine.cpu.state.mxcsr = 0x1f00;
    machine.ymm(0) = {snan | std::uint64_t{greatest} << 32U, 0x3f80'0000'3f80'0000, 0, 0};
    machine.ymm(1) = {one | std::uint64_t{least} << 32U, 0x3f80'0000'3f80'0000, 0, 0};
    EXPECT_TRUE(raises(machine.run_code({0x0f, 0x5e, 0xc1}), Vector::xm));
    EXPECT_EQ(machine.cpu.state.mxcsr, 0x1f01U);
}

}  // namespace
}  // namespace hyperstep::cpu
