#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hyperstep::vmx {

/// Bits 14:13 of a VMCS field encoding. SDM "Field Encoding in VMCS".
enum class FieldWidth : std::uint8_t { w16, w64, w32, natural };
/// Bits 11:10 of a VMCS field encoding; `exit` is the read-only VM-exit information.
enum class FieldType : std::uint8_t { control, exit, guest, host };

/// The encoding that names a whole field (access type "full"). `index` is bits 9:1.
constexpr std::uint16_t encode(FieldType type, FieldWidth width, unsigned index) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(width) << 13U |
                                      static_cast<unsigned>(type) << 10U | (index & 0x1ffU) << 1U);
}

/// Every VMCS field of the tables; the value of an enumerator is its encoding.
enum class Field : std::uint16_t {
#define VMCS_FIELD(short_name, type, width, index, present, name) \
    short_name = encode(FieldType::type, FieldWidth::width, index),
#include "vmx/rules/vmcs_fields.def"
#undef VMCS_FIELD
};

constexpr std::uint16_t encoding(Field f) {
    return static_cast<std::uint16_t>(f);
}
constexpr FieldWidth width_of(Field f) {
    return static_cast<FieldWidth>(encoding(f) >> 13U & 3U);
}
constexpr FieldType type_of(Field f) {
    return static_cast<FieldType>(encoding(f) >> 10U & 3U);
}
constexpr unsigned index_of(Field f) {
    return encoding(f) >> 1U & 0x1ffU;
}
/// The bits that a field can hold. Natural-width fields have 64: the processors modelled have Intel 64.
constexpr std::uint64_t mask_of(Field f) {
    switch (width_of(f)) {
        case FieldWidth::w16: return 0xffff;
        case FieldWidth::w32: return 0xffff'ffff;
        case FieldWidth::w64:
        case FieldWidth::natural: break;
    }
    return ~0ULL;
}
/// The encoding of bits 63:32 ("high" access); only 64-bit fields have one.
constexpr std::optional<std::uint16_t> high_encoding(Field f) {
    if (width_of(f) != FieldWidth::w64) return std::nullopt;
    return static_cast<std::uint16_t>(encoding(f) | 1U);
}

struct FieldInfo {
    Field field;
    std::string_view short_name;  ///< the name in every command's input and output
    std::string_view name;        ///< the manual's name
};

/// All fields, in the order of their encodings.
std::span<const FieldInfo> all_fields();
/// The row of `f`.
const FieldInfo& info(Field f);
/// The field named exactly `short_name`; nothing if there is none.
std::optional<Field> field_named(std::string_view short_name);
/// The field with this encoding, in full or (64-bit fields) high form; nothing for any other number.
std::optional<Field> field_with_encoding(std::uint32_t encoding);

std::string_view to_string(FieldWidth w);
std::string_view to_string(FieldType t);

// Pinned against the manual, one of each kind: composition must not drift.
static_assert(encoding(Field::vpid) == 0x0000);
static_assert(encoding(Field::guest_es_sel) == 0x0800);
static_assert(encoding(Field::host_tr_sel) == 0x0c0c);
static_assert(encoding(Field::eptp) == 0x201a);
static_assert(encoding(Field::guest_physical_address) == 0x2400);
static_assert(encoding(Field::vmcs_link_pointer) == 0x2800);
static_assert(encoding(Field::host_spec_ctrl) == 0x2c1a);
static_assert(encoding(Field::pin_controls) == 0x4000);
static_assert(encoding(Field::exit_reason) == 0x4402);
static_assert(encoding(Field::preemption_timer_value) == 0x482e);
static_assert(encoding(Field::host_sysenter_cs) == 0x4c00);
static_assert(encoding(Field::cr0_mask) == 0x6000);
static_assert(encoding(Field::exit_qualification) == 0x6400);
static_assert(encoding(Field::guest_intr_ssp_table) == 0x682c);
static_assert(encoding(Field::host_rip) == 0x6c16);

}  // namespace hyperstep::vmx
