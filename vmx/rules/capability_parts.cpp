#include "vmx/rules/capability_parts.hpp"

#include <array>

namespace hyperstep::vmx {
namespace {

constexpr auto parts = std::to_array<CapabilityPart>({
#define CAPABILITY_PART(slot, high, low, short_name, meaning) {Slot::slot, high, low, #short_name, meaning},
#include "vmx/rules/capability_parts.def"
#undef CAPABILITY_PART
});
static_assert(parts.size() == 58);

}  // namespace

std::span<const CapabilityPart> all_capability_parts() {
    return parts;
}

}  // namespace hyperstep::vmx
