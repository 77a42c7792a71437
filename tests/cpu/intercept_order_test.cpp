#include <functional>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// Where a hypervisor may intervene: after the faults that come before the exit, before those that come after
// it. SDM "Relative Priority of Faults and VM Exits", "Instructions That Cause VM Exits".
namespace hyperstep::cpu {
namespace {

/// Says what it was asked, and intervenes or not.
class Recorder final : public Intercepts {
public:
    explicit Recorder(Verdict verdict) : verdict_{verdict} {}

    Verdict instruction(Cpu& /*cpu*/, InterceptPoint point, const InterceptDetails& details) override {
        asked.push_back(point);
        last = details;
        return verdict_;
    }
    Verdict event(Cpu& /*cpu*/, const Event& /*event*/, const Event* /*original*/) override {
        return Verdict::proceed;
    }
    Verdict signal(Cpu& /*cpu*/, Signal /*signal*/) override { return Verdict::proceed; }
    Verdict task_switch(Cpu& /*cpu*/, TaskSwitchSource /*source*/, std::uint16_t /*selector*/) override {
        return Verdict::proceed;
    }
    Verdict triple_fault(Cpu& /*cpu*/, const Event& /*original*/) override { return Verdict::proceed; }
    std::uint64_t cr0_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real; }
    std::uint64_t cr4_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real; }
    std::uint64_t cr0_as_written(Cpu& /*cpu*/, std::uint64_t source) override { return source; }
    std::uint64_t cr4_as_written(Cpu& /*cpu*/, std::uint64_t source) override { return source; }
    std::uint64_t tsc_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real; }

    std::vector<InterceptPoint> asked;
    InterceptDetails last;

private:
    Verdict verdict_;
};

using Code = std::vector<std::uint8_t>;
using Prepare = std::function<void(BareMachine&)>;

/// A fault of an instruction, and what brings it about in a machine in long mode at CPL 0.
struct FaultCase {
    Fault fault;
    Prepare setup;
};
struct OrderCase {
    const char* what;
    Code code;
    InterceptPoint point;
    std::vector<FaultCase> earlier;  ///< reported, and nobody is asked
    std::vector<FaultCase> later;    ///< reported only if the hypervisor lets the instruction go on
};

constexpr Fault gp0{.vector = Vector::gp, .has_error_code = true};
constexpr Fault ud{.vector = Vector::ud};
constexpr Fault nm{.vector = Vector::nm};
constexpr Fault read_of_absent_page{.vector = Vector::pf, .has_error_code = true, .error_code = 0};
constexpr Fault write_to_absent_page{.vector = Vector::pf, .has_error_code = true, .error_code = 2};
constexpr Fault in_the_ldt{.vector = Vector::gp, .has_error_code = true, .error_code = 4};
constexpr Fault general_detect{.vector = Vector::db, .error_code = 1 << 13};

constexpr std::uint64_t absent = 0x60'0000;  ///< a page that is not mapped
constexpr std::uint64_t not_canonical = 1ULL << 60;

void make_user(BareMachine& machine) {
    machine.enter_long_mode(3);
}
Prepare set(std::vector<std::pair<Gpr, std::uint64_t>> registers) {
    return [registers](BareMachine& machine) {
        for (const auto& [name, value] : registers) machine.cpu.state.gpr[name] = value;
    };
}
Prepare with_cr4(std::uint64_t bits) {
    return [bits](BareMachine& machine) {
        machine.cpu.state.cr4 |= bits;
        refresh(machine.cpu);
    };
}
Prepare without_cr4(std::uint64_t bits) {
    return [bits](BareMachine& machine) {
        machine.cpu.state.cr4 &= ~bits;
        refresh(machine.cpu);
    };
}
Prepare all(std::vector<Prepare> each) {
    return [each](BareMachine& machine) {
        for (const Prepare& setup : each) setup(machine);
    };
}
FaultCase at_cpl_3(Fault fault = gp0) {
    return {fault, make_user};
}

