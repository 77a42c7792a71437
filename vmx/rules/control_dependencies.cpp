#include "vmx/rules/control_dependencies.hpp"

#include <array>

namespace hyperstep::vmx {
namespace {

constexpr auto dependencies = std::to_array<ControlDependency>({
#define DEPENDENCY(control, relation, other, check) {control, Relation::relation, other, check},
#include "vmx/rules/control_dependencies.def"
#undef DEPENDENCY
});

}  // namespace

std::span<const ControlDependency> all_control_dependencies() {
    return dependencies;
}

std::string describe(const ControlDependency& d) {
    const std::string verb = d.relation == Relation::requires_1 ? "requires " : "excludes ";
    return verb + std::string{find(d.other)->short_name};
}

std::string dependencies_of(Control c) {
    std::string text;
    for (const ControlDependency& d : dependencies) {
        if (d.control != c) continue;
        if (!text.empty()) text += ", ";
        text += describe(d);
    }
    return text;
}

}  // namespace hyperstep::vmx
