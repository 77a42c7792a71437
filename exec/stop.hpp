#pragma once
#include <cstdint>

namespace hyperstep::exec {

/// Why a processor gave control back. The state is that of an instruction boundary.
enum class Stop : std::uint8_t {
    budget,        ///< virtual time reached Timeline::stop_at
    waiting,       ///< not active: HLT, MWAIT, wait-for-SIPI, and nothing that wakes it is pending
    shutdown,      ///< a triple fault, or a state that means it
    vm_exit,       ///< a hypervisor that is a C++ caller is to go on
    breakpoint,    ///< the caller's
    unimplemented  ///< an architectural case that the interpreter does not have; RIP is at the instruction
};

}  // namespace hyperstep::exec
