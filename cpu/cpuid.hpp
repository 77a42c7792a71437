#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

struct CpuidLeaf {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    friend bool operator==(const CpuidLeaf&, const CpuidLeaf&) = default;
};

/// What CPUID gives, from the features of the model, the topology, and the registers on which some bits
/// depend (CR4, XCR0, IA32_XSS, IA32_APIC_BASE, IA32_MISC_ENABLE, 64-bit mode). A leaf beyond the greatest
/// one is answered as the greatest basic leaf. SDM "CPUID".
CpuidLeaf cpuid(Cpu& cpu, std::uint32_t leaf, std::uint32_t subleaf);

}  // namespace hyperstep::cpu
