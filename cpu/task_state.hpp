#pragma once
#include <array>
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"

namespace hyperstep::cpu {

/// What a TSS of 16 or 32 bits holds of a task. SDM "Task-State Segment (TSS)".
struct TaskState {
    std::uint32_t cr3 = 0;  ///< only of 32 bits
    std::uint32_t eip = 0;
    std::uint32_t eflags = 0;
    std::array<std::uint32_t, 8> gpr{};
    std::array<std::uint16_t, 6> selector{};  ///< by SegmentName; a TSS of 16 bits has no FS and GS
    std::uint16_t ldtr = 0;
    bool traps = false;  ///< T: a debug trap follows the switch
};

enum class TssSize : std::uint8_t { bits_16, bits_32 };
/// By bit 3 of the type.
TssSize tss_size(std::uint64_t type);
/// The least limit of a TSS.
std::uint32_t least_tss_limit(TssSize size);

/// Reads the task's state from the TSS at a linear address.
Expected<TaskState> read_task_state(Cpu& cpu, std::uint64_t base, TssSize size);
/// Finds out whether all of a TSS that a task switch writes can be written.
Outcome probe_task_state(Cpu& cpu, std::uint64_t base, TssSize size);
/// Writes what a task switch saves: EIP, EFLAGS, general and segment registers; after probe_task_state().
Outcome write_task_state(Cpu& cpu, std::uint64_t base, TssSize size, const TaskState& task);

}  // namespace hyperstep::cpu
