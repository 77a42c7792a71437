#pragma once
#include <span>
#include <string>
#include <string_view>

#include "vmx/rules/controls.hpp"

namespace hyperstep::vmx {

/// What a control that is 1 asks of another control.
enum class Relation : std::uint8_t { requires_1, excludes };

struct ControlDependency {
    Control control;
    Relation relation;
    Control other;
    std::string_view check;  ///< the entry check that refuses a VMCS that does not keep to it
};

/// All dependencies between controls. SDM "Checks on VMX Controls".
std::span<const ControlDependency> all_control_dependencies();

/// "requires pin.nmi_exiting" or "excludes secondary.virtualize_apic_accesses".
std::string describe(const ControlDependency& d);
/// All that a control requires and excludes, by comma; empty if nothing.
std::string dependencies_of(Control c);

}  // namespace hyperstep::vmx
