#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/cpu.hpp"
#include "cpu/extended_state.hpp"
#include "cpu/state.hpp"

// State components in memory: of FXSAVE, and of the XSAVE family. SDM "Managing State Using the XSAVE Feature
// Set".
namespace hyperstep::cpu {

/// XINUSE: the components whose registers are not in their initial configuration. Model: exactly those, in
/// every mode (the manual lets a processor say more). MXCSR is of no component here; SDM "Processor Tracking
/// of XSAVE-Managed State".
std::uint64_t components_in_use(const State& state);

/// How the last instruction and operand pointers are kept: 32-bit offsets with selectors, or 64-bit offsets.
enum class FpuPointers : std::uint8_t { with_selectors, offsets_64 };

/// Offsets in the legacy region.
namespace legacy {
inline constexpr std::size_t mxcsr = 24, st = 32, xmm = 160, bytes = 512;
}
inline constexpr std::uint32_t mxcsr_mask = 0xffff;  ///< the bits of MXCSR that exist
inline constexpr std::uint32_t initial_mxcsr = 0x1f80;

/// Writes a component to the area: x87 and SSE into the legacy region, the others at `at`. Of the vector
/// registers there are 8 outside 64-bit mode.
void put_x87(const Cpu& cpu, std::span<std::byte> area, FpuPointers pointers);
void put_mxcsr(const Cpu& cpu, std::span<std::byte> area);
void put_xmm(const Cpu& cpu, std::span<std::byte> area);
void put_component(const Cpu& cpu, std::span<std::byte> at, unsigned number);
/// Loads a component.
void take_x87(Cpu& cpu, std::span<const std::byte> area, FpuPointers pointers);
void take_xmm(Cpu& cpu, std::span<const std::byte> area);
void take_component(Cpu& cpu, std::span<const std::byte> at, unsigned number);
std::uint32_t mxcsr_in(std::span<const std::byte> area);
/// Puts a component into its initial configuration; of SSE not MXCSR.
void initialize_component(Cpu& cpu, unsigned number);

}  // namespace hyperstep::cpu
