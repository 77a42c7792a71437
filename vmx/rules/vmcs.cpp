#include "vmx/rules/vmcs.hpp"

#include <algorithm>
#include <array>

namespace hyperstep::vmx {
namespace {

constexpr auto fields = std::to_array<FieldInfo>({
#define VMCS_FIELD(short_name, type, width, index, present, name) {Field::short_name, #short_name, name},
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
});
static_assert(std::is_sorted(fields.begin(), fields.end(), [](const FieldInfo& a, const FieldInfo& b) {
    return a.field < b.field;
}));

}  // namespace

std::span<const FieldInfo> all_fields() {
    return fields;
}

const FieldInfo& info(Field f) {
    return *std::lower_bound(
        fields.begin(), fields.end(), f, [](const FieldInfo& a, Field b) { return a.field < b; });
}

std::optional<Field> field_named(std::string_view short_name) {
    for (const FieldInfo& row : fields)
        if (row.short_name == short_name) return row.field;
    return std::nullopt;
}

std::optional<Field> field_with_encoding(std::uint32_t encoding) {
    for (const FieldInfo& row : fields)
        if (vmx::encoding(row.field) == encoding || high_encoding(row.field) == encoding) return row.field;
    return std::nullopt;
}

std::string_view to_string(FieldWidth w) {
    constexpr std::array<std::string_view, 4> words{"16", "64", "32", "natural"};
    return words.at(static_cast<unsigned>(w));
}

std::string_view to_string(FieldType t) {
    constexpr std::array<std::string_view, 4> words{"control", "exit", "guest", "host"};
    return words.at(static_cast<unsigned>(t));
}

}  // namespace hyperstep::vmx
