#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"
#include "cpu/intercepts.hpp"

// SDM "Task Management". Not in IA-32e mode.
namespace hyperstep::cpu {

struct TaskSwitch {
    TaskSwitchSource source = TaskSwitchSource::jmp;
    std::uint16_t selector = 0;
    TableEntry descriptor;          ///< of the new TSS: its privilege, type and presence have been checked
    std::uint64_t saved_flags = 0;  ///< RFLAGS of the old task
};

/// Saves the state in the current TSS, loads that of the new one, and goes on there: at Cpu::next_rip, which
/// on entry is where the old task is to go on; RIP is the same. A fault while the descriptors of the new task
/// are loaded (#TS, #NP, #SS) is one of the new task, to which all has been switched; an earlier one leaves
/// everything as it was. SDM "Task Switching".
Outcome switch_task(Cpu& cpu, const TaskSwitch& task);

/// IRET with NT = 1: back to the task that the back link names. #TS with its selector.
Outcome return_to_previous_task(Cpu& cpu);

/// The TSS of a task gate: #GP, #NP with its selector.
Expected<TableEntry> task_of_gate(Cpu& cpu, std::uint16_t selector);
/// A TSS in the GDT that is not busy: #GP; present: #NP.
Outcome check_available_tss(const TableEntry& entry, std::uint16_t selector);

/// The handler of the event is the task of a task gate; the error code is pushed on its stack.
Outcome enter_handler_task(Cpu& cpu, const Event& event, std::uint16_t selector);

}  // namespace hyperstep::cpu
