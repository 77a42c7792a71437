#include <gtest/gtest.h>

#include "cpu/control_registers.hpp"
#include "tests/cpu/bare_machine.hpp"

// Control and debug registers, waiting, caches and translations.
namespace hyperstep::cpu {
namespace {

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault ud{.vector = Vector::ud};

/// The fault of an outcome; a test fails if there is none.
Fault fault_of(const Outcome& outcome) {
    EXPECT_FALSE(outcome);
    return outcome ? Fault{.kind = Fault::Kind::shutdown} : outcome.error();
}

/// What a value written to a control register leads to.
enum class Takes : std::uint8_t { yes, gp };

struct Cr0Case {
    const char* what;
    std::uint64_t value;
    Takes takes;
    std::uint64_t then = 0;  ///< what CR0 holds
};

TEST(MovToCr0, ProtectedModeWithoutPaging) {
    const Cr0Case cases[] = {
        {"ET stays 1", 0x1, Takes::yes, 0x11},
        {"undefined bits of the low half are ignored", 0x1ff9'ffc1, Takes::yes, 0x1'0011},
        {"bits 63:32", 0x1'0000'0011, Takes::gp},
        {"PG without PE", 0x8000'0010, Takes::gp},
        {"NW without CD", 0x2000'0011, Takes::gp},
        {"NW with CD", 0x6000'0011, Takes::yes, 0x6000'0011},
        {"CD without NW", 0x4000'0011, Takes::yes, 0x4000'0011},
        {"out of protected mode", 0x10, Takes::yes, 0x10},
    };
    for (const Cr0Case& each : cases) {
        BareMachine machine;
        machine.enter_protected_32();
        const Outcome outcome = write_cr0(machine.cpu, each.value);
        EXPECT_EQ(outcome.has_value(), each.takes == Takes::yes) << each.what;
        EXPECT_EQ(machine.cpu.state.cr0, each.takes == Takes::yes ? each.then : 0x33) << each.what;
        if (!outcome) {
            EXPECT_EQ(outcome.error(), gp0) << each.what;
        }
    }
}

TEST(MovToCr0, PagingTurnsIa32eModeOn) {
    BareMachine machine;
    machine.enter_protected_32();
    Cpu& cpu = machine.cpu;
    cpu.state.msr.efer = Efer::lme.mask;
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "without CR4.PAE";
    cpu.state.cr4 |= Cr4::pae.mask;
    cpu.state.segment[cs].rights = cpu.state.segment[cs].rights.with(AccessRights::l, true);
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "with CS.L";
    cpu.state.segment[cs].rights = cpu.state.segment[cs].rights.with(AccessRights::l, false);
    cpu.state.tr.rights = {{0x83}};
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0011)), gp0) << "with a 16-bit TSS";
    cpu.state.tr.rights = {{0x8b}};
    ASSERT_TRUE(write_cr0(cpu, 0x8000'0011));
    EXPECT_TRUE(cpu.efer()[Efer::lma]);
    EXPECT_EQ(cpu.mode, Mode::compatibility);
    ASSERT_TRUE(write_cr0(cpu, 0x11));
    EXPECT_FALSE(cpu.efer()[Efer::lma]);
    EXPECT_EQ(cpu.mode, Mode::protected_);
}

TEST(MovToCr0, In64BitModePagingStaysOn) {
    BareMachine machine;
    machine.enter_long_mode();
    EXPECT_EQ(fault_of(write_cr0(machine.cpu, 0x33)), gp0);
    ASSERT_TRUE(write_cr0(machine.cpu, 0x8001'0033));
}

TEST(MovToCr4, ReservedBitsAndIa32eMode) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    const std::uint64_t now = cpu.state.cr4 = Cr4::pae.mask;
    const std::uint64_t refused[] = {now | 1ULL << 15,
                                     now | 1ULL << 26,
                                     now | 1ULL << 32,
                                     now | Cr4::vmxe.mask,
                                     now & ~Cr4::pae.mask,
                                     now ^ Cr4::la57.mask};
    for (const std::uint64_t value : refused) EXPECT_EQ(fault_of(write_cr4(cpu, value)), gp0) << value;
    EXPECT_EQ(cpu.state.cr4, now);
    cpu.state.cr3 |= 8;
    EXPECT_EQ(fault_of(write_cr4(cpu, now | Cr4::pcide.mask)), gp0) << "CR3[11:0] is not 0";
    cpu.state.cr3 &= ~8ULL;
    EXPECT_TRUE(write_cr4(cpu, now | Cr4::pcide.mask));
}

TEST(MovToCr3, ReservedBitsAndTheBitThatKeepsTranslations) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    constexpr std::uint64_t keep = 1ULL << 63;
    cpu.state.cr4 = Cr4::pae.mask;
    const std::uint64_t beyond = 1ULL << cpu.model.physical_width;
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | beyond)), gp0);
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | keep)), gp0);
    ASSERT_TRUE(write_cr4(cpu, cpu.state.cr4 | Cr4::pcide.mask));
    ASSERT_TRUE(write_cr3(cpu, BareMachine::tables | keep | 5));
    EXPECT_EQ(cpu.state.cr3, BareMachine::tables | 5);
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::tables | 1ULL << 62)), gp0);
}