std::vector<OrderCase> order_cases() {
    using enum InterceptPoint;
    const Prepare task_switched = [](BareMachine& machine) { machine.cpu.state.cr0 |= Cr0::ts.mask; };
    const Prepare port_refused = [](BareMachine& machine) {
        machine.enter_long_mode(3);
        machine.cpu.state.tr.limit = 0x66;  // no base of a bitmap
    };
    return {
        {"CPUID", {0x0f, 0xa2}, cpuid, {}, {}},
        {"INVD", {0x0f, 0x08}, invd, {at_cpl_3()}, {}},
        {"XSETBV",
         {0x0f, 0x01, 0xd1},
         xsetbv,
         {{ud, without_cr4(Cr4::osxsave.mask)}, at_cpl_3()},
         {{gp0, set({{rcx, 1}, {rax, 1}, {rdx, 0}})}, {gp0, set({{rcx, 0}, {rax, 2}, {rdx, 0}})}}},
        {"CLTS", {0x0f, 0x06}, clts, {at_cpl_3()}, {}},
        {"LMSW", {0x0f, 0x01, 0x30}, lmsw, {at_cpl_3(), {read_of_absent_page, set({{rax, absent}})}}, {}},
        {"MOV to CR0", {0x0f, 0x22, 0xc0}, mov_to_cr0, {at_cpl_3()}, {{gp0, set({{rax, 1ULL << 32}})}}},
        {"MOV to CR3", {0x0f, 0x22, 0xd8}, mov_to_cr3, {at_cpl_3()}, {{gp0, set({{rax, 1ULL << 63}})}}},
        {"MOV from CR3", {0x0f, 0x20, 0xd8}, mov_from_cr3, {at_cpl_3()}, {}},
        {"MOV to CR4", {0x0f, 0x22, 0xe0}, mov_to_cr4, {at_cpl_3()}, {{gp0, set({{rax, 1ULL << 63}})}}},
        {"MOV to CR8", {0x44, 0x0f, 0x22, 0xc0}, mov_to_cr8, {at_cpl_3()}, {{gp0, set({{rax, 16}})}}},
        {"MOV from CR8", {0x44, 0x0f, 0x20, 0xc0}, mov_from_cr8, {at_cpl_3()}, {}},
        {"MOV to DR7",
         {0x0f, 0x23, 0xf8},
         mov_dr,
         {},
         {at_cpl_3(),
          {gp0, set({{rax, 1ULL << 32}})},
          {general_detect, [](BareMachine& machine) { machine.cpu.state.dr7 |= 1 << 13; }}}},
        {"MOV from DR4", {0x0f, 0x21, 0xe0}, mov_dr, {}, {{ud, with_cr4(Cr4::de.mask)}, at_cpl_3()}},
        {"MOV from DR8", {0x44, 0x0f, 0x21, 0xc0}, mov_dr, {{ud, make_user}}, {}},
        {"HLT", {0xf4}, hlt, {at_cpl_3()}, {}},
        {"INVLPG", {0x0f, 0x01, 0x38}, invlpg, {at_cpl_3()}, {}},
        {"INVPCID",
         {0x66, 0x0f, 0x38, 0x82, 0x08},
         invpcid,
         {at_cpl_3()},
         {{read_of_absent_page, set({{rax, absent}, {rcx, 0}})},
          {gp0, set({{rax, not_canonical}, {rcx, 0}})},
          {gp0, set({{rax, BareMachine::data}, {rcx, 4}})}}},
        {"RDPMC",
         {0x0f, 0x33},
         rdpmc,
         {at_cpl_3()},
         {{gp0, [](BareMachine&) {}}, {gp0, all({make_user, with_cr4(Cr4::pce.mask)})}}},
        {"RDTSC", {0x0f, 0x31}, rdtsc, {{gp0, all({make_user, with_cr4(Cr4::tsd.mask)})}}, {}},
        {"RDTSCP", {0x0f, 0x01, 0xf9}, rdtscp, {{gp0, all({make_user, with_cr4(Cr4::tsd.mask)})}}, {}},
        {"MONITOR",
         {0x0f, 0x01, 0xc8},
         monitor,
         {at_cpl_3(ud), {ud, [](BareMachine& machine) { machine.cpu.state.msr.misc_enable = 1; }}},
         {{gp0, set({{rax, BareMachine::data}, {rcx, 1}})},
          {gp0, set({{rax, not_canonical}, {rcx, 0}})},
          {read_of_absent_page, set({{rax, absent}, {rcx, 0}})}}},
        {"MWAIT", {0x0f, 0x01, 0xc9}, mwait, {at_cpl_3(ud)}, {{gp0, set({{rcx, 2}})}}},
        {"PAUSE", {0xf3, 0x90}, pause, {}, {}},
        {"IN", {0xec}, in_out, {{gp0, port_refused}}, {}},
        {"OUT", {0xe6, 0x80}, in_out, {{gp0, port_refused}}, {}},
        {"INS",
         {0x6d},
         ins_outs,
         {{gp0, port_refused}},
         {{write_to_absent_page, set({{rdi, absent}})}, {gp0, set({{rdi, not_canonical}})}}},
        {"OUTS",
         {0x6e},
         ins_outs,
         {{gp0, port_refused}},
         {{read_of_absent_page, set({{rsi, absent}})}, {gp0, set({{rsi, not_canonical}})}}},
        {"RDMSR", {0x0f, 0x32}, rdmsr, {at_cpl_3()}, {{gp0, set({{rcx, 0x1234'5678}})}}},
        {"WRMSR",
         {0x0f, 0x30},
         wrmsr,
         {at_cpl_3()},
         {{gp0, set({{rcx, 0x1234'5678}})}, {gp0, set({{rcx, 0x277}, {rax, 2}, {rdx, 0}})}}},
        {"WBINVD", {0x0f, 0x09}, wbinvd, {at_cpl_3()}, {}},
        {"LGDT",
         {0x0f, 0x01, 0x10},
         gdtr_idtr_access,
         {at_cpl_3()},
         {{read_of_absent_page, set({{rax, absent}})}, {gp0, set({{rax, not_canonical}})}}},
        {"LIDT",
         {0x0f, 0x01, 0x18},
         gdtr_idtr_access,
         {at_cpl_3()},
         {{read_of_absent_page, set({{rax, absent}})}, {gp0, set({{rax, not_canonical}})}}},
        {"SGDT",
         {0x0f, 0x01, 0x00},
         gdtr_idtr_access,
         {{gp0, all({make_user, with_cr4(Cr4::umip.mask)})}},
         {{write_to_absent_page, set({{rax, absent}})}}},
        {"SIDT",
         {0x0f, 0x01, 0x08},
         gdtr_idtr_access,
         {{gp0, all({make_user, with_cr4(Cr4::umip.mask)})}},
         {{write_to_absent_page, set({{rax, absent}})}}},
        {"LLDT",
         {0x0f, 0x00, 0xd0},
         ldtr_tr_access,
         {{ud, [](BareMachine& machine) { machine.enter_real_mode(); }}, at_cpl_3()},
         {{in_the_ldt, set({{rax, 4}})}}},
        {"LTR",
         {0x0f, 0x00, 0xd8},
         ldtr_tr_access,
         {{ud, [](BareMachine& machine) { machine.enter_real_mode(); }}, at_cpl_3()},
         {{gp0, set({{rax, 0}})}, {in_the_ldt, set({{rax, 4}})}}},
        {"SLDT",
         {0x0f, 0x00, 0x00},
         ldtr_tr_access,
         {{ud, [](BareMachine& machine) { machine.enter_real_mode(); }},
          {gp0, all({make_user, with_cr4(Cr4::umip.mask)})}},
         {{write_to_absent_page, set({{rax, absent}})}}},
        {"STR",
         {0x0f, 0x00, 0x08},
         ldtr_tr_access,
         {{ud, [](BareMachine& machine) { machine.enter_real_mode(); }},
          {gp0, all({make_user, with_cr4(Cr4::umip.mask)})}},
         {{write_to_absent_page, set({{rax, absent}})}}},
        {"RDRAND", {0x0f, 0xc7, 0xf0}, rdrand, {}, {}},
        {"RDSEED", {0x0f, 0xc7, 0xf8}, rdseed, {}, {}},
        {"XSAVES",
         {0x0f, 0xc7, 0x28},
         xsaves,
         {{ud, without_cr4(Cr4::osxsave.mask)}, at_cpl_3()},
         {{nm, task_switched},
          {gp0, set({{rax, BareMachine::data + 8}})},
          {write_to_absent_page, set({{rax, absent}})}}},
        {"XRSTORS",
         {0x0f, 0xc7, 0x18},
         xrstors,
         {{ud, without_cr4(Cr4::osxsave.mask)}, at_cpl_3()},
         {{nm, task_switched},
          {gp0, set({{rax, BareMachine::data + 8}})},
          {read_of_absent_page, set({{rax, absent}})}}},
    };
}

void prepare(BareMachine& machine) {
    machine.enter_long_mode();
    State& state = machine.cpu.state;
    // The page of 2 MiB that holds `absent` is taken out of the tables.
    machine.memory.write(Hpa{BareMachine::tables + 0x2000 + (absent >> 21) * 8}, 8, 0);
    state.cr4 |= Cr4::osxsave.mask;
    state.gpr[rax] = BareMachine::data;
    state.gpr[rcx] = 0;
    state.gpr[rdx] = 0;
    state.gpr[rsi] = state.gpr[rdi] = BareMachine::data;
    refresh(machine.cpu);
}

struct Ended {
    std::optional<Fault> fault;
    std::vector<InterceptPoint> asked;
};
Ended run(const OrderCase& test, Verdict verdict, const Prepare& setup) {
    BareMachine machine;
    prepare(machine);
    // make_user() goes back to the tables of the machine, and CR4 with it.
    setup(machine);
    machine.memory.write(Hpa{BareMachine::tables + 0x2000 + (absent >> 21) * 8}, 8, 0);
    Recorder recorder{verdict};
    machine.cpu.intercepts = &recorder;
    machine.put(BareMachine::code, test.code);
    machine.cpu.state.rip = BareMachine::code - machine.cpu.state.segment[cs].base;
    const State before = machine.cpu.state;
    const Outcome outcome = execute_one(machine.cpu);
    Ended ended{.fault = {}, .asked = recorder.asked};
    if (outcome) return ended;
    ended.fault = outcome.error();
    EXPECT_EQ(machine.cpu.state, before)
        << test.what << ": an instruction that did not happen changed something";
    return ended;
}

TEST(InterceptOrder, AnInstructionAsksAtItsPoint) {
    for (const OrderCase& each : order_cases()) {
        if (each.point == InterceptPoint::mov_dr && !each.earlier.empty())
            continue;  // MOV from DR8 never gets there
        const Ended ended = run(each, Verdict::intervene, [](BareMachine&) {});
        EXPECT_EQ(ended.asked, std::vector{each.point}) << each.what;
        ASSERT_TRUE(ended.fault) << each.what;
        EXPECT_EQ(ended.fault->kind, Fault::Kind::intercepted) << each.what;
    }
}

TEST(InterceptOrder, EarlierFaultsWin) {
    for (const OrderCase& each : order_cases()) {
        for (const FaultCase& earlier : each.earlier) {
            const Prepare setup = [&](BareMachine& machine) {
                const std::uint64_t cr4 = machine.cpu.state.cr4;
                earlier.setup(machine);
                if (machine.cpu.cpl == 3) machine.cpu.state.cr4 |= cr4;
            };
            const Ended ended = run(each, Verdict::intervene, setup);
            EXPECT_TRUE(ended.asked.empty()) << each.what;
            ASSERT_TRUE(ended.fault) << each.what;
            EXPECT_EQ(*ended.fault, earlier.fault) << each.what;
        }
    }
}

TEST(InterceptOrder, LaterFaultsAreReachedOnlyIfItMayGoOn) {
    for (const OrderCase& each : order_cases()) {
        for (const FaultCase& later : each.later) {
            const Ended stopped = run(each, Verdict::intervene, later.setup);
            EXPECT_EQ(stopped.asked, std::vector{each.point}) << each.what;
            ASSERT_TRUE(stopped.fault) << each.what;
            EXPECT_EQ(stopped.fault->kind, Fault::Kind::intercepted) << each.what;
            const Ended went_on = run(each, Verdict::proceed, later.setup);
            EXPECT_EQ(went_on.asked, std::vector{each.point}) << each.what;
            ASSERT_TRUE(went_on.fault) << each.what;
            EXPECT_EQ(*went_on.fault, later.fault) << each.what;
        }
    }
}

TEST(InterceptOrder, SomeInstructionsNeverAsk) {
    const Code codes[] = {
        {0x0f, 0x20, 0xc0},        // mov rax, cr0
        {0x0f, 0x20, 0xd0},        // mov rax, cr2
        {0x0f, 0x20, 0xe0},        // mov rax, cr4
        {0x0f, 0x22, 0xd0},        // mov cr2, rax
        {0x0f, 0x01, 0xe0},        // smsw eax
        {0xf3, 0x0f, 0xc7, 0xf8},  // rdpid rax
        {0x0f, 0x01, 0xd0},        // xgetbv
        {0xf3, 0x6c},              // rep insb, no iteration
    };
    for (const Code& code : codes) {
        const OrderCase test{"", code, InterceptPoint::count, {}, {}};
        const Ended ended = run(test, Verdict::intervene, [](BareMachine&) {});
        EXPECT_TRUE(ended.asked.empty()) << unsigned{code[1]};
        EXPECT_FALSE(ended.fault) << unsigned{code[1]};
    }
}

TEST(InterceptOrder, RsmAsksBeforeItLooksAtTheSavedState) {
    const OrderCase test{"RSM", {0x0f, 0xaa}, InterceptPoint::rsm, {}, {}};
    const Ended ended =
        run(test, Verdict::intervene, [](BareMachine& machine) { machine.cpu.state.blocking.smi = true; });
    EXPECT_EQ(ended.asked, std::vector{InterceptPoint::rsm});
    ASSERT_TRUE(ended.fault);
    EXPECT_EQ(ended.fault->kind, Fault::Kind::intercepted);
}

TEST(InterceptOrder, WithoutSmxAndSmmGetsecAndRsmAreUndefined) {
    for (const Code& code :
         {Code{0x0f, 0x37}, Code{0x0f, 0xaa}, Code{0x0f, 0x01, 0xc1}, Code{0x0f, 0x01, 0xd4}}) {
        const OrderCase test{"", code, InterceptPoint::count, {}, {}};
        const Ended ended = run(test, Verdict::intervene, [](BareMachine&) {});
        EXPECT_TRUE(ended.asked.empty()) << unsigned{code.back()};
        ASSERT_TRUE(ended.fault) << unsigned{code.back()};
        EXPECT_EQ(*ended.fault, ud) << unsigned{code.back()};
    }
}

}  // namespace
}  // namespace hyperstep::cpu
