#include "vmx/rules/controls.hpp"

#include <array>

namespace hyperstep::vmx {
namespace {

constexpr auto controls = std::to_array<ControlInfo>({
#define CONTROL(word, bit, short_name, default1, name) \
    {{ControlWord::word, bit}, #word "." #short_name, name, Default1::default1},
#include "vmx/rules/controls.def"
#undef CONTROL
});

}  // namespace

std::span<const ControlInfo> all_controls() {
    return controls;
}

const ControlInfo* find(Control c) {
    for (const ControlInfo& row : controls)
        if (row.control == c) return &row;
    return nullptr;
}

std::optional<Control> control_named(std::string_view short_name) {
    for (const ControlInfo& row : controls)
        if (row.short_name == short_name) return row.control;
    return std::nullopt;
}

std::string_view to_string(ControlWord w) {
    constexpr std::array<std::string_view, 7> words{
        "pin", "primary", "secondary", "tertiary", "exit", "exit2", "entry"};
    return words.at(static_cast<unsigned>(w));
}

}  // namespace hyperstep::vmx
