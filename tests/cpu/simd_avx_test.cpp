#include <gtest/gtest.h>

#include "tests/cpu/simd_machine.hpp"

namespace hyperstep::cpu {
namespace {

TEST(SimdAvx, SseKeepsTheUpperHalfAndVexClearsIt) {
    SimdMachine machine;
    machine.ymm(0) = {1, 2, 3, 4};
    machine.ymm(1) = {5, 6, 7, 8};
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0xfc, 0xc1}));  // paddb xmm0, xmm1
    EXPECT_EQ(machine.ymm(0), (VectorRegister{6, 8, 3, 4}));
    machine.cpu.state.rip = SimdMachine::code;
    ASSERT_TRUE(machine.run_code({0xc5, 0xf9, 0xfc, 0xc1}));  // vpaddb xmm0, xmm0, xmm1
    EXPECT_EQ(machine.ymm(0), (VectorRegister{11, 14, 0, 0}));
    machine.cpu.state.rip = SimdMachine::code;
    ASSERT_TRUE(machine.run_code({0xc5, 0xfc, 0x77}));  // vzeroall
    EXPECT_EQ(machine.ymm(1), VectorRegister{});
}

TEST(SimdAvx, QuadwordsOfGeneralRegistersAreForeignTo32BitCode) {
    SimdMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.cr4 |= 1U << 18U;
    refresh(machine.cpu);
    ASSERT_TRUE(machine.run_code({0xc4, 0xe3, 0x61, 0x22, 0xc0, 0x00}));  // vpinsrd xmm0, xmm3, eax, 0
    machine.cpu.state.rip = SimdMachine::code;
    EXPECT_TRUE(raises(machine.run_code({0xc4, 0xe3, 0xe1, 0x22, 0xc0, 0x00}), Vector::ud));  // VEX.W = 1
    EXPECT_TRUE(
        raises(machine.run_code({0xc4, 0xe3, 0xf9, 0x16, 0xc0, 0x00}), Vector::ud));  // vpextrd, W = 1
}

TEST(SimdAvx, MaskedMovesTouchOnlyWhatIsChosen) {
    SimdMachine machine;
    // The last eight bytes of RAM; the page behind it does not exist, nor its translation.
    constexpr std::uint64_t end = 1ULL << 30U;
    machine.cpu.state.gpr[rdi] = end - 8;
    machine.ymm(1) = {0x8000'0000'0000'0000, 0, 0, 0};
    machine.ymm(2) = {0x1111'1111'2222'2222, 3, 4, 5};
    EXPECT_TRUE(machine.run_code({0xc4, 0xe2, 0x75, 0x2e, 0x17}));  // vmaskmovps [rdi], ymm1, ymm2
    machine.cpu.state.rip = SimdMachine::code;
    machine.ymm(1)[1] = 0x8000'0000;
    const Outcome outcome = machine.run_code({0xc4, 0xe2, 0x75, 0x2e, 0x17});
    ASSERT_TRUE(raises(outcome, Vector::pf));
    EXPECT_EQ(machine.cpu.fault_address, end);
}

TEST(SimdAvx, AGatherThatFaultsGoesOnWhereItWas) {
    SimdMachine machine;
    constexpr std::uint64_t present = SimdMachine::data;
    machine.put(present, {0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0});
    machine.cpu.state.gpr[rdi] = 0;
    // Lane 0 is there, lane 1 not chosen, lane 2 beyond what is mapped.
    machine.ymm(1) = {present | std::uint64_t{0x7000'0000} << 32U, 0x7000'0000, 0, 0};
    machine.ymm(2) = {0xffff'ffff, 0xffff'ffff, 9, 9};
    machine.ymm(0) = {~0ULL, ~0ULL, 7, 7};
    const std::initializer_list<std::uint8_t> vpgatherdd{0xc4, 0xe2, 0x69, 0x90, 0x04, 0x0f};
    ASSERT_TRUE(raises(machine.run_code(vpgatherdd), Vector::pf));  // xmm0, [rdi + xmm1], xmm2
    EXPECT_EQ(machine.ymm(0)[0], 0xffff'ffff'4433'2211);
    EXPECT_EQ(machine.ymm(2)[0], 0U);
    EXPECT_EQ(machine.ymm(2)[1], 0xffff'ffffU);
    machine.ymm(1)[1] = present + 4;
    ASSERT_TRUE(machine.run_code(vpgatherdd));
    EXPECT_EQ(machine.ymm(0), (VectorRegister{0xffff'ffff'4433'2211, 0xffff'ffff'0000'0000, 0, 0}));
    EXPECT_EQ(machine.ymm(2), VectorRegister{});
}

/// SDM "PCMPISTRI": "abc" is sought in a text; index, and flags of ends and matches.
TEST(SimdStrings, EqualOrdered) {
    SimdMachine machine;
    machine.ymm(0) = {0x63'6261, 0, 0, 0};                                  // "abc"
    machine.ymm(1) = {0x6261'7878'6362'6178, 0x6363'6363'6363'6363, 0, 0};  // "xabcxxabcccccccc"
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x0c}));
    EXPECT_EQ(machine.cpu.state.gpr[rcx], 1U);
    // CF: a match. SF: the first string ends. ZF: not so the second.
    EXPECT_EQ(machine.cpu.state.rflags & 0x8d5, 0x81U);
    machine.cpu.state.rip = SimdMachine::code;
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x4c}));  // the last one
    EXPECT_EQ(machine.cpu.state.gpr[rcx], 6U);
    machine.cpu.state.rip = SimdMachine::code;
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x0c}));  // pcmpistrm
    EXPECT_EQ(machine.ymm(0)[0], 1U << 1U | 1U << 6U);
}

}  // namespace
}  // namespace hyperstep::cpu
