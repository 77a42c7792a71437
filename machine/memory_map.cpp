#include "machine/memory_map.hpp"

#include <algorithm>

namespace hyperstep::machine {

tl::expected<MemoryMap, std::string> MemoryMap::of(std::uint64_t bytes) {
    if (bytes < smallest) return tl::unexpected{std::string{"memory: the smallest machine has 2M"}};
    if (bytes > largest) return tl::unexpected{std::string{"memory: the largest machine has 1024G"}};
    if (bytes % 0x1000 != 0) return tl::unexpected{std::string{"memory: give a multiple of 4K"}};
    const std::uint64_t below = std::min(bytes, most_below_4g);
    return MemoryMap{.below_4g = below, .above_4g = bytes - below};
}

std::vector<MemoryRange> MemoryMap::ranges() const {
    constexpr std::uint64_t io_apic = 0xfec0'0000, local_apic = 0xfee0'0000;
    std::vector<MemoryRange> all{
        {Hpa{0}, extended_data, MemoryUse::ram},
        {Hpa{extended_data}, low_end - extended_data, MemoryUse::reserved},
        {Hpa{firmware}, high - firmware, MemoryUse::reserved},
        {Hpa{high}, usable_end() - high, MemoryUse::ram},
        {Hpa{usable_end()}, acpi_bytes - nvs_bytes, MemoryUse::acpi_tables},
        {Hpa{below_4g - nvs_bytes}, nvs_bytes, MemoryUse::acpi_nvs},
        {Hpa{io_apic}, 0x1000, MemoryUse::reserved},
        {Hpa{local_apic}, 0x1000, MemoryUse::reserved},
        {Hpa{test_memory}, test_memory_bytes, MemoryUse::reserved},
        {Hpa{reset_vector_rom}, above - reset_vector_rom, MemoryUse::reserved},
    };
    if (above_4g != 0) all.push_back({Hpa{above}, above_4g, MemoryUse::ram});
    return all;
}

}  // namespace hyperstep::machine
