#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace hyperstep::vmx {

/// A number that VMfailValid leaves in the VM-instruction error field. SDM "VM Instruction Error Numbers".
struct InstructionErrorInfo {
    std::uint8_t number;
    std::string_view short_name;
    std::string_view instructions;  ///< which instructions can fail so, by comma; empty for 0
    std::string_view meaning;
};

/// All VM-instruction errors, by number.
std::span<const InstructionErrorInfo> all_instruction_errors();
/// The row of an error; nullptr if the manual gives the number no meaning.
const InstructionErrorInfo* find_instruction_error(std::uint32_t number);
const InstructionErrorInfo* find_instruction_error(std::string_view short_name);

}  // namespace hyperstep::vmx
