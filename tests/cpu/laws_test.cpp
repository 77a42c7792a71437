#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/archive.hpp"
#include "tests/cpu/bare_machine.hpp"
#include "tests/cpu/random_machine.hpp"

// What must not show: decoded blocks, TLB, repetition in bulk, where a run was interrupted.
namespace hyperstep::cpu {
namespace {

constexpr Engine plain{.use_blocks = false, .use_tlb = false, .slice = 1};
constexpr Engine engines[] = {
    {},
    {.use_blocks = false},
    {.use_tlb = false},
    {.slice = 1},
    {.slice = 2},
    {.slice = 7},
    {.slice = 64},
};

// ---- any program in any state -----------------------------------------------------------------------------

TEST(Laws, RandomProgramsDoTheSameOnEveryEngine) {
    RandomMachine machine;
    Trail expected, found;
    for (std::uint8_t i = 0; i < 200; ++i) {
        const std::array<std::uint8_t, 6> input{
            i, static_cast<std::uint8_t>(i * 37), static_cast<std::uint8_t>(i * 11), 0x5a, i, 3};
        machine.run(input, plain, expected);
        ASSERT_EQ(expected.complaint, "") << int{i};
        const Engine& engine = engines[i % std::size(engines)];
        machine.run(input, engine, found);
        ASSERT_EQ(found.complaint, "") << int{i};
        ASSERT_EQ(difference(expected, found), "") << "seed " << int{i} << " slice " << engine.slice;
    }
}

// ---- loops ------------------------------------------------------------------------------------------------

using Code = std::vector<std::uint8_t>;

/// Pieces of a loop's body. RBX is in data, RSI and RDI are made anew before each repetition.
const Code pieces[] = {
    {0x01, 0xd0},                                // add eax, edx
    {0x48, 0x31, 0xc2},                          // xor rdx, rax
    {0x0f, 0xaf, 0xd0},                          // imul edx, eax
    {0xc1, 0xc0, 0x05},                          // rol eax, 5
    {0x89, 0x03},                                // mov [rbx], eax
    {0x03, 0x43, 0x08},                          // add eax, [rbx+8]
    {0x48, 0x89, 0x93, 0xfc, 0x0f, 0x00, 0x00},  // mov [rbx+0ffch], rdx: across pages
    {0x48, 0x8b, 0x93, 0xfd, 0x0f, 0x00, 0x00},  // mov rdx, [rbx+0ffdh]
    {0x50, 0x5a},                                // push rax; pop rdx
    {0xe8, 0x00, 0x00, 0x00, 0x00, 0x58},        // call next; pop rax
    {0x74, 0x02, 0xff, 0xc2},                    // jz over inc edx
    {0x0f, 0xa2, 0xbb, 0x00, 0x00, 0x20, 0x00},  // cpuid; mov ebx, 200000h
    {0x9c, 0x58},                                // pushfq; pop rax
    {0xd9, 0xe8, 0xdd, 0x1b},                    // fld1; fstp qword [rbx]
    {0xf3, 0x0f, 0x58, 0xc1},                    // addss xmm0, xmm1
    {0x48, 0x89, 0xde, 0x48, 0x8d, 0xbb, 0x00, 0x02, 0x00, 0x00, 0xb9, 0x23, 0x00, 0x00, 0x00, 0xf3, 0xa4},
    {0x48, 0x89, 0xde, 0x48, 0x8d, 0x7b, 0x01, 0xb9, 0x15, 0x00, 0x00, 0x00, 0xf3, 0xa5},  // overlapping
                                                                                           // movsd
    {0x48, 0x8d, 0xbb, 0xe0, 0x0f, 0x00, 0x00, 0xb9, 0x41, 0x00, 0x00, 0x00, 0xf3, 0xaa},  // stosb across
                                                                                           // pages
    {0x48, 0x89, 0xdf, 0xb9, 0x30, 0x00, 0x00, 0x00, 0xf2, 0xae},                          // repne scasb
    {0x48, 0x89, 0xde, 0x48, 0x8d, 0x7b, 0x40, 0xb9, 0x20, 0x00, 0x00, 0x00, 0xf3, 0xa6},  // repe cmpsb
};

/// A loop in 64-bit mode; R8 counts. With `writes_itself` an immediate of its own is changed each time.
Code loop_of(unsigned seed, bool writes_itself) {
    Code body;
    std::uint64_t random = seed * 0x9e37'79b9'7f4a'7c15ULL + 1;
    for (unsigned i = 0; i < 12; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const Code& piece = pieces[random % std::size(pieces)];
        body.insert(body.end(), piece.begin(), piece.end());
    }
    if (writes_itself) body.insert(body.end(), {0xfe, 0x05, 0x01, 0x00, 0x00, 0x00, 0x05, 0, 0, 0, 0});
    body.insert(body.end(), {0x49, 0xff, 0xc8, 0x0f, 0x85});  // dec r8; jnz
    const auto back = static_cast<std::uint32_t>(-static_cast<std::int32_t>(body.size() + 4));
    for (unsigned i = 0; i < 4; ++i) body.push_back(static_cast<std::uint8_t>(back >> (8 * i)));
    body.push_back(0xf4);  // hlt
    return body;
}

struct LoopResult {
    std::uint64_t state = 0, memory = 0, now = 0, decoded = 0, retired = 0;
    exec::Stop stop = exec::Stop::budget;
};

LoopResult run_loop(const Code& code, const Engine& engine) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.put(BareMachine::code, code);
    Cpu& cpu = machine.cpu;
    cpu.use_blocks = engine.use_blocks;
    cpu.use_tlb = engine.use_tlb;
    cpu.state.gpr[rbx] = BareMachine::data;
    cpu.state.gpr[r8] = 40;
    cpu.state.fpu.control = 0x37f;
    cpu.state.fpu.empty = 0xff;
    LoopResult result;
    do {
        cpu.time.stop_at = engine.slice == ~0ULL ? Timeline::never : cpu.time.now + engine.slice;
        result.stop = run(cpu);
    } while (result.stop == exec::Stop::budget && cpu.time.now < 100'000);
    result.state = state_hash(cpu.state);
    result.memory = machine.memory.content_hash();
    result.now = cpu.time.now;
    result.decoded = cpu.decoded;
    result.retired = cpu.state.retired;
    return result;
}

TEST(Laws, LoopsDoTheSameOnEveryEngine) {
    for (unsigned seed = 0; seed < 16; ++seed) {
        const bool writes_itself = seed % 3 == 0;
        const Code code = loop_of(seed, writes_itself);
        const LoopResult expected = run_loop(code, plain);
        EXPECT_EQ(expected.stop, exec::Stop::waiting);
        for (const Engine& engine : engines) {
            const LoopResult found = run_loop(code, engine);
            SCOPED_TRACE(testing::Message() << "seed " << seed << " blocks " << engine.use_blocks << " TLB "
                                            << engine.use_tlb << " slice " << engine.slice);
            EXPECT_EQ(found.state, expected.state);
            EXPECT_EQ(found.memory, expected.memory);
            EXPECT_EQ(found.now, expected.now);
            EXPECT_EQ(found.stop, expected.stop);
            EXPECT_EQ(found.retired, expected.retired);
            // The blocks were really used. (A slice ends anywhere, so that blocks begin anywhere.)
            const bool keeps_blocks = engine.use_blocks && engine.slice == ~0ULL && !writes_itself;
            if (keeps_blocks) {
                EXPECT_LT(found.decoded * 5, found.retired);
            } else if (!engine.use_blocks) {
                EXPECT_GE(found.decoded, found.retired);
            }
        }
    }
}

TEST(Laws, WithoutTlbEveryAccessWalks) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.cpu.use_tlb = false;
    ASSERT_TRUE(machine.run_code({0x8b, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00}));  // mov eax, [200000h]
    const mmu::TlbEntry& entry = machine.cpu.tlb.at(Gva{BareMachine::data});
    EXPECT_NE(entry.read_tag, mmu::Tlb::tag(Gva{BareMachine::data}, machine.cpu.data_context));
}

// ---- repetition -------------------------------------------------------------------------------------------

TEST(Laws, ARepetitionInBulkIsOneIterationAtATime) {
    const Code repetitions[] = {
        {0xf3, 0xa4}, {0xf3, 0x48, 0xa5}, {0xf3, 0xaa}, {0xf3, 0xab}, {0xf2, 0xae}, {0xf3, 0xa6}};
    for (const Code& code : repetitions)
        for (const bool down : {false, true})
            for (const std::int64_t distance : {-7, 1, 0x1003}) {
                std::array<std::uint64_t, 2> states{}, memories{};
                for (unsigned one_by_one = 0; one_by_one < 2; ++one_by_one) {
                    BareMachine machine;
                    machine.enter_long_mode();
                    for (unsigned i = 0; i < 64; ++i)
                        machine.put(BareMachine::data + i, {static_cast<std::uint8_t>(i)});
                    machine.put(BareMachine::code, code);
                    State& state = machine.cpu.state;
                    state.gpr[rax] = 0x3f;
                    state.gpr[rcx] = 1500;
                    state.gpr[rsi] = BareMachine::data + (down ? 0x3000 : 0);
                    state.gpr[rdi] = state.gpr[rsi] + static_cast<std::uint64_t>(distance);
                    state.rflags |= down ? Rflags::df.mask : 0;
                    const std::uint64_t end = BareMachine::code + code.size();
                    while (state.rip != end && machine.time.now < 5000) {
                        machine.time.stop_at = machine.time.now + (one_by_one != 0 ? 1 : 4000);
                        // The bytes behind it are not part of the program.
                        if (one_by_one == 0) {
                            (void)execute_one(machine.cpu);
                        } else {
                            EXPECT_EQ(run(machine.cpu), exec::Stop::budget);
                        }
                    }
                    state.rflags &= ~Rflags::rf.mask;
                    states[one_by_one] = state_hash(state);
                    memories[one_by_one] = machine.memory.content_hash();
                }
                EXPECT_EQ(states[0], states[1]) << int{code[1]} << " " << down << " " << distance;
                EXPECT_EQ(memories[0], memories[1]) << int{code[1]} << " " << down << " " << distance;
            }
}

// ---- reasons to stop --------------------------------------------------------------------------------------

class TakesHalts final : public Intercepts {
public:
    Verdict instruction(Cpu& /*cpu*/, InterceptPoint point, const InterceptDetails& /*details*/) override {
        return point == InterceptPoint::hlt ? Verdict::intervene : Verdict::proceed;
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
};

struct Stopping {
    const char* what;
    std::initializer_list<std::uint8_t> code;
    exec::Stop stop;
    std::uint64_t now;       ///< ticks
    std::uint64_t distance;  ///< of RIP from the code's first byte
};

TEST(Stops, OfEachProgram) {
    const Stopping rows[] = {
        {"end of the time", {0xeb, 0xfe}, exec::Stop::budget, 100, 0},
        {"HLT", {0x90, 0xf4}, exec::Stop::waiting, 2, 2},
        {"UD2 without an IDT", {0x90, 0x0f, 0x0b}, exec::Stop::shutdown, 1, 1},
    };
    for (const Stopping& row : rows) {
        BareMachine machine;
        machine.enter_long_mode();
        machine.cpu.state.idtr = {.base = 0, .limit = 0};
        machine.put(BareMachine::code, row.code);
        machine.time.stop_at = 100;
        EXPECT_EQ(run(machine.cpu), row.stop) << row.what;
        EXPECT_EQ(machine.time.now, row.now) << row.what;
        EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + row.distance) << row.what;
    }
}

TEST(Stops, AHypervisorIntervenes) {
    BareMachine machine;
    machine.enter_long_mode();
    TakesHalts hypervisor;
    machine.cpu.intercepts = &hypervisor;
    machine.put(BareMachine::code, {0x90, 0xf4});
    machine.time.stop_at = 100;
    EXPECT_EQ(run(machine.cpu), exec::Stop::vm_exit);
    EXPECT_EQ(machine.cpu.state.rip, BareMachine::code + 1);
    EXPECT_EQ(machine.time.now, 1U);
}

TEST(Stops, AtOnceWhenTheTimeIsUp) {
    BareMachine machine;
    machine.enter_long_mode();
    machine.put(BareMachine::code, {0x90, 0xf4});
    machine.time.stop_at = 0;
    EXPECT_EQ(run(machine.cpu), exec::Stop::budget);
    EXPECT_EQ(machine.cpu.state.retired, 0U);
}

}  // namespace
}  // namespace hyperstep::cpu
