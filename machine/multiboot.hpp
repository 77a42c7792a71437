#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/image_problem.hpp"
#include "machine/memory_map.hpp"

// Multiboot Specification, version 0.6.96 (multiboot 1).
namespace hyperstep::machine {

struct MultibootHeader {
    static constexpr std::uint32_t magic = 0x1bad'b002;
    static constexpr std::uint32_t loader_magic = 0x2bad'b002;  ///< EAX at entry
    static constexpr std::uint32_t page_aligned_modules = 1, memory_information = 2, video_mode = 4;
    static constexpr std::uint32_t address_fields = 1U << 16;

    std::uint64_t file_offset = 0;
    std::uint32_t flags = 0;
    /// With address_fields only: where the image goes ("The address fields of Multiboot header").
    std::uint32_t header_address = 0, load_address = 0, load_end = 0, bss_end = 0, entry = 0;
};

/// The header in the first 8 KiB: nothing if there is none. A problem: it asks for what this loader does not
/// have, or its fields are cut off.
ImageExpected<std::optional<MultibootHeader>> find_multiboot_header(std::span<const std::byte> file);

/// What the address fields mean for the file.
struct AddressFieldImage {
    std::uint64_t physical = 0;
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t entry = 0;
};
/// A problem: fields that contradict each other or the file.
ImageExpected<AddressFieldImage> address_field_image(const MultibootHeader& header, std::uint64_t file_bytes);

/// A file that was put into memory for the image.
struct BootModule {
    std::uint64_t first = 0;  ///< physical
    std::uint64_t end = 0;    ///< the byte behind it
    std::string command_line;
};

/// The information block with everything that it points to, to be put at physical address `at`.
std::vector<std::uint8_t> multiboot_information(std::uint32_t at,
                                                const MemoryMap& memory,
                                                const std::string& command_line,
                                                std::span<const BootModule> modules);

}  // namespace hyperstep::machine
