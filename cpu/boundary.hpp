#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/intercepts.hpp"
#include "exec/stop.hpp"

// What happens between two instructions.
namespace hyperstep::cpu {

/// What is to be done at a boundary.
enum class Boundary : std::uint8_t {
    run,          ///< nothing is due: blocks may run
    step,         ///< the next instruction needs care: TF, RF, a shadow, instruction breakpoints
    event_taken,  ///< an event was delivered, or a signal acted on: look again
    waiting,      ///< not active
    shutdown,     ///< in shutdown
    intercepted   ///< a hypervisor took the event
};

/// Chooses, by the table of priorities, what is due at this boundary, and does it. SDM "Priority Among
/// Concurrent Events". Sets Cpu::attention to whether the next boundary must be looked at too.
Boundary at_boundary(Cpu& cpu);

/// What an instruction that is executed with care found when it began.
struct StepStart {
    std::uint64_t rflags = 0;
    Blocking blocking;
};
/// Called before such an instruction: RF is cleared for it.
StepStart begin_step(Cpu& cpu);
/// Called after it has completed: the single-step trap is noted, shadows that it did not make itself end.
void end_step(Cpu& cpu, const StepStart& start);
/// Called instead when it faulted: nothing of it remains.
void abandon_step(Cpu& cpu, const StepStart& start);

/// Delivers an event through the interrupt table of the current mode, with all that may go wrong on the way:
/// a second fault, a double fault, a triple fault. The fault is intercepted() or shutdown. SDM "Exception and
/// Interrupt Handling in ... Mode", "Conditions for Generating a Double Fault".
Outcome deliver(Cpu& cpu, const Event& event);
/// Delivers the exception that an instruction raised; what follows is at the handler's first instruction. RIP
/// points to the instruction (a fault) or behind it (a trap).
Outcome deliver_fault(Cpu& cpu, const Fault& fault);

}  // namespace hyperstep::cpu
