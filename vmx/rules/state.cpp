#include "vmx/rules/state.hpp"

#include <algorithm>

namespace hyperstep::vmx {
namespace {

constexpr std::uint64_t holdable_bits(Slot s) {
    constexpr std::array masks{
#define VMCS_FIELD(short_name, type, width, index, present, name) mask_of(Field::short_name),
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
    };
    return position(s) < masks.size() ? masks[position(s)] : ~0ULL;
}

struct Universal {
    Slot slot;
    std::uint64_t known, value;
};

/// What every Intel processor with Intel 64 and VMX has in common.
constexpr auto universal = std::to_array<Universal>({
#define CAPABILITY_MSR(slot, index, name, known, value)    {Slot::slot, known, value},
#define CAPABILITY_FACT(slot, name, known, value, meaning) {Slot::slot, known, value},
#include "vmx/rules/capabilities.def"
#undef CAPABILITY_MSR
#undef CAPABILITY_FACT
});

}  // namespace

State::State() {
    for (const Universal& u : universal) set(u.slot, PartialWord{u.value, u.known});
    for (const OptionInfo& option : all_options()) set(option.slot, 0);
    for (const Slot s : slots_of(SlotKind::field)) forget(s);
}

void State::set(Slot s, PartialWord word) {
    const std::uint64_t holdable = holdable_bits(s);
    value_[position(s)] = word.value & holdable;
    known_[position(s)] = word.known | ~holdable;
}

void State::complete_with_zeros() {
    for (std::size_t i = 0; i < slot_count; ++i) {
        const SlotKind kind = info(static_cast<Slot>(i)).kind;
        if (kind == SlotKind::field || kind == SlotKind::processor || kind == SlotKind::memory)
            known_[i] = ~0ULL;
    }
    msr_load_complete = true;
}

bool State::complete() const {
    return msr_load_complete &&
           std::all_of(known_.begin(), known_.end(), [](std::uint64_t k) { return k == ~0ULL; });
}

}  // namespace hyperstep::vmx