/// Paging in PAE format: the PDPTEs lie at `data`, of which the second is present with `second`.
void use_pae_tables(BareMachine& machine, std::uint64_t second) {
    machine.memory.write(Hpa{BareMachine::data}, 8, (BareMachine::tables + 0x2000) | 1);
    machine.memory.write(Hpa{BareMachine::data + 8}, 8, second);
    machine.memory.write(Hpa{BareMachine::tables + 0x2000}, 8, 0x87);
    machine.cpu.state.cr3 = BareMachine::data;
    machine.cpu.state.cr4 = Cr4::pae.mask;
    refresh(machine.cpu);
}

TEST(Pdptes, AreLoadedAndCheckedWhenPagingChanges) {
    constexpr std::uint64_t reserved = 1 << 1, present = 1;
    const Model& model = model_max();
    const std::uint64_t beyond = 1ULL << model.physical_width;
    for (const std::uint64_t bad : {present | reserved, present | beyond, present | 1 << 8}) {
        BareMachine machine;
        machine.enter_protected_32();
        use_pae_tables(machine, bad);
        EXPECT_EQ(fault_of(write_cr0(machine.cpu, 0x8000'0011)), gp0) << bad;
        EXPECT_EQ(machine.cpu.state.pdpte[0], 0U);
    }
    BareMachine machine;
    machine.enter_protected_32();
    use_pae_tables(machine, reserved);  // not present: anything goes
    Cpu& cpu = machine.cpu;
    ASSERT_TRUE(write_cr0(cpu, 0x8000'0011));
    EXPECT_EQ(cpu.state.pdpte[0], (BareMachine::tables + 0x2000) | 1);
    EXPECT_EQ(cpu.state.pdpte[1], reserved);
    // Memory that changes is seen when the registers are loaded again: by CR3, or these bits.
    machine.memory.write(Hpa{BareMachine::data + 16}, 8, 0x2);
    ASSERT_TRUE(write_cr0(cpu, 0x8001'0011)) << "WP does not load them";
    EXPECT_EQ(cpu.state.pdpte[2], 0U);
    ASSERT_TRUE(write_cr0(cpu, 0xc001'0011)) << "CD does";
    EXPECT_EQ(cpu.state.pdpte[2], 2U);
    machine.memory.write(Hpa{BareMachine::data + 16}, 8, 0x4);
    ASSERT_TRUE(write_cr4(cpu, cpu.state.cr4 | Cr4::tsd.mask));
    EXPECT_EQ(cpu.state.pdpte[2], 2U);
    ASSERT_TRUE(write_cr4(cpu, cpu.state.cr4 | Cr4::pge.mask));
    EXPECT_EQ(cpu.state.pdpte[2], 4U);
    machine.memory.write(Hpa{BareMachine::data + 16}, 8, 0x6);
    ASSERT_TRUE(write_cr3(cpu, BareMachine::data));
    EXPECT_EQ(cpu.state.pdpte[2], 6U);
    machine.memory.write(Hpa{BareMachine::data + 16}, 8, present | reserved);
    EXPECT_EQ(fault_of(write_cr3(cpu, BareMachine::data)), gp0);
    EXPECT_EQ(cpu.state.pdpte[2], 6U);
}

TEST(MachineStatusWord, PeIsSetAndNeverCleared) {
    BareMachine machine;
    machine.enter_real_mode();
    machine.cpu.state.gpr[rax] = 0xfff1;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xf0}));
    EXPECT_EQ(machine.cpu.state.cr0, 0x31U);
    EXPECT_EQ(machine.cpu.mode, Mode::protected_);
    machine.cpu.state.gpr[rax] = 0xe;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xf0}));
    EXPECT_EQ(machine.cpu.state.cr0, 0x3fU);
    ASSERT_TRUE(machine.run_code({0x0f, 0x06}));
    EXPECT_EQ(machine.cpu.state.cr0, 0x37U) << "CLTS";
    machine.cpu.state.gpr[rax] = ~0ULL;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xe0}));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 0xffff'ffff'ffff'0037U) << "SMSW of 16 bits";
}

