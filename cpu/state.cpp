#include "cpu/state.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t present_data = 0x93;  ///< read/write, accessed, present
constexpr std::uint64_t present_ldt = 0x82;
constexpr std::uint64_t busy_tss = 0x8b;

/// What RESET and INIT have in common.
void set_common(State& state, std::uint32_t signature) {
    state.gpr = {};
    state.gpr[rdx] = signature;
    state.rip = 0xfff0;
    state.rflags = 2;
    for (Segment& segment : state.segment) segment = {.rights = {{present_data}}};
    state.segment[cs] = {
        .selector = 0xf000, .base = 0xffff'0000, .limit = 0xffff, .rights = {{present_data | 8}}};
    state.ldtr = {.rights = {{present_ldt}}};
    state.tr = {.rights = {{busy_tss}}};
    state.gdtr = {};
    state.idtr = {};
    state.cr2 = 0;
    state.cr3 = 0;
    state.cr4 = 0;
    state.pdpte = {};
    state.dr = {};
    state.dr6 = 0xffff'0ff0;
    state.dr7 = 0x400;
    state.msr.efer = 0;
    state.activity = Activity::active;
    state.blocking = {};
    state.pending_debug = 0;
    state.signals = {};
    state.monitor = {};
}

}  // namespace

State state_after_reset(std::uint32_t signature) {
    State state;
    set_common(state, signature);
    state.cr0 = 0x6000'0010;
    return state;
}

void apply_init(State& state, std::uint32_t signature) {
    const std::uint64_t cache_bits = state.cr0 & 0x6000'0000;
    set_common(state, signature);
    state.cr0 = 0x10 | cache_bits;
}

}  // namespace hyperstep::cpu
