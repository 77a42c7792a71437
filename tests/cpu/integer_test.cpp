#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// What the comparison with the host's processor (tests/cpu/native) cannot show: instructions that fault by
// themselves, modes that a user program cannot enter, features that a model lacks. SDM volume 2, by name.
namespace hyperstep::cpu {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr Fault general_protection_0{.vector = Vector::gp, .has_error_code = true};

Outcome run(BareMachine& machine, const Bytes& code) {
    machine.cpu.state.rip = BareMachine::code;
    machine.put(BareMachine::code, code);
    return execute_one(machine.cpu);
}

TEST(Integer, LockIsAllowedForTheListedInstructionsWithAMemoryDestination) {
    // SDM "LOCK": ADD ADC AND BTC BTR BTS CMPXCHG CMPXCHG8B CMPXCHG16B DEC INC NEG NOT OR SBB SUB XOR XADD
    // XCHG.
    const Bytes allowed[] = {
        {0xf0, 0x01, 0x08},       {0xf0, 0x11, 0x08},       {0xf0, 0x21, 0x08},
        {0xf0, 0x0f, 0xbb, 0x08}, {0xf0, 0x0f, 0xb3, 0x08}, {0xf0, 0x0f, 0xab, 0x08},
        {0xf0, 0x0f, 0xb1, 0x08}, {0xf0, 0x0f, 0xc7, 0x08}, {0xf0, 0x48, 0x0f, 0xc7, 0x08},
        {0xf0, 0xff, 0x08},       {0xf0, 0xff, 0x00},       {0xf0, 0xf7, 0x18},
        {0xf0, 0xf7, 0x10},       {0xf0, 0x09, 0x08},       {0xf0, 0x19, 0x08},
        {0xf0, 0x29, 0x08},       {0xf0, 0x31, 0x08},       {0xf0, 0x0f, 0xc1, 0x08},
        {0xf0, 0x87, 0x08},       {0xf0, 0x83, 0x00, 0x01}, {0xf0, 0x0f, 0xba, 0x28, 0x01},
    };
    for (const Bytes& code : allowed) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rax] = BareMachine::data;
        EXPECT_TRUE(run(machine, code)) << testing::PrintToString(code);
    }
    const Bytes refused[] = {
        {0xf0, 0x01, 0xc8},              // add eax, ecx
        {0xf0, 0x03, 0x08},              // add ecx, [rax]
        {0xf0, 0x39, 0x08},              // cmp [rax], ecx
        {0xf0, 0x85, 0x08},              // test [rax], ecx
        {0xf0, 0x89, 0x08},              // mov [rax], ecx
        {0xf0, 0x88, 0x08},              // mov [rax], cl
        {0xf0, 0xc7, 0x00, 0, 0, 0, 0},  // mov dword [rax], 0
        {0xf0, 0xd1, 0x20},              // shl dword [rax], 1
        {0xf0, 0xd3, 0x18},              // rcr dword [rax], cl
        {0xf0, 0x0f, 0xa5, 0x08},        // shld [rax], ecx, cl
        {0xf0, 0x0f, 0xa3, 0x08},        // bt [rax], ecx
        {0xf0, 0xf7, 0x20},              // mul dword [rax]
        {0xf0, 0xf7, 0x30},              // div dword [rax]
        {0xf0, 0x50},                    // push rax
        {0xf0, 0x8f, 0x00},              // pop [rax]
        {0xf0, 0xa4},                    // movsb
        {0xf0, 0xaa},                    // stosb
        {0xf0, 0x0f, 0x90, 0x00},        // seto [rax]
        {0xf0, 0x0f, 0x40, 0x08},        // cmovo ecx, [rax]
        {0xf0, 0xeb, 0x00},              // jmp
        {0xf0, 0xe8, 0, 0, 0, 0},        // call
        {0xf0, 0xc3},                    // ret
        {0xf0, 0x87, 0xc8},              // xchg eax, ecx
        {0xf0, 0x90},                    // nop
        {0xf0, 0x0f, 0x38, 0xf1, 0x08},  // movbe [rax], ecx
        {0xf0, 0x0f, 0xae, 0x38},        // clflush
        {0xf0, 0x8d, 0x08},              // lea ecx, [rax]
    };
    for (const Bytes& code : refused) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rax] = BareMachine::data;
        const Outcome outcome = run(machine, code);
        ASSERT_FALSE(outcome) << testing::PrintToString(code);
        EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::ud})) << testing::PrintToString(code);
    }
}

