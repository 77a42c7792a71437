#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmx/rules/entry_check.hpp"
#include "vmx/rules/exit_layouts.hpp"

namespace hyperstep::vmx {

/// Where the saved guest state stands relative to what caused the exit.
enum class ExitKind : std::uint8_t {
    fault,                 ///< before the instruction: RIP points at it
    trap,                  ///< after the instruction or operation that caused it
    between_instructions,  ///< at a boundary; no instruction is to blame
    of_the_event,          ///< as the exception says; an NMI is between instructions
    entry_failure,         ///< the guest was never entered
};
std::string_view to_string(ExitKind k);

/// A basic exit reason. SDM "VMX Basic Exit Reasons".
struct ExitReasonInfo {
    std::uint16_t number;
    std::string_view short_name;
    std::string_view name;  ///< the manual's
    ExitKind kind;
    Layout qualification;            ///< reason 0: see layout_of_qualification
    Layout instruction_information;  ///< always_zero: the field is not given
    ReadSet valid;  ///< information fields always given, beside the exit reason and the qualification
    ReadSet maybe;  ///< information fields given in some cases
    std::string_view when;
};

/// All basic exit reasons, by number.
std::span<const ExitReasonInfo> all_exit_reasons();
/// The row of a basic exit reason (bits 15:0 of the field); nullptr if the tables know no such number.
const ExitReasonInfo* find_exit_reason(std::uint32_t number);
/// The row with this short name; nullptr if there is none.
const ExitReasonInfo* find_exit_reason(std::string_view short_name);

/// The exit-reason field as a whole. SDM "Format of Exit Reason".
constexpr std::uint16_t basic_reason(std::uint32_t exit_reason) {
    return exit_reason & 0xffffU;
}
constexpr bool is_entry_failure(std::uint32_t exit_reason) {
    return (exit_reason >> 31U) != 0;
}
/// The parts of the exit-reason field: the basic reason with its name, then the flags.
std::vector<DecodedBits> decode_exit_reason(std::uint32_t exit_reason);

/// How the qualification of such an exit is divided. For reason 0 the interruption information decides: the
/// bits of DR6 for #DB, a linear address for #PF, otherwise nothing. An unknown reason has the layout
/// `unspecified`.
Layout layout_of_qualification(std::uint32_t exit_reason, std::uint32_t interruption_info = 0);
std::vector<DecodedBits> decode_qualification(std::uint32_t exit_reason,
                                              std::uint64_t qualification,
                                              std::uint32_t interruption_info = 0);
/// The VM-exit instruction information of such an exit; empty if it has none.
std::vector<DecodedBits> decode_instruction_information(std::uint32_t exit_reason, std::uint32_t information);

/// What was recorded about an exit, as far as it is known.
struct ExitRecord {
    std::uint32_t exit_reason = 0;  ///< the whole field
    std::optional<std::uint64_t> qualification;
    std::optional<std::uint32_t> interruption_info;
    std::optional<std::uint32_t> instruction_information;
};
/// The exit in plain words, one sentence without a full stop: what it was, and what the information says.
/// "EPT violation: data write; the page is readable, neither writable nor executable; linear address valid;
/// ..."
std::string sentence(const ExitRecord& exit);

}  // namespace hyperstep::vmx
