#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "vmx/rules/slots.hpp"

namespace hyperstep::vmx {

/// What a range of bits of a VMX capability MSR says. SDM "VMX Capability Reporting Facility".
struct CapabilityPart {
    Slot msr;
    std::uint8_t high, low;
    std::string_view short_name;  ///< "ept.walk5"
    std::string_view meaning;

    constexpr bool is_whole_word() const { return high == 63 && low == 0; }
    constexpr std::uint64_t get(std::uint64_t word) const {
        return word >> low & (~0ULL >> (63U - (high - low)));
    }
};

/// All parts, by MSR.
std::span<const CapabilityPart> all_capability_parts();

}  // namespace hyperstep::vmx
