#pragma once
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/address.hpp"

namespace hyperstep::machine {

/// What a guest may do with a range of physical memory. The numbers are those of firmware memory maps (ACPI
/// "Address Range Types").
enum class MemoryUse : std::uint8_t { ram = 1, reserved = 2, acpi_tables = 3, acpi_nvs = 4 };

struct MemoryRange {
    Hpa first;
    std::uint64_t bytes = 0;
    MemoryUse use = MemoryUse::ram;
    friend bool operator==(const MemoryRange&, const MemoryRange&) = default;
};

/// Where the PC has its memory: RAM from 0 to 640 KiB; firmware from 0xe0000 to 1 MiB; RAM from 1 MiB up to
/// at most 3 GiB, the last 64 KiB of which hold ACPI tables; the rest of the RAM from 4 GiB on.
struct MemoryMap {
    static constexpr std::uint64_t smallest = 2ULL << 20;
    static constexpr std::uint64_t largest = 1ULL << 40;
    static constexpr std::uint64_t low_end = 0xa'0000;
    static constexpr std::uint64_t extended_data = 0x9'fc00;  ///< the EBDA: the last KiB below 640 KiB
    static constexpr std::uint64_t firmware = 0xe'0000;
    static constexpr std::uint64_t high = 0x10'0000;
    static constexpr std::uint64_t most_below_4g = 3ULL << 30;
    static constexpr std::uint64_t above = 4ULL << 30;
    static constexpr std::uint64_t acpi_bytes = 0x1'0000;
    static constexpr std::uint64_t nvs_bytes = 0x1000;         ///< of them, at their end: the FACS
    static constexpr std::uint64_t test_memory = 0xff00'0000;  ///< 64 KiB of RAM of the test device
    static constexpr std::uint64_t test_memory_bytes = 0x1'0000;
    static constexpr std::uint64_t reset_vector_rom = 0xffff'0000;  ///< the last 64 KiB below 4 GiB

    std::uint64_t below_4g = 0;  ///< end of the RAM below 4 GiB; the hole below 1 MiB is within
    std::uint64_t above_4g = 0;  ///< bytes of RAM from 4 GiB on

    /// The map of a machine with so much memory. The error is a sentence: not within `smallest` and
    /// `largest`, or no multiple of 4 KiB.
    static tl::expected<MemoryMap, std::string> of(std::uint64_t bytes);

    /// End of the RAM below 4 GiB that is free for guests.
    std::uint64_t usable_end() const { return below_4g - acpi_bytes; }
    /// The ranges in order of address, as firmware tells them.
    std::vector<MemoryRange> ranges() const;
};

}  // namespace hyperstep::machine
