#include "vmx/rules/capabilities.hpp"

#include "vmx/rules/registers.hpp"

namespace hyperstep::vmx {
namespace {

constexpr Truth always = Truth::yes;

struct CapabilityMsrs {
    Slot plain, true_msr;
};

/// The MSRs with the allowed settings of a 32-bit word of controls.
constexpr CapabilityMsrs msrs_of(ControlWord w) {
    switch (w) {
        case ControlWord::pin: return {Slot::vmx_pinbased_ctls, Slot::vmx_true_pinbased_ctls};
        case ControlWord::primary: return {Slot::vmx_procbased_ctls, Slot::vmx_true_procbased_ctls};
        case ControlWord::exit: return {Slot::vmx_exit_ctls, Slot::vmx_true_exit_ctls};
        case ControlWord::entry: return {Slot::vmx_entry_ctls, Slot::vmx_true_entry_ctls};
        case ControlWord::secondary:
        case ControlWord::tertiary:
        case ControlWord::exit2: break;
    }
    return {Slot::vmx_procbased_ctls2, Slot::vmx_procbased_ctls2};
}

Truth bit(PartialWord word, unsigned n) {
    return (word & PartialWord{1ULL << n}) != PartialWord{0};
}

enum class PresetId : std::uint8_t {
#define PRESET(identifier, name, meaning) identifier,
#define VALUE(identifier, slot, value)
#include "vmx/rules/presets.def"
#undef PRESET
#undef VALUE
};

constexpr auto presets = std::to_array<PresetInfo>({
#define PRESET(identifier, name, meaning) {name, meaning},
#define VALUE(identifier, slot, value)
#include "vmx/rules/presets.def"
#undef PRESET
#undef VALUE
});

struct PresetValue {
    PresetId preset;
    Slot slot;
    std::uint64_t value;
};
constexpr auto preset_values = std::to_array<PresetValue>({
#define PRESET(identifier, name, meaning)
#define VALUE(identifier, slot, value) {PresetId::identifier, Slot::slot, value},
#include "vmx/rules/presets.def"
#undef PRESET
#undef VALUE
});

}  // namespace

Capabilities::Capabilities() = default;

PartialWord Capabilities::operator[](Slot s) const {
    return state_[s];
}

void Capabilities::set(Slot s, PartialWord word) {
    state_.set(s, word);
}

Truth Capabilities::allows(Control c) const {
    if (c.word == ControlWord::tertiary) return bit(state_[Slot::vmx_procbased_ctls3], c.bit);
    if (c.word == ControlWord::exit2) return bit(state_[Slot::vmx_exit_ctls2], c.bit);
    const CapabilityMsrs msrs = msrs_of(c.word);
    return select(state_[Slot::vmx_basic][VmxBasic::true_controls],
                  bit(state_[msrs.true_msr], c.bit + 32U),
                  bit(state_[msrs.plain], c.bit + 32U));
}

Truth Capabilities::requires_1(Control c) const {
    if (c.word == ControlWord::secondary || c.word == ControlWord::tertiary || c.word == ControlWord::exit2)
        return Truth::no;
    const CapabilityMsrs msrs = msrs_of(c.word);
    return select(state_[Slot::vmx_basic][VmxBasic::true_controls],
                  bit(state_[msrs.true_msr], c.bit),
                  bit(state_[msrs.plain], c.bit));
}

Truth Capabilities::has_cr3_target(unsigned n) const {
    return state_[Slot::vmx_misc][VmxMisc::cr3_targets] > PartialWord{n};
}

Truth Capabilities::eptp_switching() const {
    return allows(secondary::enable_vm_functions) && bit(state_[Slot::vmx_vmfunc], 0);
}

Truth Capabilities::fred() const {
    return state_[Slot::fred] == PartialWord{1};
}

bool Capabilities::fully_known() const {
    for (const Slot s : slots_of(SlotKind::capability))
        if (!state_.knows(s)) return false;
    return true;
}

Truth field_exists(const Capabilities& cap, Field f) {
    switch (f) {
#define VMCS_FIELD(short_name, type, width, index, present, name) \
    case Field::short_name:                                       \
        return present;
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
    }
    return Truth::no;
}

std::span<const PresetInfo> all_presets() {
    return presets;
}

std::optional<Capabilities> preset(std::string_view name) {
    for (std::size_t i = 0; i < presets.size(); ++i) {
        if (presets[i].name != name) continue;
        Capabilities cap;
        for (const PresetValue& v : preset_values)
            if (static_cast<std::size_t>(v.preset) == i) cap.set(v.slot, v.value);
        return cap;
    }
    return std::nullopt;
}

void install(State& state, const Capabilities& cap) {
    for (const Slot s : slots_of(SlotKind::capability)) state.set(s, cap[s]);
}

Capabilities capabilities_of(const State& state) {
    Capabilities cap;
    for (const Slot s : slots_of(SlotKind::capability)) cap.set(s, state[s]);
    return cap;
}

}  // namespace hyperstep::vmx
