#include <cstdint>

#include <gtest/gtest.h>

#include "tests/cpu/bare_machine.hpp"

// Code and the tables that map it may change at any time, by any hand; the next instruction is the new one.
namespace hyperstep::cpu {
namespace {

/// mov eax, imm32; jmp back: at `at`, whose pages are mapped one by one.
class ChangingCode : public BareMachine {
public:
    static constexpr std::uint64_t within_page = code + 0x100, across_pages = code + 0xffe, table = 0x40'8000;
    explicit ChangingCode(std::uint64_t at) : at_{at} {
        enter_long_mode();
        for (std::uint64_t i = 0; i < 512; ++i) memory.write(Hpa{table + 8 * i}, 8, i << 12 | 7);
        memory.write(Hpa{tables + 0x2000}, 8, table | 7);
        put(at, {0xb8, 0x11, 0x00, 0x00, 0x00, 0xeb, 0xf9});
        cpu.state.rip = at;
        EXPECT_EQ(value(), 0x11U);
    }
    /// What the program leaves in EAX after some rounds.
    std::uint64_t value() { return value_of(cpu); }
    std::uint64_t value_of(Cpu& which) {
        time.stop_at = time.now + 6;
        EXPECT_EQ(run(which), exec::Stop::budget);
        return which.state.gpr[rax];
    }

private:
    std::uint64_t at_;
};

TEST(Invalidation, ADeviceWritesCode) {
    for (const std::uint64_t at : {ChangingCode::within_page, ChangingCode::across_pages}) {
        ChangingCode machine{at};
        machine.memory.write(Hpa{at + 3}, 1, 0x22);
        EXPECT_EQ(machine.value(), 0x22'0011U);
        machine.memory.write(Hpa{at + 1}, 4, 0x33);
        EXPECT_EQ(machine.value(), 0x33U);
    }
}

TEST(Invalidation, TheCallerWritesCode) {
    for (const std::uint64_t at : {ChangingCode::within_page, ChangingCode::across_pages}) {
        ChangingCode machine{at};
        machine.put(at + 4, {0x44});
        EXPECT_EQ(machine.value(), 0x4400'0011U);
    }
}

TEST(Invalidation, TheProcessorItselfWritesCode) {
    for (const std::uint64_t at : {ChangingCode::within_page, ChangingCode::across_pages}) {
        ChangingCode machine{at};
        const std::uint64_t rip = machine.cpu.state.rip;
        machine.cpu.state.rip = BareMachine::code + 0x3000;
        machine.cpu.state.gpr[rbx] = at;
        ASSERT_TRUE(machine.run_code({0xc6, 0x43, 0x03, 0x55}));  // mov byte [rbx+3], 55h
        machine.cpu.state.rip = rip;
        EXPECT_EQ(machine.value(), 0x55'0011U);
        // A second time, when the page is announced for writing or is not.
        machine.cpu.state.rip = BareMachine::code + 0x3000;
        ASSERT_TRUE(machine.run_code({0xc6, 0x43, 0x03, 0x66}));
        machine.cpu.state.rip = rip;
        EXPECT_EQ(machine.value(), 0x66'0011U);
    }
}

TEST(Invalidation, AnotherProcessorWritesCode) {
    for (const std::uint64_t at : {ChangingCode::within_page, ChangingCode::across_pages}) {
        ChangingCode machine{at};
        Cpu other{{.memory = machine.memory,
                   .time = machine.time,
                   .board = machine.board,
                   .blocks = machine.blocks,
                   .model = model_max()},
                  1};
        other.state = machine.cpu.state;
        other.state.rip = BareMachine::code + 0x3000;
        other.state.gpr[rbx] = at;
        refresh(other);
        machine.put(other.state.rip, {0xfe, 0x43, 0x03, 0xeb, 0xfb});  // inc byte [rbx+3]; jmp back
        for (std::uint64_t round = 1; round < 4; ++round) {
            machine.time.stop_at = machine.time.now + 4;
            EXPECT_EQ(run(other), exec::Stop::budget);
            EXPECT_EQ(machine.value(), (2 * round) << 16 | 0x11);
        }
    }
}

TEST(Invalidation, TheSecondPageOfAnInstructionIsMappedElsewhere) {
    ChangingCode machine{ChangingCode::across_pages};
    const std::uint64_t second = BareMachine::code + 0x1000, elsewhere = BareMachine::code + 0x5000;
    machine.put(elsewhere, {0x00, 0x77, 0x00, 0xeb, 0xf9});
    machine.memory.write(Hpa{ChangingCode::table + (second >> 12) * 8}, 8, elsewhere | 7);
    EXPECT_EQ(machine.value(), 0x77'0011U);
    machine.put(elsewhere + 1, {0x78});
    EXPECT_EQ(machine.value(), 0x78'0011U);
    machine.memory.write(Hpa{ChangingCode::table + (second >> 12) * 8}, 8, second | 7);
    EXPECT_EQ(machine.value(), 0x11U);
}

TEST(Invalidation, ALinkedBlockIsMappedElsewhere) {
    BareMachine machine;
    machine.enter_long_mode();
    const std::uint64_t table = ChangingCode::table, second = BareMachine::code + 0x1000,
                        other = second + 0x4000;
    for (std::uint64_t i = 0; i < 512; ++i) machine.memory.write(Hpa{table + 8 * i}, 8, i << 12 | 7);
    machine.memory.write(Hpa{BareMachine::tables + 0x2000}, 8, table | 7);
    machine.put(BareMachine::code, {0xe9, 0xfb, 0x0f, 0x00, 0x00});  // jmp second
    machine.put(second,
                {0xb8, 0x01, 0x00, 0x00, 0x00, 0xe9, 0xf6, 0xef, 0xff, 0xff});  // mov eax, 1; jmp code
    machine.put(other, {0xb8, 0x02, 0x00, 0x00, 0x00, 0xe9, 0xf6, 0xef, 0xff, 0xff});
    const auto value = [&](Cpu& cpu) {
        machine.time.stop_at = machine.time.now + 9;
        EXPECT_EQ(run(cpu), exec::Stop::budget);
        return cpu.state.gpr[rax];
    };
    EXPECT_EQ(value(machine.cpu), 1U);
    machine.memory.write(Hpa{table + (second >> 12) * 8}, 8, other | 7);
    EXPECT_EQ(value(machine.cpu), 2U);
}

TEST(Invalidation, TheProcessorUnmapsTheCodeThatItRuns) {
    ChangingCode machine{ChangingCode::within_page};
    const std::uint64_t entry = ChangingCode::table + (BareMachine::code >> 12) * 8;
    machine.cpu.state.rip = BareMachine::code + 0x200;
    machine.cpu.state.gpr[rbx] = entry;
    machine.put(machine.cpu.state.rip, {0xc6, 0x03, 0x00, 0x90, 0x90});  // mov byte [rbx], 0; nop; nop
    machine.cpu.state.idtr = {.base = 0, .limit = 0};
    machine.time.stop_at = machine.time.now + 6;
    EXPECT_EQ(run(machine.cpu), exec::Stop::shutdown);
    EXPECT_EQ(machine.cpu.state.cr2, BareMachine::code + 0x203);
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 0x203);
}

TEST(Invalidation, AccessedAndDirtyFlagsAreWrittenIntoCode) {
    ChangingCode machine{ChangingCode::within_page};
    // mov [rbx], al; nop; add eax, 7: the immediate is the first byte of the entry that maps [rbx].
    const std::uint64_t page = 7, entry = ChangingCode::table + 8 * page;
    machine.put(entry - 5, {0x88, 0x03, 0x90, 0x83, 0xc0, 0x07, 0x70, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00});
    machine.cpu.state.gpr[rax] = 0;
    machine.cpu.state.gpr[rbx] = page << 12;
    machine.cpu.state.rip = entry - 5;
    machine.time.stop_at = machine.time.now + 3;
    EXPECT_EQ(run(machine.cpu), exec::Stop::budget);
    EXPECT_EQ(machine.cpu.state.gpr[rax], 0x67U);
}

TEST(Invalidation, LinksOfOneProcessorAreNotAnothers) {
    BareMachine machine;
    machine.enter_long_mode();
    Cpu other{{.memory = machine.memory,
               .time = machine.time,
               .board = machine.board,
               .blocks = machine.blocks,
               .model = model_max()},
              1};
    const std::uint64_t code = BareMachine::code, second = code + 0x1000, elsewhere = code + 0x5000;
    // Each has tables of its own, in which the second page is another.
    for (const std::uint64_t base : {0x40'8000ULL, 0x41'0000ULL}) {
        machine.memory.write(Hpa{base}, 8, (base + 0x1000) | 7);
        machine.memory.write(Hpa{base + 0x1000}, 8, (base + 0x2000) | 7);
        machine.memory.write(Hpa{base + 0x2000}, 8, (base + 0x3000) | 7);
        for (std::uint64_t i = 0; i < 512; ++i)
            machine.memory.write(Hpa{base + 0x3000 + 8 * i}, 8, i << 12 | 7);
    }
    machine.memory.write(Hpa{0x41'3000 + (second >> 12) * 8}, 8, elsewhere | 7);
    machine.put(code, {0xe9, 0xfb, 0x0f, 0x00, 0x00});  // jmp second
    machine.put(second,
                {0xb8, 0x01, 0x00, 0x00, 0x00, 0xe9, 0xf6, 0xef, 0xff, 0xff});  // mov eax, 1; jmp code
    machine.put(elsewhere, {0xb8, 0x02, 0x00, 0x00, 0x00, 0xe9, 0xf6, 0xef, 0xff, 0xff});
    other.state = machine.cpu.state;
    machine.cpu.state.cr3 = 0x40'8000;
    other.state.cr3 = 0x41'0000;
    refresh(machine.cpu);
    refresh(other);
    const auto value = [&](Cpu& cpu) {
        cpu.state.rip = code;
        machine.time.stop_at = machine.time.now + 3;
        EXPECT_EQ(run(cpu), exec::Stop::budget);
        return cpu.state.gpr[rax];
    };
    EXPECT_EQ(value(machine.cpu), 1U);
    EXPECT_EQ(value(other), 2U);
    // Their epochs are numbers of each; make them the same.
    while (machine.cpu.code_epoch() < other.code_epoch()) refresh(machine.cpu);
    while (other.code_epoch() < machine.cpu.code_epoch()) refresh(other);
    ASSERT_EQ(machine.cpu.code_epoch(), other.code_epoch());
    EXPECT_EQ(value(machine.cpu), 1U);
    ASSERT_EQ(machine.cpu.code_epoch(), other.code_epoch());
    EXPECT_EQ(value(other), 2U);
}

}  // namespace
}  // namespace hyperstep::cpu
