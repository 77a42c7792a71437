#include "explain/inference.hpp"

#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;
using vmx::Slot;
using vmx::State;

constexpr std::uint32_t entry_failure = 0x8000'0000;

Reach reach_of_error(std::uint32_t error) {
    switch (error) {
        case 4:
        case 5:
        case 26: return Reach::instruction;
        case 7:
        case 16:
        case 17:
        case 18:
        case 25: return Reach::control;
        case 8: return Reach::host;
        default: return Reach::nothing_reported;
    }
}

/// Bits that are not known yet; what is known stays.
void learn(State& state, Slot slot, PartialWord fact) {
    const PartialWord old = state[slot];
    const std::uint64_t fresh = fact.known & ~old.known;
    state.set(slot, PartialWord{old.value | (fact.value & fresh), old.known | fresh});
}

PartialWord one_bit(std::uint64_t mask, bool set) {
    return {set ? mask : 0, mask};
}

/// The launch state that the instruction asks for; with neither known, VMRESUME of a launched VMCS.
void infer_launch_state(State& state, const Reported& reported) {
    if (reported.instruction_error == 4U) {
        learn(state, Slot::instruction, PartialWord{0});
        learn(state, Slot::launch_state, PartialWord{1});
    } else if (reported.instruction_error == 5U) {
        learn(state, Slot::instruction, PartialWord{1});
        learn(state, Slot::launch_state, PartialWord{0});
    } else if (state.knows(Slot::launch_state)) {
        learn(state, Slot::instruction, state[Slot::launch_state]);
    } else {
        learn(state, Slot::instruction, PartialWord{1});
        learn(state, Slot::launch_state, state[Slot::instruction]);
    }
}

}  // namespace

Reach reach_of(const Reported& reported) {
    const std::uint32_t reason = reported.reason.value_or(0);
    if (reported.reason && (reason & entry_failure) != 0) {
        switch (reason & 0xffff) {
            case 33: return Reach::guest;
            case 34: return Reach::msr_load;
            case 41: return Reach::machine_check;
            default: return Reach::nothing_reported;
        }
    }
    if (reported.instruction_error.value_or(0) != 0) return reach_of_error(*reported.instruction_error);
    if (reported.entry_failed || !reported.reason) return Reach::nothing_reported;
    return Reach::entered;
}

bool may_be_cause(vmx::Stage stage, Reach reach) {
    switch (reach) {
        case Reach::nothing_reported: return true;
        case Reach::instruction: return stage == vmx::Stage::instruction;
        case Reach::control: return stage == vmx::Stage::control;
        case Reach::host: return stage == vmx::Stage::host;
        case Reach::guest: return stage == vmx::Stage::guest;
        case Reach::msr_load: return stage == vmx::Stage::msr_load;
        case Reach::machine_check: return false;
        case Reach::entered: break;
    }
    return stage == vmx::Stage::guest || stage == vmx::Stage::msr_load;
}

void infer_processor(State& state, const Dump& dump) {
    const Reach reach = reach_of(dump.reported);
    const bool reports = reach != Reach::nothing_reported || dump.reported.entry_failed;
    const bool ours = dump.format == Format::hyperstep;
    if (ours && !reports) return;

    infer_launch_state(state, dump.reported);
    learn(state, Slot::in_vmx_operation, PartialWord{1});
    learn(state, Slot::in_non_root, PartialWord{0});
    learn(state, Slot::cur_cpl, PartialWord{0});
    learn(state, Slot::mov_ss_blocking, PartialWord{dump.reported.instruction_error == 26U ? 1U : 0U});
    learn(state, Slot::cur_cr0, one_bit(1, true));
    learn(state, Slot::cur_rflags, one_bit(decltype(vmx::Rflags::vm)::mask, false));
    // Where LMA is 0 the L bit means nothing; where it is 1, code that is not in compatibility mode has it
    // set.
    learn(state, Slot::cur_cs_l, PartialWord{1});
    learn(state, Slot::current_vmcs, PartialWord{0, 0xfff});
    learn(state, Slot::vmcs_word0, one_bit(decltype(vmx::VmcsWord0::shadow)::mask, false));
    if (!ours) learn(state, Slot::in_smm, PartialWord{0});

    const bool past_host = reach == Reach::guest || reach == Reach::msr_load ||
                           reach == Reach::machine_check || reach == Reach::entered;
    constexpr std::uint64_t host_size = vmx::exit::host_address_space_size.mask();
    const PartialWord exit_controls = state[Slot::exit_controls];
    if (past_host && (exit_controls.known & host_size) != 0)
        learn(state,
              Slot::cur_efer,
              one_bit(decltype(vmx::Efer::lma)::mask, (exit_controls.value & host_size) != 0));
}

}  // namespace hyperstep::explain
