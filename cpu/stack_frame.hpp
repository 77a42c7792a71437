#pragma once
#include <array>
#include <cstdint>

#include "cpu/access.hpp"
#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

/// A stack: the current one, or one that is being switched to.
struct Stack {
    Segment segment;
    std::uint64_t pointer = 0;       ///< RSP; with SP only the low 16 bits move
    std::uint8_t pointer_bytes = 2;  ///< 2 (SP), 4 (ESP), 8: linear addresses, no limit
    Accessor accessor = Accessor::program;
    std::uint32_t error_code = 0;  ///< of #SS if it has no room: its selector, when it is switched to
};
/// The stack that SS and the stack pointer describe.
Stack current_stack(const Cpu& cpu);

/// Values that are pushed together: all of them or, after a fault, none. In this order: push() each,
/// check_room(), translate(), write().
class StackFrame {
public:
    explicit StackFrame(const Stack& stack) : stack_{stack} {}

    /// `bytes`: 2, 4 or 8.
    void push(std::uint64_t value, unsigned bytes);
    /// #SS if a value is beyond the limit of the stack or at an address that is not canonical.
    Outcome check_room(const Cpu& cpu) const;
    /// Finds the memory of all values. #PF, #AC.
    Outcome translate(Cpu& cpu);
    /// Writes them and sets the stack pointer. Cannot fail.
    void write(Cpu& cpu) const;

private:
    /// A call gate copies up to 31 parameters and pushes SS, ESP, CS, EIP.
    static constexpr std::size_t most = 35;
    struct Slot {
        std::uint64_t offset = 0;
        std::uint64_t value = 0;
        std::uint8_t bytes = 0;
    };
    Stack stack_;
    std::size_t count_ = 0;
    std::array<Slot, most> slots_;
    std::array<Place, most> places_;
};

}  // namespace hyperstep::cpu
