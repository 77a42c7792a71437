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
    /// What instructions, registers and CPUID show.
    std::bitset<static_cast<std::size_t>(Feature::count)> features{};
    /// What the processor of that name has besides, but the interpreter does not implement: its CPUID bits
    /// are 0 and its opcodes #UD. `max` lacks nothing.
    std::bitset<static_cast<std::size_t>(Feature::count)> lacking{};

    bool has(Feature feature) const {
        return feature == Feature::always || features[static_cast<std::size_t>(feature)];
    }
};

/// The processors of a machine: cores of one package, each with one thread.
struct Topology {
    std::uint32_t processors = 1;
};

/// Everything that the interpreter implements: `max`.
const Model& model_max();
/// The models, `max` first.
std::span<const Model> models();
/// The short name of a feature, as it is listed, and what it is.
std::string_view name_of(Feature feature);
std::string_view meaning_of(Feature feature);
/// An architectural case for which a run ends with `unimplemented`. cpu/unimplemented_cases.def.
struct UnimplementedCase {
    std::string_view name, what, reason;
};
std::span<const UnimplementedCase> unimplemented_cases();
/// Nothing: no model has this name.
const Model* find_model(std::string_view name);

}  // namespace hyperstep::cpu
