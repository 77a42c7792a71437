#include "tests/cpu/native/our_processor.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace hyperstep::native {
namespace {

using namespace cpu;

constexpr std::uint64_t present = 1, writable = 2, user = 4, no_execute = 1ULL << 63;
constexpr std::uint64_t trap_flag = 1 << 8;
constexpr std::uint64_t root = 0x10'0000;
/// A TSS whose I/O map lies beyond its limit: no port is the program's.
constexpr std::uint64_t task_state = 0xffff'9000'0000'0000, task_state_frame = 0x5000;
constexpr std::uint64_t code_frame = 0x1000, data_frame = 0x2000, read_only_frame = 0x4000;

Segment segment(std::uint16_t selector, std::uint64_t rights, std::uint64_t base, std::uint32_t limit) {
    return {.selector = selector, .base = base, .limit = limit, .rights = {{rights}}};
}

constexpr unsigned top_of(const State& state) {
    return state.fpu.status >> 11 & 7;
}

}  // namespace

FxsaveImage fxsave_image(const State& state) {
    FxsaveImage image{};
    const auto put = [&](std::size_t at, const auto& value) {
        std::memcpy(image.data() + at, &value, sizeof value);
    };
    put(0, state.fpu.control);
    put(2, state.fpu.status);
    put(4, static_cast<std::uint8_t>(~state.fpu.empty));
    put(6, state.fpu.last_opcode);
    put(8, state.fpu.last_instruction);
    put(16, state.fpu.last_operand);
    put(24, state.mxcsr);
    for (unsigned i = 0; i < 8; ++i) {
        const Float80& value = state.fpu.registers[(top_of(state) + i) % 8];
        put(32 + i * 16, value.significand);
        put(40 + i * 16, value.sign_exponent);
    }
    for (unsigned i = 0; i < 16; ++i) {
        put(160 + i * 16, state.vector[i][0]);
        put(168 + i * 16, state.vector[i][1]);
    }
    return image;
}

void load_fxsave_image(State& state, const FxsaveImage& image) {
    const auto get = [&](std::size_t at, auto& value) {
        std::memcpy(&value, image.data() + at, sizeof value);
    };
    get(0, state.fpu.control);
    get(2, state.fpu.status);
    std::uint8_t in_use = 0;
    get(4, in_use);
    state.fpu.empty = static_cast<std::uint8_t>(~in_use);
    get(6, state.fpu.last_opcode);
    get(8, state.fpu.last_instruction);
    get(16, state.fpu.last_operand);
    get(24, state.mxcsr);
    for (unsigned i = 0; i < 8; ++i) {
        Float80& value = state.fpu.registers[(top_of(state) + i) % 8];
        get(32 + i * 16, value.significand);
        get(40 + i * 16, value.sign_exponent);
    }
    for (unsigned i = 0; i < 16; ++i) {
        get(160 + i * 16, state.vector[i][0]);
        get(168 + i * 16, state.vector[i][1]);
    }
}

OurProcessor::OurProcessor() : next_table_{root + 0x1000} {
    map(layout::code, code_frame, present | user);
    map(layout::data, data_frame, present | user | writable | no_execute);
    map(layout::data + layout::page, data_frame + layout::page, present | user | writable | no_execute);
    map(layout::read_only, read_only_frame, present | user | no_execute);
    map(task_state, task_state_frame, present | writable | no_execute);
    machine_.memory.write(Hpa{task_state_frame + 0x66}, 2, 0xffff);
}

void OurProcessor::map(std::uint64_t linear, std::uint64_t physical, std::uint64_t flags) {
    std::uint64_t table = root;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        const Hpa slot{table + (linear >> shift & 0x1ff) * 8};
        std::uint64_t entry = machine_.memory.read(slot, 8);
        if (entry == 0) {
            entry = next_table_ | present | writable | user;
            next_table_ += layout::page;
            machine_.memory.write(slot, 8, entry);
        }
        table = entry & ~0xfffULL;
    }
    machine_.memory.write(Hpa{table + (linear >> 12 & 0x1ff) * 8}, 8, physical | flags);
}

void OurProcessor::enter(const Trial& trial) {
    constexpr std::uint64_t code = 0xfb, data = 0xf3, l = 1 << 13, db = 1 << 14, g = 1 << 15;
    State state = state_after_reset(0);
    state.gpr = trial.before.gpr;
    state.rip = trial.before.rip;
    state.rflags = trial.before.rflags | trap_flag | 2;
    for (Segment& each : state.segment) each = segment(0x2b, data | db | g, 0, 0xffff'ffff);
    switch (trial.size) {
        case CodeSize::bits_64: state.segment[cs] = segment(0x33, code | l | g, 0, 0xffff'ffff); break;
        case CodeSize::bits_32: state.segment[cs] = segment(0x23, code | db | g, 0, 0xffff'ffff); break;
        case CodeSize::bits_16:
            state.segment[cs] = segment(0x07, code, layout::code, 0xffff);
            state.rip -= layout::code;
            break;
    }
    state.ldtr.rights = {{1 << 16}};
    state.tr = segment(0x40, 0x8b, task_state, 0x67);
    state.cr0 = 0x8005'0033;
    state.cr3 = root;
    state.cr4 = 0x0006'06b0 | 1 << 16;
    state.xcr0 = 7;
    state.msr.efer = 0xd01;
    load_fxsave_image(state, trial.before.fxsave);
    for (unsigned i = 0; i < 16; ++i) {
        state.vector[i][2] = trial.before.ymm_high[i][0];
        state.vector[i][3] = trial.before.ymm_high[i][1];
    }
    machine_.cpu.state = state;
    refresh(machine_.cpu);
}

Result OurProcessor::run(const Trial& trial) {
    const std::span code{trial.code.data(), trial.code_bytes};
    machine_.put(code_frame + (trial.before.rip - layout::code), code);
    static constexpr std::array<std::uint8_t, 2 * layout::page> zeros{};
    machine_.put(data_frame, zeros);
    machine_.put(data_frame + (layout::window - layout::data), trial.window);
    enter(trial);
    Result result;
    Outcome outcome = execute_one(machine_.cpu);
    // A repeated instruction may ask to look at the boundary between its iterations: nothing is due there.
    for (int more = 0; more < 128 && !outcome && outcome.error().kind == Fault::Kind::suspended; ++more)
        outcome = execute_one(machine_.cpu);
    if (!outcome) {
        // A fault that is none of the architecture's is shown as a vector that no processor has.
        const bool exception = outcome.error().kind == Fault::Kind::exception;
        result.vector = exception ? static_cast<std::uint8_t>(outcome.error().vector) : 0xf0;
        result.error_code = outcome.error().error_code;
        result.fault_address = machine_.cpu.fault_address;
    }
    const State& state = machine_.cpu.state;
    result.after.gpr = state.gpr;
    result.after.rip = state.rip + (trial.size == CodeSize::bits_16 ? layout::code : 0);
    result.after.rflags = state.rflags & ~trap_flag;
    result.after.fxsave = fxsave_image(state);
    for (unsigned i = 0; i < 16; ++i) result.after.ymm_high[i] = {state.vector[i][2], state.vector[i][3]};
    EXPECT_TRUE(machine_.memory.read_bytes(Hpa{data_frame + (layout::window - layout::data)},
                                           std::as_writable_bytes(std::span{result.window})));
    return result;
}

}  // namespace hyperstep::native
