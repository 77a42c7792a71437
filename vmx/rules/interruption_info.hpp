#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "vmx/rules/registers.hpp"

namespace hyperstep::vmx {

/// The mnemonic of an exception vector: "#DE", "#PF", "NMI" for 2; empty if the manual gives the vector none.
/// SDM "Protected-Mode Exceptions and Interrupts".
std::string_view exception_mnemonic(unsigned vector);
/// True if delivery of this exception pushes an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP.
constexpr bool pushes_error_code(unsigned vector) {
    constexpr std::uint32_t with_error_code = 1U << 8U | 0x1fU << 10U | 1U << 17U | 1U << 21U;
    return vector < 32 && (with_error_code >> vector & 1U) != 0;
}
static_assert(pushes_error_code(8) && pushes_error_code(14) && pushes_error_code(17) &&
              pushes_error_code(21));
static_assert(!pushes_error_code(9) && !pushes_error_code(15) && !pushes_error_code(16) &&
              !pushes_error_code(32));

/// "external interrupt", "NMI", "hardware exception", ...
std::string_view to_string(EventType t);

/// Where a word of interruption information stands: the same layout, with a few differences.
enum class InterruptionField : std::uint8_t {
    entry,          ///< VM-entry interruption information: type 7 with vector 0 is a pending MTF VM exit
    exit,           ///< VM-exit interruption information: bit 12 is NMI unblocking due to IRET
    idt_vectoring,  ///< IDT-vectoring information
};
/// The word in words: "hardware exception #GP (vector 13), with an error code"; "no event" if it is not
/// valid.
std::string describe_interruption(std::uint32_t word, InterruptionField field);

}  // namespace hyperstep::vmx
