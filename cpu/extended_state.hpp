#pragma once
#include <cstdint>

// The XSAVE area. SDM "Managing State Using the XSAVE Feature Set".
namespace hyperstep::cpu {

/// Numbers of the state components: bits of XCR0 and of the masks.
namespace component {
inline constexpr unsigned x87 = 0, sse = 1, avx = 2, pkru = 9;
}

/// Where a component lies.
struct StateComponent {
    std::uint32_t offset = 0;  ///< in the standard format
    std::uint32_t bytes = 0;   ///< 0: there is no such component, or it is in the legacy region
};
/// Of component 2 and up.
constexpr StateComponent state_component(unsigned number) {
    switch (number) {
        case component::avx: return {.offset = 576, .bytes = 256};
        case component::pkru: return {.offset = 2688, .bytes = 8};
        default: return {};
    }
}

inline constexpr std::uint32_t legacy_and_header_bytes = 576;

/// The bytes of an area in standard format for these components.
constexpr std::uint32_t standard_size(std::uint64_t components) {
    std::uint32_t size = legacy_and_header_bytes;
    for (unsigned i = 2; i < 63; ++i)
        if ((components >> i & 1) != 0) size = state_component(i).offset + state_component(i).bytes;
    return size;
}
/// The offset of component `number` in the compacted format of `components`: one behind the other. None of
/// the components is aligned to 64 bytes.
constexpr std::uint32_t compacted_offset(std::uint64_t components, unsigned number) {
    std::uint32_t offset = legacy_and_header_bytes;
    for (unsigned i = 2; i < number; ++i)
        if ((components >> i & 1) != 0) offset += state_component(i).bytes;
    return offset;
}
constexpr std::uint32_t compacted_size(std::uint64_t components) {
    return compacted_offset(components, 63);
}

static_assert(standard_size(7) == 832 && compacted_size(0x207) == 840);

}  // namespace hyperstep::cpu
