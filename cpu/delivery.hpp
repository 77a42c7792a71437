#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/intercepts.hpp"

// The way of one event to its handler. What a fault on the way leads to is decided by deliver()
// (cpu/boundary.hpp).
namespace hyperstep::cpu {

/// Goes through the interrupt table of the current mode: afterwards CS:RIP is the handler's first
/// instruction, and the return frame is on its stack. With a fault nothing is committed (a task switch may
/// have committed the new task). SDM "Interrupt and Exception Handling".
Outcome enter_handler(Cpu& cpu, const Event& event);

// enter_handler() by mode; EXT is not yet in the error codes.
Outcome enter_handler_real_mode(Cpu& cpu, const Event& event);
Outcome enter_handler_protected_mode(Cpu& cpu, const Event& event);  ///< and in virtual-8086 mode
Outcome enter_handler_ia32e_mode(Cpu& cpu, const Event& event);

/// INT n, INT3, INTO: the DPL of the gate is compared with CPL, and errors are not external.
constexpr bool is_software(EventKind kind) {
    return kind == EventKind::software_interrupt || kind == EventKind::software_exception;
}
/// The address that the event returns to.
std::uint64_t return_address(const Cpu& cpu, const Event& event);
/// RFLAGS as the event saves them. SDM "Instruction-Breakpoint Exception Condition" on RF.
std::uint64_t flags_image(const Cpu& cpu, const Event& event);
/// The error code of a fault that names an entry of the IDT.
constexpr std::uint32_t idt_error_code(std::uint8_t vector) {
    return vector * 8U | 2U;
}

}  // namespace hyperstep::cpu
