#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "vmx/rules/slots.hpp"

namespace hyperstep::explain {

/// The guest-state slots of a segment or descriptor-table register.
struct SegmentSlots {
    std::string_view name;  ///< "CS", "LDTR", "GDTR", ...
    std::optional<vmx::Slot> selector;
    std::optional<vmx::Slot> rights;
    vmx::Slot limit;
    vmx::Slot base;
};

/// Who names the registers: KVM, Xen and the manual write LDTR, GDTR; QEMU writes LDT, GDT; structures write
/// ldt, gdt.
enum class NameStyle : std::uint8_t { vmcs, any };

/// ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR in this order.
const std::array<SegmentSlots, 10>& guest_segments();
/// The register called `name`; null if there is none.
const SegmentSlots* guest_segment(std::string_view name, NameStyle style);

}  // namespace hyperstep::explain
