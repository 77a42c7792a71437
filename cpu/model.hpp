#pragma once
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hyperstep::cpu {

/// What a processor may have. cpu/features.def.
enum class Feature : std::uint8_t {
#define FEATURE(identifier, leaf, subleaf, register_, bit, what) identifier,
#include "cpu/features.def"
#undef FEATURE
    count,
    always = count  ///< of instructions that every processor has
};

/// A processor model: what `--cpu` names. It decides CPUID, the reserved bits, which MSRs and opcodes exist.
struct Model {
    std::string_view name;
    std::string_view vendor = "GenuineIntel";
    std::string_view brand;
    std::uint32_t signature = 0;  ///< CPUID.01H:EAX: stepping, model, family
    std::uint8_t physical_width = 46;
    std::uint8_t linear_width = 48;
    std::bitset<static_cast<std::size_t>(Feature::count)> features{};

    bool has(Feature feature) const {
        return feature == Feature::always || features[static_cast<std::size_t>(feature)];
    }
};

/// Everything that the interpreter implements: `max`.
const Model& model_max();
/// The models, `max` first.
std::span<const Model> models();
/// Nothing: no model has this name.
const Model* find_model(std::string_view name);

}  // namespace hyperstep::cpu
