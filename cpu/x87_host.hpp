#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "cpu/state.hpp"

// The host's x87 unit as a calculator. Its operations are IEEE-exact, so every host gives the same result;
// what is not (the transcendental instructions) is computed elsewhere (cpu/x87_transcendental.hpp).
namespace hyperstep::cpu {

/// The 108 bytes of FSAVE in 32-bit protected-mode form. SDM "Protected Mode x87 FPU State Image in Memory,
/// 32-Bit Format".
using FsaveImage = std::array<std::uint8_t, 108>;

FsaveImage fsave_image(const FpuState& fpu);
/// Takes control, status, tags and registers from the image; the pointers to instruction and operand stay.
void load_fsave_image(FpuState& fpu, const FsaveImage& image);

/// One x87 instruction on the host: loads the image, executes with `operand` as its operand in memory and the
/// flags of `ah` (as SAHF takes them), stores the image. Pending exceptions stay pending in the image.
using HostX87 = void (*)(FsaveImage& image, void* operand, std::uint8_t& ah);

/// The instruction of these two bytes, whose memory operand (if modrm < C0H) is addressed by the function
/// itself. Null: there is none, or it is no arithmetic (environment, control).
HostX87 host_x87(std::uint8_t opcode, std::uint8_t modrm);

}  // namespace hyperstep::cpu
