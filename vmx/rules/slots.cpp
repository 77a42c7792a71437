#include "vmx/rules/slots.hpp"

#include <vector>

namespace hyperstep::vmx {
namespace {

constexpr std::array<SlotInfo, slot_count> slots{{
#define VMCS_FIELD(short_name, type, width, index, present, name) \
    {SlotKind::field, #short_name, name, encode(FieldType::type, FieldWidth::width, index)},
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
#define PROCESSOR_STATE(slot, name, meaning) {SlotKind::processor, name, meaning, 0},
#include "vmx/rules/processor_state.def"
#undef PROCESSOR_STATE
#define MEMORY_STATE(slot, name, meaning) {SlotKind::memory, name, meaning, 0},
#include "vmx/rules/memory_state.def"
#undef MEMORY_STATE
#define CAPABILITY_MSR(slot, index, name, known, value) \
    {SlotKind::capability, name, "VMX capability MSR", index},
#define CAPABILITY_FACT(slot, name, known, value, meaning) {SlotKind::capability, name, meaning, 0},
#include "vmx/rules/capabilities.def"
#undef CAPABILITY_MSR
#undef CAPABILITY_FACT
#define OPTION(slot, name, first, second, meaning) {SlotKind::option, name, meaning, 0},
#include "vmx/rules/options.def"
#undef OPTION
}};

constexpr auto options = std::to_array<OptionInfo>({
#define OPTION(slot, name, first, second, meaning) {Slot::slot, name, {first, second}, meaning},
#include "vmx/rules/options.def"
#undef OPTION
});

std::vector<Slot> collect(SlotKind kind) {
    std::vector<Slot> found;
    for (std::size_t i = 0; i < slot_count; ++i)
        if (slots[i].kind == kind) found.push_back(static_cast<Slot>(i));
    return found;
}

}  // namespace

const SlotInfo& info(Slot s) {
    return slots.at(position(s));
}

Slot slot_of(Field f) {
    const auto row = static_cast<std::size_t>(&info(f) - all_fields().data());
    return static_cast<Slot>(row);
}

std::optional<Field> field_in(Slot s) {
    if (info(s).kind != SlotKind::field) return std::nullopt;
    return static_cast<Field>(info(s).number);
}

std::optional<Slot> capability_slot(std::uint32_t msr_index) {
    for (const Slot s : slots_of(SlotKind::capability))
        if (info(s).number == msr_index && msr_index != 0) return s;
    return std::nullopt;
}

std::optional<Slot> slot_named(std::string_view name) {
    for (std::size_t i = 0; i < slot_count; ++i)
        if (slots[i].name == name) return static_cast<Slot>(i);
    return std::nullopt;
}

std::span<const Slot> slots_of(SlotKind kind) {
    static const std::array<std::vector<Slot>, 5> by_kind{collect(SlotKind::field),
                                                          collect(SlotKind::processor),
                                                          collect(SlotKind::memory),
                                                          collect(SlotKind::capability),
                                                          collect(SlotKind::option)};
    return by_kind.at(static_cast<std::size_t>(kind));
}

std::span<const OptionInfo> all_options() {
    return options;
}

}  // namespace hyperstep::vmx
