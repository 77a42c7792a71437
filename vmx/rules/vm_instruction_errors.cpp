#include "vmx/rules/vm_instruction_errors.hpp"

#include <algorithm>
#include <array>

namespace hyperstep::vmx {
namespace {

constexpr auto errors = std::to_array<InstructionErrorInfo>({
#define INSTRUCTION_ERROR(number, short_name, instructions, meaning) \
    {number, #short_name, instructions, meaning},
#include "vmx/rules/vm_instruction_errors.def"
#undef INSTRUCTION_ERROR
});
static_assert(std::is_sorted(errors.begin(),
                             errors.end(),
                             [](const InstructionErrorInfo& a, const InstructionErrorInfo& b) {
                                 return a.number < b.number;
                             }));
static_assert(errors.size() == 26);
static_assert(errors[7].number == 7 && errors[7].short_name == "invalid_control_fields");
static_assert(errors[8].number == 8 && errors[8].short_name == "invalid_host_state");
static_assert(errors[13].number == 13 && errors[14].number == 15);
static_assert(errors[19].number == 20 && errors[20].number == 22);
static_assert(errors[24].number == 26 && errors[25].number == 28);

}  // namespace

std::span<const InstructionErrorInfo> all_instruction_errors() {
    return errors;
}

const InstructionErrorInfo* find_instruction_error(std::uint32_t number) {
    for (const InstructionErrorInfo& e : errors)
        if (e.number == number) return &e;
    return nullptr;
}

const InstructionErrorInfo* find_instruction_error(std::string_view short_name) {
    for (const InstructionErrorInfo& e : errors)
        if (e.short_name == short_name) return &e;
    return nullptr;
}

}  // namespace hyperstep::vmx
