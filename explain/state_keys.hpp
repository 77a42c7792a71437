#pragma once
#include <array>
#include <string_view>

#include "vmx/rules/slots.hpp"

// The keys of "processor" in a state object, shared by the reader and the writer.
namespace hyperstep::explain {

struct ProcessorKey {
    std::string_view key;
    vmx::Slot slot;
    enum class Form : std::uint8_t { flag, count, word } form;
    std::uint64_t when_complete;  ///< the value if a complete state does not give it
};

// clang-format off
inline constexpr auto processor_keys = std::to_array<ProcessorKey>({
    {"cpl", vmx::Slot::cur_cpl, ProcessorKey::Form::count, 0},
    {"cr0", vmx::Slot::cur_cr0, ProcessorKey::Form::word, 0x8005'0033},
    {"efer", vmx::Slot::cur_efer, ProcessorKey::Form::word, 0xd01},
    {"mov_ss_blocking", vmx::Slot::mov_ss_blocking, ProcessorKey::Form::flag, 0},
    {"smm", vmx::Slot::in_smm, ProcessorKey::Form::flag, 0},
    {"rflags", vmx::Slot::cur_rflags, ProcessorKey::Form::word, 0x2},
    {"cs_l", vmx::Slot::cur_cs_l, ProcessorKey::Form::flag, 1},
    {"vmx_operation", vmx::Slot::in_vmx_operation, ProcessorKey::Form::flag, 1},
    {"non_root", vmx::Slot::in_non_root, ProcessorKey::Form::flag, 0},
    {"vmxon_pointer", vmx::Slot::vmxon_pointer, ProcessorKey::Form::word, 0x2000},
    {"rtit_ctl", vmx::Slot::cur_rtit_ctl, ProcessorKey::Form::word, 0},
});
// clang-format on

}  // namespace hyperstep::explain
