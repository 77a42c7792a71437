#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "explain/dump.hpp"

namespace hyperstep::explain {

/// Bytes of a blob that are looked at: the header of KVM_GET_NESTED_STATE and one emulated VMCS.
inline constexpr std::size_t vmcs12_blob_bytes = 128 + 4096;

/// True if the input begins like an emulated VMCS of KVM, or like KVM_GET_NESTED_STATE with one.
bool begins_vmcs12(std::string_view bytes);

/// The emulated VMCS at the start of `bytes`; nothing if it is none. Fields beyond the end are unknown.
std::optional<Dump> read_vmcs12(std::string_view bytes);

}  // namespace hyperstep::explain
