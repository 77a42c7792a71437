#pragma once
#include <cstdint>

#include "cpu/cpu.hpp"
#include "cpu/descriptors.hpp"

namespace hyperstep::cpu {

/// The code segment that an interrupt or trap gate leads to.
struct HandlerCode {
    TableEntry entry;
    std::uint16_t selector = 0;
    unsigned cpl = 0;  ///< of the handler
};
/// Reads and checks the code segment of an interrupt or trap gate: #GP, #NP with its selector.
Expected<HandlerCode> handler_code(Cpu& cpu, std::uint16_t selector);
/// Loads CS with it, at RIP `offset`, and clears the flags that an event clears. The stack is done already.
enum class GateKind : std::uint8_t { interrupt, trap };
void begin_handler(Cpu& cpu, const HandlerCode& code, std::uint64_t offset, GateKind kind);

}  // namespace hyperstep::cpu