TEST(Integer, DivisionErrors) {
    struct Case {
        Bytes code;
        std::uint64_t rdx_, rax_, rcx_;
    };
    const Case faulting[] = {
        {{0xf6, 0xf1}, 0, 0x0100, 0},                           // div cl: by 0
        {{0xf6, 0xf1}, 0, 0x0100, 1},                           // quotient 256
        {{0xf6, 0xf9}, 0, 0x0080, 1},                           // idiv cl: quotient 128
        {{0xf6, 0xf9}, 0, 0x8000, 1},                           // quotient -32768
        {{0xf7, 0xf1}, 5, 0, 5},                                // div ecx: quotient 2^32
        {{0xf7, 0xf9}, 0xffff'ffff, 0x8000'0000, 0xffff'ffff},  // idiv ecx: -2^31 / -1
        {{0x48, 0xf7, 0xf1}, 7, ~0ULL, 7},                      // div rcx
        {{0x48, 0xf7, 0xf9}, 1ULL << 63, 0, ~0ULL},             // idiv rcx: -2^127 / -1
        {{0x48, 0xf7, 0xf9}, ~0ULL, 1ULL << 63, ~0ULL},         // -2^63 / -1
    };
    for (const Case& each : faulting) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rdx] = each.rdx_;
        machine.cpu.state.gpr[rax] = each.rax_;
        machine.cpu.state.gpr[rcx] = each.rcx_;
        const Outcome outcome = run(machine, each.code);
        ASSERT_FALSE(outcome) << testing::PrintToString(each.code);
        EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::de}));
        EXPECT_EQ(machine.cpu.state.gpr[rax], each.rax_);
        EXPECT_EQ(machine.cpu.state.gpr[rdx], each.rdx_);
    }
    // -2^63 / 1 fits.
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rdx] = ~0ULL;
    machine.cpu.state.gpr[rax] = 1ULL << 63;
    machine.cpu.state.gpr[rcx] = 1;
    ASSERT_TRUE(run(machine, {0x48, 0xf7, 0xf9}));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 1ULL << 63);
    EXPECT_EQ(machine.cpu.state.gpr[rdx], 0U);
}

TEST(Integer, AamByZeroIsADivideError) {
    BareMachine machine;
    machine.enter_protected_32();
    const Outcome outcome = run(machine, {0xd4, 0x00});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::de}));
}

TEST(Integer, Outside64BitModeOnly) {
    for (const std::uint8_t opcode :
         Bytes{0x06, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0xd4, 0xd5, 0xd6}) {
        BareMachine machine;
        machine.enter_long_mode();
        const Outcome outcome = run(machine, {opcode, 0x08, 0x08});
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::ud})) << std::hex << unsigned{opcode};
    }
}

TEST(Integer, BoundComparesSigned) {
    struct Case {
        std::uint64_t index;
        bool within;
    };
    for (const Case& each : {Case{0xffff'fffe, true}, {3, true}, {4, false}, {0xffff'fffd, false}}) {
        BareMachine machine;
        machine.enter_protected_32();
        machine.memory.write(Hpa{BareMachine::data}, 4, 0xffff'fffe);
        machine.memory.write(Hpa{BareMachine::data + 4}, 4, 3);
        machine.cpu.state.gpr[rax] = BareMachine::data;
        machine.cpu.state.gpr[rcx] = each.index;
        const Outcome outcome = run(machine, {0x62, 0x08});
        ASSERT_EQ(outcome.has_value(), each.within);
        if (!each.within) {
            EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::br}));
        }
    }
}

TEST(Integer, Cmpxchg16bMustBeAligned) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rdi] = BareMachine::data + 8;
    const Outcome outcome = run(machine, {0x48, 0x0f, 0xc7, 0x0f});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), general_protection_0);
}

