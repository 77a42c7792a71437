#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// Half of a 64-bit field, where a name or an encoding says so.
enum class Half : std::uint8_t { whole, high };

struct NamedField {
    vmx::Slot slot = vmx::Slot::count;
    Half half = Half::whole;
};

/// The field that people call so: our short name, the manual's name, the constant of Linux, Xen, Bochs or
/// VirtualBox. Case and punctuation do not matter.
std::optional<NamedField> field_called(std::string_view name);
std::optional<NamedField> field_encoded(std::uint32_t encoding);

/// Puts a value into a field, or into its upper half.
void show_named(const NamedField& field, const Number& value, Draft& draft);
/// The same by encoding; an encoding without a field is ignored.
void show_encoded(std::uint32_t encoding, const Number& value, Draft& draft);

}  // namespace hyperstep::explain
