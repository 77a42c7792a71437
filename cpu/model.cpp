#include "cpu/model.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace hyperstep::cpu {
namespace {

/// What `max` has.
constexpr Feature implemented[] = {
#define IMPLEMENTED(identifier) Feature::identifier,
#include "cpu/implemented.def"
#undef IMPLEMENTED
};

constexpr std::size_t place(Feature feature) {
    return static_cast<std::size_t>(feature);
}

Model make_max() {
    Model model{.name = "max", .brand = "Hyperstep reference processor", .signature = 0x806ec};
    for (const Feature feature : implemented) model.features.set(place(feature));
    return model;
}

/// Moves what `max` does not have from the features of a real processor to what it lacks.
void restrict_to_implemented(Model& model, const Model& max) {
    model.lacking = model.features & ~max.features;
    model.features &= max.features;
}

std::vector<Model> make_all() {
    std::vector<Model> all{make_max()};
#define MODEL(identifier, name_, brand_, signature_, width_) \
    Model identifier{.name = name_, .brand = brand_, .signature = signature_, .physical_width = width_};
#define HAS(identifier, feature_) identifier.features.set(place(Feature::feature_));
#include "cpu/models.def"
#undef MODEL
#undef HAS
#define MODEL(identifier, name_, brand_, signature_, width_) \
    restrict_to_implemented(identifier, all.front());        \
    all.push_back(identifier);
#define HAS(identifier, feature_)
#include "cpu/models.def"
#undef MODEL
#undef HAS
    return all;
}

const std::vector<Model>& all_models() {
    static const std::vector<Model> all = make_all();
    return all;
}

struct FeatureText {
    std::string_view name, meaning;
};
constexpr FeatureText feature_texts[] = {
#define FEATURE(identifier, leaf, subleaf, register_, bit, what) {#identifier, what},
#include "cpu/features.def"
#undef FEATURE
};

}  // namespace

const Model& model_max() {
    return all_models().front();
}

std::span<const Model> models() {
    return all_models();
}

const Model* find_model(std::string_view name) {
    const auto found =
        std::find_if(models().begin(), models().end(), [&](const Model& each) { return each.name == name; });
    return found == models().end() ? nullptr : &*found;
}

std::span<const UnimplementedCase> unimplemented_cases() {
    static const std::vector<UnimplementedCase> cases{
#define UNIMPLEMENTED(identifier, what_, reason_) {#identifier, what_, reason_},
#include "cpu/unimplemented_cases.def"
#undef UNIMPLEMENTED
    };
    return cases;
}

std::string_view name_of(Feature feature) {
    return feature_texts[place(feature)].name;
}

std::string_view meaning_of(Feature feature) {
    return feature_texts[place(feature)].meaning;
}

}  // namespace hyperstep::cpu
