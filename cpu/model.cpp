#include "cpu/model.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace hyperstep::cpu {
namespace {

/// What `max` has: a feature is added here in the commit that implements it.
constexpr Feature implemented[] = {
    Feature::fpu,
    Feature::de,
    Feature::pse,
    Feature::tsc,
    Feature::msr,
    Feature::pae,
    Feature::mce,
    Feature::cx8,
    Feature::sep,
    Feature::pge,
    Feature::cmov,
    Feature::pat,
    Feature::pse36,
    Feature::intel64,
    Feature::nx,
    Feature::syscall,
    Feature::mmx,
    Feature::sse,
    Feature::sse2,
    Feature::sse3,
    Feature::ssse3,
    Feature::sse4_1,
    Feature::sse4_2,
    Feature::aes,
    Feature::pclmulqdq,
    Feature::sha,
};

Model make_max() {
    Model model{.name = "max", .brand = "Hyperstep reference processor", .signature = 0x806ec};
    for (const Feature feature : implemented) model.features.set(static_cast<std::size_t>(feature));
    return model;
}

const std::array<Model, 1>& all_models() {
    static const std::array<Model, 1> all{make_max()};
    return all;
}

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

}  // namespace hyperstep::cpu