TEST(Integer, Movdir64bMovesALineToEs) {
    BareMachine machine;
    machine.enter_long_mode();
    for (std::uint64_t i = 0; i < 64; ++i) machine.memory.write(Hpa{BareMachine::data + 0xfe3 + i}, 1, i + 1);
    machine.cpu.state.gpr[rax] = BareMachine::data + 0xfe3;
    machine.cpu.state.gpr[rcx] = BareMachine::data + 0x2040;
    ASSERT_TRUE(run(machine, {0x66, 0x0f, 0x38, 0xf8, 0x08}));
    for (std::uint64_t i = 0; i < 64; ++i) EXPECT_EQ(machine.get(BareMachine::data + 0x2040 + i, 1), i + 1);
    machine.cpu.state.gpr[rcx] = BareMachine::data + 0x2050;
    const Outcome outcome = run(machine, {0x66, 0x0f, 0x38, 0xf8, 0x08});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), general_protection_0);
}

TEST(Integer, AFlushIsCheckedLikeALoadButMayUseAnExecuteOnlySegment) {
    BareMachine machine;
    machine.enter_protected_32();
    machine.cpu.state.segment[cs].rights.raw &= ~2ULL;  // not readable
    refresh(machine.cpu);
    machine.cpu.state.gpr[rax] = BareMachine::data;
    EXPECT_TRUE(run(machine, {0x2e, 0x0f, 0xae, 0x38}));    // clflush cs:[eax]
    const Outcome load = run(machine, {0x2e, 0x8b, 0x00});  // mov eax, cs:[eax]
    ASSERT_FALSE(load);
    EXPECT_EQ(load.error(), general_protection_0);
    machine.cpu.state.segment[ds].limit = 0xffff;
    refresh(machine.cpu);
    const Outcome beyond = run(machine, {0x0f, 0xae, 0x38});
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error(), general_protection_0);
}

TEST(Integer, AConditionalMoveReadsItsSourceAndClearsTheUpperHalfAnyway) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = ~0ULL;
    ASSERT_TRUE(run(machine, {0x0f, 0x44, 0xc1}));  // cmovz eax, ecx with ZF = 0
    EXPECT_EQ(machine.cpu.state.gpr[rax], 0xffff'ffffU);
    machine.cpu.state.gpr[rcx] = 1ULL << 63;
    const Outcome outcome = run(machine, {0x0f, 0x44, 0x01});  // cmovz eax, [rcx]
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), general_protection_0);
}

TEST(Integer, WithoutItsFeatureAnInstructionIsUndefinedOrAnOlderOne) {
    struct Case {
        Feature feature;
        Bytes code;
    };
    const Case cases[] = {
        {Feature::cmov, {0x0f, 0x44, 0xc1}},
        {Feature::movbe, {0x0f, 0x38, 0xf0, 0x00}},
        {Feature::popcnt, {0xf3, 0x0f, 0xb8, 0xc1}},
        {Feature::cx8, {0x0f, 0xc7, 0x08}},
        {Feature::cx16, {0x48, 0x0f, 0xc7, 0x08}},
        {Feature::lahf_64, {0x9f}},
        {Feature::lahf_64, {0x9e}},
        {Feature::adx, {0x66, 0x0f, 0x38, 0xf6, 0xc1}},
        {Feature::bmi1, {0xc4, 0xe2, 0x78, 0xf2, 0xc1}},
        {Feature::bmi2, {0xc4, 0xe2, 0x7b, 0xf6, 0xc1}},
        {Feature::movdiri, {0x0f, 0x38, 0xf9, 0x08}},
        {Feature::movdir64b, {0x66, 0x0f, 0x38, 0xf8, 0x00}},
        {Feature::clfsh, {0x0f, 0xae, 0x38}},
        {Feature::clflushopt, {0x66, 0x0f, 0xae, 0x38}},
        {Feature::clwb, {0x66, 0x0f, 0xae, 0x30}},
    };
    for (const Case& each : cases) {
        for (const bool has : {true, false}) {
            Model model = model_max();
            model.features.set(static_cast<std::size_t>(each.feature), has);
            BareMachine machine{model};
            machine.enter_long_mode();
            machine.cpu.state.gpr[rax] = BareMachine::data;
            const Outcome outcome = run(machine, each.code);
            EXPECT_EQ(outcome.has_value(), has) << testing::PrintToString(each.code);
            if (!outcome) {
                EXPECT_EQ(outcome.error(), (Fault{.vector = Vector::ud}));
            }
        }
    }
    // LZCNT is BSR with a prefix that is ignored.
    Model model = model_max();
    model.features.reset(static_cast<std::size_t>(Feature::lzcnt));
    BareMachine machine{model};
    machine.enter_long_mode();
    machine.cpu.state.gpr[rcx] = 0x10;
    ASSERT_TRUE(run(machine, {0xf3, 0x0f, 0xbd, 0xc1}));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 4U);
}

