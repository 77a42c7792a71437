// Covers: vmx/rules/evaluate.cpp vmx/rules/vocabulary.hpp vmx/rules/known.hpp vmx/rules/state.cpp
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/evaluate.hpp"

// Any state: the two ways of evaluating agree, and what is said with unknowns is true of the whole state.
// Input: a byte that chooses a valid state, then records of 11 bytes: slot (2), what to do (1), value (8).
namespace {

using namespace hyperstep::vmx;

constexpr std::size_t record = 11;

State whole_state(const std::uint8_t* data, std::size_t size, State& partial) {
    constexpr std::size_t bases = std::size(all_base_states);
    State whole = base_state(all_base_states[data[0] % bases]);
    partial = whole;
    for (std::size_t at = 1; at + record <= size; at += record) {
        const auto slot = static_cast<Slot>((data[at] | std::size_t{data[at + 1]} << 8U) % slot_count);
        std::uint64_t value = 0;
        std::memcpy(&value, data + at + 3, sizeof value);
        if (info(slot).kind == SlotKind::option) value &= 1;
        switch (data[at + 2] % 4) {
            case 0:
                whole.set(slot, value);
                partial.set(slot, value);
                break;
            case 1:
                whole.set(slot, value);
                partial.forget(slot);
                break;
            case 2: partial.set(slot, PartialWord{partial[slot].value, value & partial[slot].known}); break;
            default:
                if (whole.msr_load.size() >= max_msr_entries) break;
                whole.msr_load.push_back({static_cast<std::uint32_t>(value), 0, value >> 8U});
                partial.msr_load = whole.msr_load;
        }
    }
    return whole;
}

/// Capabilities and options may not be unknown beyond what an unknown processor leaves open.
void keep_known(State& partial, const State& whole) {
    const State anyone;
    for (const Slot s : slots_of(SlotKind::capability))
        partial.set(s, PartialWord{whole[s].value, partial[s].known | anyone[s].known});
    for (const Slot s : slots_of(SlotKind::option)) partial.set(s, whole[s]);
    // An unknown physical-address width is one that a processor has: 36 to 52.
    const std::uint64_t width = whole[Slot::maxphyaddr].value;
    if (width < 36 || width > 52) partial.set(Slot::maxphyaddr, width);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    State partial;
    const State whole = whole_state(data, size, partial);
    keep_known(partial, whole);
    if (whole.complete() && first_broken(whole) != first_broken_exact(whole)) std::abort();
    const auto truth = evaluate_all(whole);
    const auto told = evaluate_all(partial);
    for (std::size_t i = 0; i < truth.size(); ++i) {
        if (truth[i].standing == Standing::unknown || told[i].standing == Standing::unknown) continue;
        if ((truth[i].standing == Standing::broken) != (told[i].standing == Standing::broken)) std::abort();
    }
    return 0;
}
