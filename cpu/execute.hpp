#pragma once
#include "cpu/cpu.hpp"
#include "exec/stop.hpp"

// The reference engine: exactly one instruction after another, with every check.
namespace hyperstep::cpu {

/// Executes the instruction at CS:RIP, once, without looking at what is due before or after it. With a fault
/// RIP still points to it. For tests and debuggers; run() is what a machine calls.
Outcome execute_one(Cpu& cpu);

/// Runs until virtual time reaches Timeline::stop_at, or something else makes it stop.
exec::Stop run(Cpu& cpu);

/// The mode in which code at CS:RIP is decoded.
enum class DecodeMode : std::uint8_t;
DecodeMode decode_mode(const Cpu& cpu);

}  // namespace hyperstep::cpu
