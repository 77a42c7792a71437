#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/vmcs.hpp"

namespace hyperstep::vmx {

/// Everything that a VM-entry check may read, as flat numbered slots: first the VMCS fields in the order of
/// their encodings, then the processor's state, what was fetched from memory, its capabilities, and the named
/// options.
enum class Slot : std::uint16_t {
#define VMCS_FIELD(short_name, type, width, index, present, name) short_name,
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
#define PROCESSOR_STATE(slot, name, meaning) slot,
#include "vmx/rules/processor_state.def"
#undef PROCESSOR_STATE
#define MEMORY_STATE(slot, name, meaning) slot,
#include "vmx/rules/memory_state.def"
#undef MEMORY_STATE
#define CAPABILITY_MSR(slot, index, name, known, value)    slot,
#define CAPABILITY_FACT(slot, name, known, value, meaning) slot,
#include "vmx/rules/capabilities.def"
#undef CAPABILITY_MSR
#undef CAPABILITY_FACT
#define OPTION(slot, name, first, second, meaning) slot,
#include "vmx/rules/options.def"
#undef OPTION
    count
};

inline constexpr std::size_t slot_count = static_cast<std::size_t>(Slot::count);
constexpr std::size_t position(Slot s) {
    return static_cast<std::size_t>(s);
}

enum class SlotKind : std::uint8_t { field, processor, memory, capability, option };

struct SlotInfo {
    SlotKind kind;
    std::string_view name;     ///< what commands print and take: a field's short name, "MAXPHYADDR", ...
    std::string_view meaning;  ///< a field's name in the manual, or what the number is
    std::uint32_t number;      ///< a field's encoding, a capability MSR's index; otherwise 0
};

const SlotInfo& info(Slot s);
/// The slot that holds a field.
Slot slot_of(Field f);
/// The slot that holds a word of controls.
constexpr Slot slot_of(ControlWord w) {
    switch (w) {
        case ControlWord::pin: return Slot::pin_controls;
        case ControlWord::primary: return Slot::primary_controls;
        case ControlWord::secondary: return Slot::secondary_controls;
        case ControlWord::tertiary: return Slot::tertiary_controls;
        case ControlWord::exit: return Slot::exit_controls;
        case ControlWord::exit2: return Slot::exit_controls2;
        case ControlWord::entry: break;
    }
    return Slot::entry_controls;
}
/// The field in a slot; nothing if the slot holds something else.
std::optional<Field> field_in(Slot s);
/// The slot of a capability MSR (0x480 to 0x493); nothing for another index.
std::optional<Slot> capability_slot(std::uint32_t msr_index);
/// The slot whose printed name is exactly `name`.
std::optional<Slot> slot_named(std::string_view name);
/// All slots of a kind, in their order.
std::span<const Slot> slots_of(SlotKind kind);

/// A choice where the manual leaves something open.
struct OptionInfo {
    Slot slot;
    std::string_view name;
    std::array<std::string_view, 2> choices;  ///< the first is the default
    std::string_view meaning;
};
std::span<const OptionInfo> all_options();

}  // namespace hyperstep::vmx
