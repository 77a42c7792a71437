#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vmx/rules/vmcs.hpp"

namespace hyperstep::vmx {

/// The seven words of controls. SDM "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry
/// Control Fields".
enum class ControlWord : std::uint8_t { pin, primary, secondary, tertiary, exit, exit2, entry };

/// The VMCS field that holds a word of controls.
constexpr Field field_of(ControlWord w) {
    switch (w) {
        case ControlWord::pin: return Field::pin_controls;
        case ControlWord::primary: return Field::primary_controls;
        case ControlWord::secondary: return Field::secondary_controls;
        case ControlWord::tertiary: return Field::tertiary_controls;
        case ControlWord::exit: return Field::exit_controls;
        case ControlWord::exit2: return Field::exit_controls2;
        case ControlWord::entry: break;
    }
    return Field::entry_controls;
}

/// One control: a bit of a word.
struct Control {
    ControlWord word;
    std::uint8_t bit;
    constexpr std::uint64_t mask() const { return 1ULL << bit; }
    friend constexpr bool operator==(Control, Control) = default;
};

/// What a control's default is and whether a processor may let it be 0.
/// SDM "Reserved Controls and Default Settings".
enum class Default1 : std::uint8_t {
    no,         ///< default 0
    yes,        ///< reserved, must be 1
    clearable,  ///< default 1; the TRUE capability MSR may allow 0
};

// pin::virtual_nmis, secondary::enable_ept, entry::load_efer, ...
#define CONTROL(word_, bit_, short_name, default1_, name)          \
    namespace word_ {                                              \
    inline constexpr Control short_name{ControlWord::word_, bit_}; \
    }
#include "vmx/rules/controls.def"
#undef CONTROL

struct ControlInfo {
    Control control;
    std::string_view short_name;  ///< "secondary.enable_ept"
    std::string_view name;        ///< the manual's name
    Default1 default1;
};

/// All controls of the tables, reserved default-1 bits included, by word and bit.
std::span<const ControlInfo> all_controls();
/// The row for a bit of a word; nullptr if the tables know no such bit.
const ControlInfo* find(Control c);
/// The control named exactly so ("secondary.enable_ept"); nothing if there is none.
std::optional<Control> control_named(std::string_view short_name);
std::string_view to_string(ControlWord w);

}  // namespace hyperstep::vmx
