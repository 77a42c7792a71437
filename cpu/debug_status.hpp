#pragma once
#include <cstdint>

namespace hyperstep::cpu {

/// The conditions of a debug exception, in their places in DR6. SDM "Debug Status Register (DR6)".
/// State::pending_debug and the payload of a #DB are made of them; so is Fault::error_code of a fault #DB,
/// which has no error code.
namespace debug_status {
inline constexpr std::uint64_t breakpoints = 0xf;            ///< B3 to B0
inline constexpr std::uint64_t general_detect = 1ULL << 13;  ///< BD
inline constexpr std::uint64_t single_step = 1ULL << 14;     ///< BS
inline constexpr std::uint64_t task_switch = 1ULL << 15;     ///< BT
}  // namespace debug_status

/// IA32_DEBUGCTL. SDM "IA32_DEBUGCTL MSR".
namespace debug_control {
inline constexpr std::uint64_t branch_trap = 1ULL << 1;  ///< BTF
}  // namespace debug_control

}  // namespace hyperstep::cpu
