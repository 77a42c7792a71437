#pragma once
#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

namespace hyperstep::cpu {

/// #GP(0) unless the current privilege level is 0: not in virtual-8086 mode either.
inline Outcome require_most_privileged(const Cpu& cpu) {
    if (cpu.cpl != 0) return general_protection();
    return {};
}

}  // namespace hyperstep::cpu
