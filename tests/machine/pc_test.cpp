#include "machine/pc.hpp"

#include <gtest/gtest.h>

#include "machine/diagnosis.hpp"
#include "machine/run.hpp"
#include "machine/trace_lines.hpp"
#include "tests/machine/guest_pc.hpp"

namespace hyperstep::machine {
namespace {

Ending finish(GuestPc& guest, std::uint64_t most = 1'000'000) {
    return run_to_end(guest.pc, {.instructions = most}, {});
}

TEST(Pc, PrintsAndExitsThroughTheDebugPort) {
    GuestPc guest{
        0x66,
        0xba,
        0xf8,
        0x03,  // mov dx, 3f8h
        0xb0,
        'h',
        0xee,  // mov al, 'h'; out dx, al
        0xb0,
        'i',
        0xee,  // mov al, 'i'; out dx, al
        0xb0,
        0x05,
        0xe6,
        0xf4,  // mov al, 5; out 0f4h, al
        0xf4,  // hlt
    };
    const Ending ending = finish(guest);
    EXPECT_EQ(ending, (Ending{.ended = Ended::debug_exit, .code = 5}));
    EXPECT_EQ(guest.printed, "hi");
    EXPECT_EQ(guest.pc.time().retired, 7U);
    EXPECT_EQ(exit_status(ending), 11);
}

TEST(Pc, TheLimitIsExact) {
    GuestPc guest{0xeb, 0xfe};  // jmp $
    EXPECT_EQ(finish(guest, 12345).ended, Ended::limit);
    EXPECT_EQ(guest.pc.time().retired, 12345U);
}

TEST(Pc, ATripleFaultEndsTheRunAndTellsWhere) {
    GuestPc guest{0x0f,
                  0x01,
                  0x1d,
                  0,
                  0,
                  0,
                  0,  // lidt [0]
                  0x0f,
                  0x0b};  // ud2
    const Ending ending = finish(guest);
    EXPECT_EQ(ending.ended, Ended::triple_fault);
    EXPECT_EQ(exit_status(ending), 3);
    const std::string text = diagnosis(guest.pc, ending, {}, {});
    EXPECT_NE(text.find("ud2"), std::string::npos) << text;
    EXPECT_NE(text.find("0x100013"), std::string::npos) << text;
}

TEST(Pc, WaitingForNothingIsADeadlock) {
    GuestPc guest{{0xfa, 0xf4}, {.processors = 3}};  // cli; hlt
    EXPECT_EQ(finish(guest), (Ending{.ended = Ended::deadlock, .processor = guest.pc.schedule().holder()}));
    EXPECT_EQ(guest.pc.time().retired, 2U);
}

TEST(Pc, ATimerThatNobodyHearsIsADeadlockToo) {
    GuestPc guest{
        0xb0,
        0x34,
        0xe6,
        0x43,  // counter 0, mode 2
        0xb0,
        0xff,
        0xe6,
        0x40,
        0xe6,
        0x40,
        0xfa,
        0xf4,  // cli; hlt
    };
    EXPECT_EQ(finish(guest).ended, Ended::deadlock);
}

TEST(Pc, RamIsWhereTheMapSays) {
    GuestPc guest{0xf4};
    mmu::GuestMemory& memory = guest.pc.memory();
    const auto kind = [&](std::uint64_t address) { return memory.page(Hpa{address}).kind; };
    EXPECT_EQ(kind(0), mmu::PageKind::ram);
    EXPECT_EQ(kind(0x9'f000), mmu::PageKind::ram);
    EXPECT_EQ(kind(0xa'0000), mmu::PageKind::hole);
    EXPECT_EQ(kind(0xf'0000), mmu::PageKind::rom);
    EXPECT_EQ(kind(0x10'0000), mmu::PageKind::ram);
    EXPECT_EQ(kind(0xff'f000), mmu::PageKind::ram);
    EXPECT_EQ(kind(0x100'0000), mmu::PageKind::hole);
    EXPECT_EQ(kind(0xfec0'0000), mmu::PageKind::mmio);
    EXPECT_EQ(kind(0xfee0'0000), mmu::PageKind::mmio);
    EXPECT_EQ(kind(0xff00'0000), mmu::PageKind::ram);
    EXPECT_EQ(kind(0xffff'f000), mmu::PageKind::rom);
}

TEST(Pc, ATebibyteIsSparse) {
    PcConfiguration configuration;
    configuration.memory = MemoryMap::of(1ULL << 40).value();
    Pc pc{configuration};
    EXPECT_EQ(pc.memory().page(Hpa{(1ULL << 40) + (1ULL << 30) - 0x1000}).kind, mmu::PageKind::ram);
    EXPECT_NE(pc.state_hash(), 0U);
}

// ---- the local APIC's page --------------------------------------------------------------------------------

TEST(Pc, TheApicPageIsThatOfTheProcessorThatReads) {
    GuestPc guest{
        0xa1,
        0x20,
        0x00,
        0xe0,
        0xfe,  // mov eax, [0fee00020h]
        0xf4,
    };
    finish(guest);
    EXPECT_EQ(guest.pc.processor(0).cpu().state.gpr[cpu::rax], 0U);
    EXPECT_EQ(guest.pc.memory().read(Hpa{0xfee0'0020}, 4), 0xffff'ffffU) << "nobody runs";
}

TEST(Pc, TheApicPageMoves) {
    GuestPc guest{
        0xb9, 0x1b, 0,    0,    0,    0x31, 0xd2,  // mov ecx, 1bh; xor edx, edx
        0xb8, 0x00, 0x09, 0x00, 0x42,              // mov eax, 42000900h
        0x0f, 0x30,                                // wrmsr
        0x8b, 0x1d, 0x30, 0x00, 0x00, 0x42,        // mov ebx, [42000030h]
        0x8b, 0x35, 0x30, 0x00, 0xe0, 0xfe,        // mov esi, [0fee00030h]
        0xf4,
    };
    finish(guest);
    const cpu::State& state = guest.pc.processor(0).cpu().state;
    EXPECT_EQ(state.gpr[cpu::rbx] & 0xff, 0x14U) << "the version of an integrated APIC";
    EXPECT_EQ(state.gpr[cpu::rsi], 0xffff'ffffU);
}

// ---- determinism ------------------------------------------------------------------------------------------

/// Writes to memory for ever.
const std::initializer_list<std::uint8_t> counting{
    0xff,
    0x05,
    0x00,
    0x00,
    0x20,
    0x00,  // inc dword [200000h]
    0x0f,
    0xc7,
    0xf0,  // rdrand eax
    0xeb,
    0xf5,  // jmp to the start
};

TEST(StateHash, IsAFunctionOfImageAndSeed) {
    const auto hash_after = [](std::uint64_t seed, std::uint64_t count) {
        GuestPc guest{counting, {.processors = 2, .seed = seed}};
        finish(guest, count);
        return guest.pc.state_hash();
    };
    EXPECT_EQ(hash_after(1, 5000), hash_after(1, 5000));
    EXPECT_NE(hash_after(1, 5000), hash_after(1, 5001));
    EXPECT_NE(hash_after(1, 5000), hash_after(2, 5000));
}

TEST(StateHash, PointsOnTheWayChangeNothing) {
    GuestPc straight{counting, {.processors = 2}}, stopping{counting, {.processors = 2}};
    finish(straight, 50'000);
    std::vector<std::uint64_t> points;
    run_to_end(
        stopping.pc,
        {.instructions = 50'000, .hash_every = 777},
        {.hash = [&](std::uint64_t count, std::uint64_t) { points.push_back(count); }, .progress = {}});
    EXPECT_EQ(straight.pc.state_hash(), stopping.pc.state_hash());
    ASSERT_EQ(points.size(), 50'000U / 777);
    EXPECT_EQ(points.front(), 777U);
    EXPECT_EQ(points.back(), 777U * (50'000 / 777));
}

TEST(StateHash, TracingChangesNothing) {
    EventLog log{{}};
    GuestPc plain{counting, {}}, traced{counting, {.trace = Trace{&log}, .traces_instructions = true}};
    finish(plain, 3000);
    finish(traced, 3000);
    EXPECT_EQ(plain.pc.state_hash(), traced.pc.state_hash());
}

class HashOfABit : public testing::Test {
protected:
    GuestPc guest{{0xf4}, {.processors = 2}};
    void SetUp() override { finish(guest); }
    /// Flips `bit` of a word twice: the hash differs in between and returns.
    template <class T>
    void expect_seen(T& word, T bit, const char* what) {
        const std::uint64_t before = guest.pc.state_hash();
        word = static_cast<T>(word ^ bit);
        EXPECT_NE(guest.pc.state_hash(), before) << what;
        word = static_cast<T>(word ^ bit);
        EXPECT_EQ(guest.pc.state_hash(), before) << what;
    }
};

TEST_F(HashOfABit, OfAnyRamPage) {
    const std::uint64_t before = guest.pc.state_hash();
    for (const std::uint64_t address :
         {0x0ULL, 0x9'ffffULL, 0x10'0000ULL, 0x80'0123ULL, 0xff'ffffULL, 0xff00'0000ULL, 0xff00'ffffULL}) {
        const std::uint64_t value = guest.pc.memory().read(Hpa{address}, 1);
        guest.pc.memory().write(Hpa{address}, 1, value ^ 0x40);
        EXPECT_NE(guest.pc.state_hash(), before) << address;
        guest.pc.memory().write(Hpa{address}, 1, value);
        EXPECT_EQ(guest.pc.state_hash(), before) << address;
    }
}

TEST_F(HashOfABit, OfRegistersAndPendingEvents) {
    for (unsigned processor = 0; processor < 2; ++processor) {
        cpu::State& state = guest.pc.processor(processor).cpu().state;
        expect_seen(state.gpr[cpu::r15], std::uint64_t{1} << 63, "R15");
        expect_seen(state.rip, std::uint64_t{1}, "RIP");
        expect_seen(state.segment[cpu::gs].base, std::uint64_t{1} << 40, "GS.base");
        expect_seen(state.msr.lstar, std::uint64_t{1}, "IA32_LSTAR");
        expect_seen(state.msr.mtrr_fixed[10], std::uint64_t{1} << 63, "IA32_MTRR_FIX4K_F8000");
        expect_seen(state.vector[15][3], std::uint64_t{1} << 63, "YMM15");
        expect_seen(state.dr[3], std::uint64_t{1}, "DR3");
        expect_seen(state.pending_debug, std::uint64_t{1}, "pending debug trap");
        expect_seen(state.signals.sipi_vector, std::uint8_t{1}, "SIPI vector");
        expect_seen(state.random, std::uint64_t{1}, "random numbers");
        state.signals.nmi = true;
        expect_seen(state.gpr[0], std::uint64_t{1}, "RAX");
        state.signals.nmi = false;
    }
}

TEST_F(HashOfABit, OfDevicesAndTheSchedule) {
    devices::Chipset& chipset = guest.pc.chipset();
    expect_seen(chipset.local_apic(1).state().request[7], 1U << 31, "IRR of processor 1");
    expect_seen(chipset.io_apic().state().id, 1U << 27, "I/O APIC ID");
    expect_seen(chipset.rtc().state().memory[127], std::uint8_t{0x80}, "CMOS");
    expect_seen(chipset.com1().state().scratch, std::uint8_t{1}, "UART scratch");
    expect_seen(chipset.pit().state().channels[2].reload, std::uint16_t{0x8000}, "PIT");
    expect_seen(chipset.pic().state().slave.mask, std::uint8_t{1}, "PIC mask");
    expect_seen(guest.pc.schedule().state().quantum_end, std::uint64_t{1}, "quantum");
    expect_seen(guest.pc.schedule().state().numbers.state, std::uint64_t{1}, "seed");
}

// ---- several processors -----------------------------------------------------------------------------------

TEST(SeveralProcessors, AreStartedByInitAndSipi) {
    // Processor 0 sends INIT and SIPI (vector 8) to all others and waits until three of them have counted.
    GuestPc guest{{
                      0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00,  // ICR: INIT, all but self
                      0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x08, 0x46, 0x0c, 0x00,  // ICR: SIPI 8
                      0xf3, 0x90,                                                  // wait: pause
                      0x83, 0x3d, 0x00, 0x90, 0x00, 0x00, 0x03,                    // cmp dword [9000h], 3
                      0x75, 0xf5,                                                  // jne wait
                      0xb0, 0x00, 0xe6, 0xf4, 0xf4,                                // debug exit 0
                  },
                  {.processors = 4}};
    constexpr std::uint8_t started[]{0xf0,
                                     0xff,
                                     0x06,
                                     0x00,
                                     0x90,  // lock inc word [9000h]
                                     0xfa,
                                     0xf4};  // cli; hlt
    ASSERT_TRUE(guest.pc.memory().write_bytes(Hpa{0x8000}, std::as_bytes(std::span{started})));
    EXPECT_EQ(finish(guest).ended, Ended::debug_exit);
    EXPECT_EQ(guest.pc.memory().read(Hpa{0x9000}, 4), 3U);
    for (unsigned i = 1; i < 4; ++i)
        EXPECT_EQ(guest.pc.processor(i).cpu().state.segment[cpu::cs].selector, 0x800U) << i;
}

}  // namespace
}  // namespace hyperstep::machine