TEST(MachineStatusWord, IsReadableAtAnyLevelUnlessUmip) {
    BareMachine machine;
    machine.enter_long_mode(3);
    machine.cpu.state.gpr[rax] = 0;
    ASSERT_TRUE(machine.run_code({0x48, 0x0f, 0x01, 0xe0}));
    EXPECT_EQ(machine.cpu.state.gpr[rax], 0x8000'0033U);
    machine.cpu.state.cr4 |= Cr4::umip.mask;
    refresh(machine.cpu);
    EXPECT_EQ(fault_of(machine.run_code({0x48, 0x0f, 0x01, 0xe0})), gp0);
}

TEST(DebugRegisters, FixedBitsAliasesAndGeneralDetect) {
    BareMachine machine;
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    state.gpr[rax] = 0xffff'ffff;
    ASSERT_TRUE(machine.run_code({0x0f, 0x23, 0xf0}));  // mov dr6, rax
    EXPECT_EQ(state.dr6, 0xffff'effeU + 1);
    state.gpr[rax] = 0;
    ASSERT_TRUE(machine.run_code({0x0f, 0x23, 0xe0}));  // mov dr4, rax
    EXPECT_EQ(state.dr6, 0xffff'0ff0U);
    state.gpr[rax] = 0xffff'dfff;
    ASSERT_TRUE(machine.run_code({0x0f, 0x23, 0xe8}));  // mov dr5, rax
    EXPECT_EQ(state.dr7, 0xffff'07ffU);
    state.gpr[rax] = 1ULL << 32;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x23, 0xf0})), gp0);
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x23, 0xf8})), gp0);
    ASSERT_TRUE(machine.run_code({0x0f, 0x23, 0xc0})) << "DR0 takes 64 bits";
    state.cr4 |= Cr4::de.mask;
    refresh(machine.cpu);
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x21, 0xe0})), ud) << "DR4 with CR4.DE";
    state.dr7 = 0x2400;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x21, 0xc0})),
              (Fault{.vector = Vector::db, .error_code = 1 << 13}));
}

TEST(Invpcid, TypesAndDescriptors) {
    struct Case {
        const char* what;
        std::uint64_t type, pcid, address;
        bool pcide, allowed;
    };
    const Case cases[] = {
        {"an address", 0, 5, 0x1000, true, true},
        {"an address that is not canonical", 0, 5, 1ULL << 60, true, false},
        {"a context's address is not looked at", 1, 5, 1ULL << 60, true, true},
        {"PCID 0 without CR4.PCIDE", 1, 0, 0, false, true},
        {"another PCID without CR4.PCIDE", 1, 5, 0, false, false},
        {"an address of another PCID without CR4.PCIDE", 0, 5, 0, false, false},
        {"all contexts", 2, 5, 0, false, true},
        {"all but global", 3, 5, 1ULL << 60, false, true},
        {"reserved bits of the descriptor", 2, 1ULL << 12, 0, true, false},
        {"no such type", 4, 0, 0, true, false},
        {"a type of 64 bits", 1ULL << 32, 0, 0, true, false},
    };
    for (const Case& each : cases) {
        BareMachine machine;
        machine.enter_long_mode();
        if (each.pcide) machine.cpu.state.cr4 |= Cr4::pcide.mask;
        refresh(machine.cpu);
        machine.memory.write(Hpa{BareMachine::data}, 8, each.pcid);
        machine.memory.write(Hpa{BareMachine::data + 8}, 8, each.address);
        machine.cpu.state.gpr[rax] = BareMachine::data;
        machine.cpu.state.gpr[rcx] = each.type;
        const Outcome outcome = machine.run_code({0x66, 0x0f, 0x38, 0x82, 0x08});
        EXPECT_EQ(outcome.has_value(), each.allowed) << each.what;
        if (!outcome) {
            EXPECT_EQ(outcome.error(), gp0) << each.what;
        }
    }
}

