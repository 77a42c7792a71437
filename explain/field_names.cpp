#include "explain/field_names.hpp"

#include <array>
#include <functional>
#include <string>
#include <unordered_map>

namespace hyperstep::explain {
namespace {

using vmx::Slot;

constexpr std::size_t longest_name = 80;

/// What remains of a name when case and punctuation are forgotten. Nearly every word of a log is asked for,
/// so it lies in no allocated memory.
struct Squeezed {
    std::array<char, longest_name> letters;
    std::size_t size = 0;

    std::string_view view() const { return {letters.data(), size}; }
};

Squeezed letters_and_digits(std::string_view name) {
    Squeezed kept{};
    for (const char c : name.substr(0, longest_name))
        if (is_letter(c) || is_digit(c)) kept.letters.at(kept.size++) = lower_case(c);
    return kept;
}

/// Lets a map of strings be asked with a string_view.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
using Names = std::unordered_map<std::string, Slot, TextHash, std::equal_to<>>;

const Names& names() {
    static const Names all = [] {
        Names table;
        for (const vmx::FieldInfo& field : vmx::all_fields()) {
            table.emplace(letters_and_digits(field.short_name).view(), vmx::slot_of(field.field));
            table.emplace(letters_and_digits(field.name).view(), vmx::slot_of(field.field));
        }
#define FIELD_ALIAS(name, short_name) table.emplace(letters_and_digits(name).view(), Slot::short_name);
#include "explain/field_aliases.def"
#undef FIELD_ALIAS
        return table;
    }();
    return all;
}

std::optional<NamedField> look_up(std::string_view key) {
    const auto found = names().find(key);
    if (found != names().end()) return NamedField{found->second};
    // the two halves of a 64-bit field
    for (const std::string_view suffix : {"high", "full", "hi"}) {
        if (!key.ends_with(suffix)) continue;
        const auto stem = names().find(key.substr(0, key.size() - suffix.size()));
        if (stem == names().end()) continue;
        const auto field = vmx::field_in(stem->second);
        if (!field || vmx::width_of(*field) != vmx::FieldWidth::w64) continue;
        return NamedField{stem->second, suffix == "full" ? Half::whole : Half::high};
    }
    return std::nullopt;
}

}  // namespace

std::optional<NamedField> field_called(std::string_view name) {
    if (name.size() < 3 || name.size() > longest_name) return std::nullopt;
    const Squeezed whole = letters_and_digits(name);
    std::string_view key = whole.view();
    if (const auto found = look_up(key)) return found;
    constexpr std::array<std::string_view, 4> owners{"vmxvmcs", "vmcs12", "vmcs", "vmx"};
    constexpr std::array<std::string_view, 7> widths{"16bit", "32bit", "64bit", "16", "32", "64", "n"};
    bool owned = false;
    for (const std::string_view owner : owners)
        if (!owned) owned = take_start(key, owner);
    if (!owned) return std::nullopt;
    if (const auto found = look_up(key)) return found;
    for (const std::string_view width : widths)
        if (take_start(key, width)) break;
    return look_up(key);
}

std::optional<NamedField> field_encoded(std::uint32_t encoding) {
    const auto field = vmx::field_with_encoding(encoding);
    if (!field) return std::nullopt;
    return NamedField{vmx::slot_of(*field), (encoding & 1U) != 0 ? Half::high : Half::whole};
}

void show_named(const NamedField& field, const Number& value, Draft& draft) {
    if (field.half == Half::whole) {
        draft.show(field.slot, value);
        return;
    }
    constexpr std::uint64_t upper = 0xffff'ffff'0000'0000;
    if (value.too_wide || value.value > 0xffff'ffff)
        draft.show(field.slot, Number{0, 17, false, true, false});
    else
        draft.show(field.slot, vmx::PartialWord{value.value << 32U, upper});
}

void show_encoded(std::uint32_t encoding, const Number& value, Draft& draft) {
    if (const auto field = field_encoded(encoding)) show_named(*field, value, draft);
}

}  // namespace hyperstep::explain
