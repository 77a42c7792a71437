#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/intercepts.hpp"
#include "exec/stop.hpp"

// What happens between two instructions.
namespace hyperstep::cpu {

/// What is to be done at a boundary.
enum class Boundary : std::uint8_t {
    run,           ///< nothing is due: blocks may run
    step,          ///< the next instruction needs care: TF, RF, a shadow, instruction breakpoints
    event_taken,   ///< an event was delivered, or a signal acted on: look again
    waiting,       ///< not active
    shutdown,      ///< in shutdown
    intercepted,   ///< a hypervisor took the event
    unimplemented  ///< what is due is something that the interpreter does not have
};

/// Chooses, by the table of priorities, what is due at this boundary, and does it. SDM "Priority Among
/// Concurrent Events". Sets Cpu::attention to whether the next boundary must be looked at too.
Boundary at_boundary(Cpu& cpu);

/// What an instruction that is executed with care found when it began.
struct StepStart {
    bool resume = false;  ///< RFLAGS.RF
    Blocking blocking;
    std::uint64_t pending_debug = 0;  ///< held by a MOV SS shadow
};
/// Called before such an instruction: RF is 0 and the shadow is over, unless the instruction makes them anew.
StepStart begin_step(Cpu& cpu);
enum class Progress : std::uint8_t { sequential, branch };
/// Called after it, or an iteration of it, has completed: the single-step trap is noted. With
/// IA32_DEBUGCTL.BTF only a branch is trapped (SDM "Single-Stepping on Branches"). Model: a branch to the
/// following instruction is none.
void end_step(Cpu& cpu, Progress progress);
/// Called instead when it faulted: nothing of it remains.
void abandon_step(Cpu& cpu, const StepStart& start);

/// Delivers an event through the interrupt table of the current mode, with all that may go wrong on the way:
/// a second fault, a double fault, a triple fault. Afterwards the processor is active and nothing blocks its
/// next instruction. Virtual time advances by one for the event that has reached its handler. The fault is
/// intercepted(), shutdown, or unimplemented(). SDM "Interrupt and Exception Handling", "Interrupt 8: Double
/// Fault Exception".
Outcome deliver(Cpu& cpu, const Event& event);
/// Delivers the exception that an instruction raised; what follows is at the handler's first instruction. RIP
/// points to the instruction (a fault) or behind it (a trap).
Outcome deliver_fault(Cpu& cpu, const Fault& fault);

}  // namespace hyperstep::cpu