TEST(MovToCr0, WriteProtectionStaysWithCet) {
    Model model = model_max();
    model.features.set(static_cast<std::size_t>(Feature::cet_ss));
    BareMachine machine{model};
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    cpu.state.cr4 = Cr4::pae.mask;
    EXPECT_EQ(fault_of(write_cr4(cpu, cpu.state.cr4 | Cr4::cet.mask)), gp0) << "without CR0.WP";
    ASSERT_TRUE(write_cr0(cpu, 0x8001'0033));
    ASSERT_TRUE(write_cr4(cpu, cpu.state.cr4 | Cr4::cet.mask));
    EXPECT_EQ(fault_of(write_cr0(cpu, 0x8000'0033)), gp0);
}

TEST(MovToCr8, FourBits) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rax] = 15;
    ASSERT_TRUE(machine.run_code({0x44, 0x0f, 0x22, 0xc0}));
    EXPECT_EQ(machine.board.task_priority, 15);
    machine.cpu.state.gpr[rax] = 16;
    EXPECT_EQ(fault_of(machine.run_code({0x44, 0x0f, 0x22, 0xc0})), gp0);
}

TEST(Efer, LmeCannotChangeWhilePagingIsOn) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu& cpu = machine.cpu;
    EXPECT_EQ(fault_of(write_efer(cpu, 0x001)), gp0);
    EXPECT_EQ(fault_of(write_efer(cpu, 0xd03)), gp0) << "a reserved bit";
    ASSERT_TRUE(write_efer(cpu, 0x900)) << "LMA is not written";
    EXPECT_EQ(cpu.state.msr.efer, 0xd00U);
}

TEST(Xcr0, Combinations) {
    Model model = model_max();
    for (const Feature feature : {Feature::avx, Feature::pku})
        model.features.set(static_cast<std::size_t>(feature));
    BareMachine machine{model};
    for (const std::uint64_t value : {1U, 3U, 7U, 0x201U, 0x207U})
        EXPECT_TRUE(write_xcr0(machine.cpu, value));
    for (const std::uint64_t value : {0U, 2U, 5U, 0xbU, 0x407U})
        EXPECT_EQ(fault_of(write_xcr0(machine.cpu, value)), gp0) << value;
}

TEST(Hlt, WaitsBehindTheInstruction) {
    BareMachine machine;
    machine.enter_long_mode();
    ASSERT_TRUE(machine.run_code({0xf4}));
    EXPECT_EQ(machine.cpu.state.activity, Activity::halted);
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 1);
}

TEST(Privileged, InstructionsFaultAtLowerLevels) {
    const std::initializer_list<std::uint8_t> codes[] = {
        {0xf4},                          // hlt
        {0x0f, 0x20, 0xc0},              // mov rax, cr0
        {0x0f, 0x22, 0xc0},              // mov cr0, rax
        {0x0f, 0x21, 0xc0},              // mov rax, dr0
        {0x0f, 0x06},                    // clts
        {0x0f, 0x01, 0xf0},              // lmsw ax
        {0x0f, 0x01, 0x38},              // invlpg [rax]
        {0x0f, 0x08},                    // invd
        {0x0f, 0x09},                    // wbinvd
        {0xf3, 0x0f, 0x09},              // wbnoinvd
        {0x0f, 0x30},                    // wrmsr
        {0x0f, 0x32},                    // rdmsr
        {0x0f, 0x33},                    // rdpmc
        {0x66, 0x0f, 0x38, 0x82, 0x00},  // invpcid rax, [rax]
    };
    for (const auto& code : codes) {
        BareMachine machine;
        machine.enter_long_mode(3);
        EXPECT_EQ(fault_of(machine.run_code(code)), gp0)
            << unsigned{*code.begin()} << ' ' << unsigned{*(code.end() - 1)};
    }
}

TEST(Privileged, CachesAreWrittenBackEitherWay) {
    BareMachine machine;
    machine.enter_long_mode();
    EXPECT_TRUE(machine.run_code({0x0f, 0x09}));
    EXPECT_TRUE(machine.run_code({0xf3, 0x0f, 0x09}));
    EXPECT_TRUE(machine.run_code({0x0f, 0x08}));
}

TEST(MonitorMwait, ABytesPageIsWatchedUntilItIsWritten) {
    BareMachine machine;
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    machine.memory.about_to_write(Hpa{BareMachine::data});  // a page that may be written unannounced so far
    state.gpr[rax] = BareMachine::data + 0x40;
    state.gpr[rcx] = 0;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc8}));
    EXPECT_TRUE(state.monitor.armed);
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc9}));
    EXPECT_EQ(state.activity, Activity::mwait);
    machine.cpu.attention = false;
    machine.memory.write(Hpa{BareMachine::stack}, 8, 1);
    EXPECT_TRUE(state.monitor.armed);
    machine.memory.write(Hpa{BareMachine::data + 0x40}, 8, 1);
    EXPECT_FALSE(state.monitor.armed);
    EXPECT_TRUE(machine.cpu.attention);
}

TEST(MonitorMwait, NothingArmedDoesNotWait) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.state.gpr[rcx] = 0;
    ASSERT_TRUE(machine.run_code({0x0f, 0x01, 0xc9}));
    EXPECT_EQ(machine.cpu.state.activity, Activity::active);
    machine.cpu.state.gpr[rcx] = 2;
    EXPECT_EQ(fault_of(machine.run_code({0x0f, 0x01, 0xc9})), gp0) << "an extension that is not announced";
    BareMachine user;
    user.enter_long_mode(3);
    EXPECT_EQ(fault_of(user.run_code({0x0f, 0x01, 0xc9})), ud);
}

}  // namespace
}  // namespace hyperstep::cpu
