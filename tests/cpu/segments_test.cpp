#include <gtest/gtest.h>

#include "tests/cpu/fault_order.hpp"

// Loads of segment registers, and instructions on descriptor tables: SDM "MOV", "POP", "LDS", "LLDT", "LTR",
// "LAR" ...
namespace hyperstep::cpu {
namespace {

using M = TableMachine;
constexpr std::uint16_t beyond = 0x1000;
constexpr std::uint64_t code_and_readable = code_bit | writable_bit;

void aim(M& machine, std::uint16_t selector) {
    machine.cpu.state.gpr[rax] = selector;
}
Outcome mov_ds(M& machine) {
    return machine.run_code({0x8e, 0xd8});
}
Outcome mov_ss(M& machine) {
    return machine.run_code({0x8e, 0xd0});
}

TEST(Segments, ChecksOfADataSegment) {
    constexpr Check checks[] = {
        {"beyond", [](M& m) { aim(m, beyond); }, fault(Vector::gp, beyond)},
        {"beyond the LDT", [](M& m) { aim(m, 0x14); }, fault(Vector::gp, 0x14)},
        {"code that is not readable",
         [](M& m) { set_bits(m, M::data_3, code_bit), clear_bits(m, M::data_3, writable_bit); },
         fault(Vector::gp, M::data_3 & ~3)},
        {"system segment",
         [](M& m) { clear_bits(m, M::data_3, 1ULL << 44); },
         fault(Vector::gp, M::data_3 & ~3)},
        {"DPL below CPL",
         [](M& m) { clear_bits(m, M::data_3, dpl_bits); },
         fault(Vector::gp, M::data_3 & ~3)},
        {"present", [](M& m) { clear_bits(m, M::data_3, present_bit); }, fault(Vector::np, M::data_3 & ~3)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_protected_with_tables(3);
            aim(machine, M::data_3);
        },
        mov_ds);
}

TEST(Segments, TheRplIsComparedTooButNotForConformingCode) {
    M machine;
    machine.enter_protected_with_tables(0);
    aim(machine, M::data_0 | 3);
    EXPECT_EQ(mov_ds(machine).error(), fault(Vector::gp, M::data_0));
    aim(machine, M::conforming_code | 3);
    EXPECT_TRUE(mov_ds(machine));
}

TEST(Segments, ChecksOfAStackSegment) {
    constexpr Check checks[] = {
        {"null", [](M& m) { aim(m, 3); }, fault(Vector::gp, 0)},
        {"beyond", [](M& m) { aim(m, beyond); }, fault(Vector::gp, beyond)},
        {"RPL", [](M& m) { aim(m, M::data_3 & ~3); }, fault(Vector::gp, M::data_3 & ~3)},
        {"writable", [](M& m) { clear_bits(m, M::data_3, writable_bit); }, fault(Vector::gp, M::data_3 & ~3)},
        {"code", [](M& m) { set_bits(m, M::data_3, code_and_readable); }, fault(Vector::gp, M::data_3 & ~3)},
        {"DPL", [](M& m) { clear_bits(m, M::data_3, dpl_bits); }, fault(Vector::gp, M::data_3 & ~3)},
        {"present", [](M& m) { clear_bits(m, M::data_3, present_bit); }, fault(Vector::ss, M::data_3 & ~3)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_protected_with_tables(3);
            aim(machine, M::data_3);
        },
        mov_ss);
}

TEST(Segments, ANullSsIsFor64BitModeBelowLevel3) {
    struct {
        unsigned cpl;
        std::uint16_t selector;
        bool allowed;
    } const rows[] = {{0, 0, true}, {0, 1, false}, {3, 3, false}, {3, 0, false}};
    for (const auto& row : rows) {
        M machine;
        machine.enter_long_with_tables(row.cpl);
        aim(machine, row.selector);
        EXPECT_EQ(mov_ss(machine).has_value(), row.allowed) << row.cpl << row.selector;
        EXPECT_EQ(machine.cpu.cpl, row.cpl);
    }
}

TEST(Segments, ALoadMarksTheDescriptorAccessed) {
    M machine;
    machine.enter_protected_with_tables(0);
    machine.set_descriptor(M::free_selector, segment_descriptor(0x1234'5678, 0xfffff, 0x92, 0xc));
    aim(machine, M::free_selector);
    ASSERT_TRUE(mov_ds(machine));
    EXPECT_EQ(
        machine.cpu.state.segment[ds],
        (Segment{
            .selector = M::free_selector, .base = 0x1234'5678, .limit = 0xffff'ffff, .rights = {{0xc093}}}));
    EXPECT_NE(machine.descriptor(M::free_selector) & accessed_bit, 0U);
}

TEST(Segments, TheLdtHasSelectorsOfItsOwn) {
    M machine;
    machine.enter_protected_with_tables(0);
    aim(machine, M::ldt_selector);
    ASSERT_TRUE(machine.run_code({0x0f, 0x00, 0xd0}));  // lldt ax
    machine.memory.write(Hpa{M::ldt + 8}, 8, segment_descriptor(0x777, 0xffff, 0x93, 0));
    aim(machine, 0xc);
    ASSERT_TRUE(mov_ds(machine));
    EXPECT_EQ(machine.cpu.state.segment[ds].base, 0x777U);
    aim(machine, 0);
    ASSERT_TRUE(machine.run_code({0x0f, 0x00, 0xd0}));
    aim(machine, 0xc);
    EXPECT_EQ(mov_ds(machine).error(), fault(Vector::gp, 0xc));
}

TEST(Segments, RealModeKeepsLimits) {
    M machine;
    machine.enter_real_mode();
    machine.cpu.state.segment[ds].limit = 0xffff'ffff;
    aim(machine, 0x1234);
    ASSERT_TRUE(mov_ds(machine));
    EXPECT_EQ(machine.cpu.state.segment[ds].base, 0x12340U);
    EXPECT_EQ(machine.cpu.state.segment[ds].limit, 0xffff'ffffU);
}

TEST(Segments, PopAndLoadPointer) {
    M machine;
    machine.enter_protected_with_tables(0);
    Cpu& cpu = machine.cpu;
    machine.memory.write(Hpa{BareMachine::stack}, 4, 0xdead'0000 | M::data_0);
    ASSERT_TRUE(machine.run_code({0x17}));  // pop ss
    EXPECT_EQ(cpu.state.segment[ss].selector, M::data_0);
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack + 4);
    EXPECT_TRUE(cpu.state.blocking.mov_ss);
    machine.memory.write(Hpa{BareMachine::data}, 4, 0x1234'5678);
    machine.memory.write(Hpa{BareMachine::data + 4}, 2, beyond);
    cpu.state.gpr[rbx] = BareMachine::data;
    EXPECT_EQ(machine.run_code({0x0f, 0xb2, 0x23}).error(), fault(Vector::gp, beyond));  // lss esp, [ebx]
    EXPECT_EQ(cpu.state.gpr[rsp], BareMachine::stack + 4);
    machine.memory.write(Hpa{BareMachine::data + 4}, 2, M::data_0);
    cpu.state.blocking = {};
    ASSERT_TRUE(machine.run_code({0x0f, 0xb2, 0x23}));
    EXPECT_EQ(cpu.state.gpr[rsp], 0x1234'5678U);
    EXPECT_FALSE(cpu.state.blocking.mov_ss);
}

// ---- tables

TEST(Segments, ChecksOfLtr) {
    constexpr Check checks[] = {
        {"null", [](M& m) { aim(m, 3); }, fault(Vector::gp, 0)},
        {"in the LDT", [](M& m) { aim(m, 0x74); }, fault(Vector::gp, 0x74)},
        {"beyond", [](M& m) { aim(m, beyond); }, fault(Vector::gp, beyond)},
        {"busy",
         [](M& m) { set_bits(m, M::free_selector, writable_bit); },
         fault(Vector::gp, M::free_selector)},
        {"present",
         [](M& m) { clear_bits(m, M::free_selector, present_bit); },
         fault(Vector::np, M::free_selector)},
    };
    const auto ltr = [](M& machine) { return machine.run_code({0x0f, 0x00, 0xd8}); };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_protected_with_tables(0);
            machine.set_descriptor(M::free_selector, segment_descriptor(0x1000, 0x67, 0x89, 0));
            aim(machine, M::free_selector);
        },
        ltr);
    M machine;
    machine.enter_long_with_tables(0);
    machine.set_descriptor(M::free_selector, segment_descriptor(0x1000, 0x67, 0x89, 0));
    machine.set_descriptor(M::free_selector + 8, 0xffff'8000);
    aim(machine, M::free_selector);
    ASSERT_TRUE(ltr(machine));
    EXPECT_EQ(machine.cpu.state.tr.base, 0xffff'8000'0000'1000U);
    EXPECT_EQ(machine.cpu.state.tr.rights.raw, 0x8bU);
    EXPECT_NE(machine.descriptor(M::free_selector) & writable_bit, 0U);
}

TEST(Segments, LgdtAndSgdtBySize) {
    M machine;
    machine.enter_protected_with_tables(0);
    Cpu& cpu = machine.cpu;
    cpu.state.gpr[rbx] = BareMachine::data;
    machine.memory.write(Hpa{BareMachine::data}, 8, 0x9876'5432'1234);
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0x01, 0x13}));  // 16-bit operands: 24 bits of base
    EXPECT_EQ(cpu.state.gdtr, (TableRegister{.base = 0x76'5432, .limit = 0x1234}));
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0x13}));
    EXPECT_EQ(cpu.state.gdtr.base, 0x9876'5432U);
    cpu.state.gpr[rbx] = BareMachine::data + 0x10;
    ASSERT_TRUE(machine.run_code({0x66, 0x0f, 0x01, 0x03}));
    EXPECT_EQ(machine.get(BareMachine::data + 0x10, 8), 0x9876'5432'1234U);

    M wide;
    wide.enter_long_with_tables(0);
    wide.cpu.state.gpr[rbx] = BareMachine::data;
    wide.memory.write(Hpa{BareMachine::data + 2}, 8, 0x8000'0000'0000);
    EXPECT_EQ(wide.run_code({0x0f, 0x01, 0x13}).error(), fault(Vector::gp, 0));
}

TEST(Segments, UmipAndPrivilege) {
    struct {
        std::initializer_list<std::uint8_t> code;
        bool always_privileged;
    } const rows[] = {
        {{0x0f, 0x01, 0x13}, true},   // lgdt
        {{0x0f, 0x01, 0x1b}, true},   // lidt
        {{0x0f, 0x00, 0xd0}, true},   // lldt
        {{0x0f, 0x00, 0xd8}, true},   // ltr
        {{0x0f, 0x01, 0x03}, false},  // sgdt
        {{0x0f, 0x01, 0x0b}, false},  // sidt
        {{0x0f, 0x00, 0xc0}, false},  // sldt
        {{0x0f, 0x00, 0xc8}, false},  // str
    };
    for (const auto& row : rows) {
        for (const bool umip : {false, true}) {
            M machine;
            machine.enter_protected_with_tables(3);
            if (umip) machine.cpu.state.cr4 |= Cr4::umip.mask;
            machine.cpu.state.gpr[rbx] = BareMachine::data;
            const Outcome outcome = machine.run_code(row.code);
            ASSERT_EQ(outcome.has_value(), !(row.always_privileged || umip));
            EXPECT_TRUE(outcome || outcome.error() == fault(Vector::gp, 0));
        }
    }
}

TEST(Segments, SystemSegmentsDoNotExistInRealMode) {
    M machine;
    machine.enter_real_mode();
    for (const unsigned modrm : {0xc0U, 0xc8U, 0xd0U, 0xd8U, 0xe0U, 0xe8U})
        EXPECT_EQ(machine.run_code({0x0f, 0x00, static_cast<std::uint8_t>(modrm)}).error(),
                  (Fault{.vector = Vector::ud}));
    EXPECT_EQ(machine.run_code({0x0f, 0x02, 0xc1}).error(), (Fault{.vector = Vector::ud}));
    EXPECT_EQ(machine.run_code({0x63, 0xc1}).error(), (Fault{.vector = Vector::ud}));
}

/// The tables of types in SDM "LAR" and "LSL".
TEST(Segments, TypesThatLarAndLslKnow) {
    const auto asks = [](M& machine, std::uint8_t opcode, unsigned type) {
        machine.set_descriptor(M::free_selector, segment_descriptor(0, 0x12345, 0x80 | type, 0));
        machine.cpu.state.gpr[rcx] = M::free_selector;
        machine.cpu.state.gpr[rax] = 0;
        EXPECT_TRUE(machine.run_code({0x0f, opcode, 0xc1}));
        const bool yes = machine.cpu.rflags()[Rflags::zf];
        EXPECT_EQ(machine.cpu.state.gpr[rax],
                  !yes             ? 0
                  : opcode == 0x03 ? 0x12345
                                   : (0x8000U | type << 8 | 0x1'0000));
        return yes;
    };
    constexpr bool lar[] = {0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0};
    constexpr bool lsl[] = {0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0};
    constexpr bool lar_ia32e[] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0};
    constexpr bool lsl_ia32e[] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0};
    M narrow, wide;
    narrow.enter_protected_with_tables(0);
    wide.enter_long_with_tables(0);
    for (unsigned type = 0; type < 16; ++type) {
        EXPECT_EQ(asks(narrow, 0x02, type), lar[type]) << type;
        EXPECT_EQ(asks(narrow, 0x03, type), lsl[type]) << type;
        EXPECT_EQ(asks(wide, 0x02, type), lar_ia32e[type]) << type;
        EXPECT_EQ(asks(wide, 0x03, type), lsl_ia32e[type]) << type;
    }
}

TEST(Segments, VerrVerwAndVisibility) {
    struct {
        std::uint64_t type;
        bool readable, writable;
    } const rows[] = {
        {0x91, true, false},   // data, read only
        {0x93, true, true},    // data
        {0x99, false, false},  // code, execute only
        {0x9b, true, false},   // code
        {0x82, false, false},  // LDT
    };
    for (const auto& row : rows) {
        for (const bool visible : {true, false}) {
            M machine;
            machine.enter_protected_with_tables(visible ? 0 : 3);
            machine.set_descriptor(M::free_selector, segment_descriptor(0, 0xffff, row.type, 0));
            aim(machine, M::free_selector);
            ASSERT_TRUE(machine.run_code({0x0f, 0x00, 0xe0}));
            EXPECT_EQ(machine.cpu.rflags()[Rflags::zf], row.readable && visible) << row.type;
            ASSERT_TRUE(machine.run_code({0x0f, 0x00, 0xe8}));
            EXPECT_EQ(machine.cpu.rflags()[Rflags::zf], row.writable && visible) << row.type;
        }
    }
}

TEST(Segments, ArplRaisesTheRpl) {
    M machine;
    machine.enter_protected_with_tables(0);
    Cpu& cpu = machine.cpu;
    cpu.state.gpr[rax] = 0x1231;
    cpu.state.gpr[rcx] = 2;
    ASSERT_TRUE(machine.run_code({0x63, 0xc8}));  // arpl ax, cx
    EXPECT_EQ(cpu.state.gpr[rax], 0x1232U);
    EXPECT_TRUE(cpu.rflags()[Rflags::zf]);
    ASSERT_TRUE(machine.run_code({0x63, 0xc8}));
    EXPECT_EQ(cpu.state.gpr[rax], 0x1232U);
    EXPECT_FALSE(cpu.rflags()[Rflags::zf]);
}

TEST(Segments, BasesOfFsAndGs) {
    M machine;
    machine.enter_long_with_tables(0);
    Cpu& cpu = machine.cpu;
    cpu.state.gpr[rax] = 0xffff'8000'1234'5678;
    EXPECT_EQ(machine.run_code({0xf3, 0x48, 0x0f, 0xae, 0xd8}).error(), (Fault{.vector = Vector::ud}));
    cpu.state.cr4 |= Cr4::fsgsbase.mask;
    refresh(cpu);
    ASSERT_TRUE(machine.run_code({0xf3, 0x48, 0x0f, 0xae, 0xd8}));  // wrgsbase rax
    ASSERT_TRUE(machine.run_code({0xf3, 0x0f, 0xae, 0xc9}));        // rdgsbase ecx
    EXPECT_EQ(cpu.state.gpr[rcx], 0x1234'5678U);
    cpu.state.msr.kernel_gs_base = 0x55;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xf8}));  // swapgs
    EXPECT_EQ(cpu.state.segment[gs].base, 0x55U);
    EXPECT_EQ(cpu.quick_base[gs], 0x55U);
    EXPECT_EQ(cpu.state.msr.kernel_gs_base, 0xffff'8000'1234'5678U);
    cpu.state.gpr[rax] = 0x8000'0000'0000;
    EXPECT_EQ(machine.run_code({0xf3, 0x48, 0x0f, 0xae, 0xd8}).error(), fault(Vector::gp, 0));
}

}  // namespace
}  // namespace hyperstep::cpu
