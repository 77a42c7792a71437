#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/known.hpp"
#include "vmx/rules/slots.hpp"
#include "vmx/rules/state.hpp"

namespace hyperstep::vmx {

/// What a processor can do, as far as it is known: the capability slots as a value.
/// SDM "VMX Capability Reporting Facility", "CPUID".
class Capabilities {
public:
    /// An unknown processor: what all Intel processors with Intel 64 and VMX have in common.
    Capabilities();

    PartialWord operator[](Slot s) const;
    /// `s` must be a capability slot.
    void set(Slot s, PartialWord word);

    /// A control may be 1 (allowed 1-setting; TRUE MSR where there is one).
    Truth allows(Control c) const;
    /// A control must be 1.
    Truth requires_1(Control c) const;
    /// CR3-target value `n` (0 to 3) exists.
    Truth has_cr3_target(unsigned n) const;
    Truth eptp_switching() const;
    Truth fred() const;
    bool fully_known() const;

    friend bool operator==(const Capabilities&, const Capabilities&) = default;

private:
    State state_;
};

/// The field exists on such a processor. SDM "Field Encoding in VMCS", notes.
Truth field_exists(const Capabilities& cap, Field f);

/// A processor by name: "coffee-lake", "broadwell-ep", "kvm-nested", "all"; nothing for another name.
std::optional<Capabilities> preset(std::string_view name);
struct PresetInfo {
    std::string_view name;
    std::string_view meaning;
};
std::span<const PresetInfo> all_presets();

/// Puts the capabilities into a state's slots.
void install(State& state, const Capabilities& cap);
/// The capabilities of a state.
Capabilities capabilities_of(const State& state);

}  // namespace hyperstep::vmx