TEST(Integer, VexEncodedInstructionsNeedProtectedModeAndL0) {
    const Bytes andn{0xc4, 0xe2, 0x78, 0xf2, 0xc1};
    BareMachine real;
    real.enter_real_mode();
    const Outcome in_real_mode = real.run_code({0xc4, 0xe2, 0x78, 0xf2, 0xc1});
    ASSERT_FALSE(in_real_mode);
    EXPECT_EQ(in_real_mode.error(), (Fault{.vector = Vector::ud}));
    BareMachine machine;
    machine.enter_protected_32();
    EXPECT_TRUE(run(machine, andn));
    const Outcome with_l = run(machine, {0xc4, 0xe2, 0x7c, 0xf2, 0xc1});
    ASSERT_FALSE(with_l);
    EXPECT_EQ(with_l.error(), (Fault{.vector = Vector::ud}));
}

TEST(Integer, TheAddressOfABitStringWrapsAtTheAddressSize) {
    BareMachine machine;
    machine.enter_protected_16();
    machine.memory.write(Hpa{0xfffe}, 2, 0x8000);
    machine.cpu.state.gpr[rbx] = 0;
    machine.cpu.state.gpr[rax] = 0xffff;            // bit -1: the top bit of the word at FFFE
    ASSERT_TRUE(run(machine, {0x0f, 0xb3, 0x07}));  // btr [bx], ax
    EXPECT_EQ(machine.get(0xfffe, 2), 0U);
    EXPECT_EQ(machine.cpu.state.rflags & 1, 1U);
}

TEST(Integer, ASourceOfZeroLeavesTheDestinationOfABitScan) {
    for (const std::uint8_t opcode : Bytes{0xbc, 0xbd}) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rax] = ~0ULL;
        ASSERT_TRUE(run(machine, {0x0f, opcode, 0xc1}));
        EXPECT_EQ(machine.cpu.state.gpr[rax], ~0ULL);
        EXPECT_EQ(machine.cpu.state.rflags & 0x40, 0x40U);
    }
}

TEST(Integer, NoOperationsTouchNeitherMemoryNorState) {
    const Bytes nops[] = {{0x90},
                          {0x66, 0x90},
                          {0x0f, 0x1f, 0x00},
                          {0x66, 0x0f, 0x1f, 0x84, 0x00, 0, 0, 0, 0},
                          {0xf3, 0x0f, 0x1e, 0xfa},
                          {0xf3, 0x0f, 0x1e, 0xfb},
                          {0x0f, 0x18, 0x00},
                          {0x0f, 0x18, 0x18},
                          {0x0f, 0x0d, 0x00},
                          {0x0f, 0x0d, 0x08},
                          {0x0f, 0x0d, 0xc8},
                          {0x0f, 0x19, 0x00},
                          {0x0f, 0x1c, 0x00}};
    for (const Bytes& code : nops) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.gpr[rax] = 1ULL << 63;  // an access there would fault
        State expected = machine.cpu.state;
        ASSERT_TRUE(run(machine, code)) << testing::PrintToString(code);
        expected.rip += code.size();
        expected.retired = 1;
        EXPECT_TRUE(machine.cpu.state == expected) << testing::PrintToString(code);
    }
}

}  // namespace
}  // namespace hyperstep::cpu
