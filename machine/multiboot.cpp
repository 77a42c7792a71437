#include "machine/multiboot.hpp"

#include <algorithm>

#include "machine/little_endian.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint64_t searched_bytes = 8192;
constexpr const char* complete = "is the file complete?";

/// Offsets within the information block. "Boot information format".
constexpr std::size_t block_bytes = 120;
enum InformationField : std::uint8_t {
    at_flags = 0,
    at_mem_lower = 4,
    at_mem_upper = 8,
    at_cmdline = 16,
    at_mods_count = 20,
    at_mods_addr = 24,
    at_mmap_length = 44,
    at_mmap_addr = 48,
    at_boot_loader_name = 64
};
constexpr std::uint32_t has_memory = 1, has_command_line = 4, has_modules = 8, has_map = 1U << 6,
                        has_loader_name = 1U << 9;

ImageExpected<std::optional<MultibootHeader>> header_at(std::span<const std::byte> file,
                                                        std::uint64_t offset) {
    MultibootHeader header{.file_offset = offset};
    header.flags = number_at<std::uint32_t>(file, offset + 4).value_or(0);
    const std::uint32_t unknown = header.flags & 0xffff &
                                  ~(MultibootHeader::page_aligned_modules |
                                    MultibootHeader::memory_information | MultibootHeader::video_mode);
    if (unknown != 0)
        return image_problem("multiboot header: flags",
                             "it requires features that nobody has defined (bits 15:3)",
                             "clear them");
    if ((header.flags & MultibootHeader::address_fields) == 0) return header;
    const auto field = [&](unsigned index) { return number_at<std::uint32_t>(file, offset + index); };
    const auto bss_end = field(24), entry = field(28);
    if (!entry) return image_problem("multiboot header", "its address fields are cut off", complete);
    header.header_address = field(12).value_or(0);
    header.load_address = field(16).value_or(0);
    header.load_end = field(20).value_or(0);
    header.bss_end = bss_end.value_or(0);
    header.entry = *entry;
    return header;
}

/// Text with its terminating zero at the end of the block; its address.
std::uint32_t add_text(ByteWriter& block, std::uint32_t at, const std::string& text) {
    const auto address = static_cast<std::uint32_t>(at + block.size());
    block.text(text, text.size() + 1);
    return address;
}

void add_map(ByteWriter& block, std::uint32_t at, const MemoryMap& memory) {
    const auto ranges = memory.ranges();
    block.set_u32(at_mmap_addr, static_cast<std::uint32_t>(at + block.size()));
    block.set_u32(at_mmap_length, static_cast<std::uint32_t>(ranges.size() * 24));
    for (const MemoryRange& range : ranges)
        block.u32(20).u64(range.first.raw()).u64(range.bytes).u32(static_cast<std::uint32_t>(range.use));
}

void add_modules(ByteWriter& block, std::uint32_t at, std::span<const BootModule> modules) {
    block.set_u32(at_mods_count, static_cast<std::uint32_t>(modules.size()));
    const std::size_t list = block.size();
    block.set_u32(at_mods_addr, static_cast<std::uint32_t>(at + list));
    for (const BootModule& module : modules) block.u32(module.first).u32(module.end).u32(0).u32(0);
    for (std::size_t i = 0; i < modules.size(); ++i)
        block.set_u32(list + i * 16 + 8, add_text(block, at, modules[i].command_line));
}

}  // namespace

ImageExpected<std::optional<MultibootHeader>> find_multiboot_header(std::span<const std::byte> file) {
    const std::uint64_t end = std::min<std::uint64_t>(file.size(), searched_bytes);
    for (std::uint64_t offset = 0; offset + 12 <= end; offset += 4) {
        const auto magic = number_at<std::uint32_t>(file, offset),
                   flags = number_at<std::uint32_t>(file, offset + 4),
                   checksum = number_at<std::uint32_t>(file, offset + 8);
        if (magic != MultibootHeader::magic || !flags || !checksum) continue;
        if (static_cast<std::uint32_t>(*magic + *flags + *checksum) == 0) return header_at(file, offset);
    }
    return std::nullopt;
}

ImageExpected<AddressFieldImage> address_field_image(const MultibootHeader& header,
                                                     std::uint64_t file_bytes) {
    const std::string where = "multiboot header: ";
    if (header.header_address < header.load_address)
        return image_problem(where + "header_addr", "is below load_addr", "");
    const std::uint64_t before = header.header_address - header.load_address;
    if (before > header.file_offset)
        return image_problem(where + "load_addr",
                             "the file has fewer bytes before the header than memory has",
                             "header_addr is the address of the header itself");
    AddressFieldImage image{.physical = header.load_address, .file_offset = header.file_offset - before};
    const std::uint64_t rest = file_bytes - image.file_offset;
    if (header.load_end != 0 && header.load_end < header.load_address)
        return image_problem(where + "load_end_addr", "is below load_addr", "0 means the end of the file");
    image.file_bytes = header.load_end == 0 ? rest : header.load_end - header.load_address;
    if (image.file_bytes > rest)
        return image_problem(where + "load_end_addr", "the bytes end beyond the end of the file", complete);
    image.memory_bytes = image.file_bytes;
    if (header.bss_end != 0) {
        if (header.bss_end < header.load_address + image.file_bytes)
            return image_problem(where + "bss_end_addr", "is below load_end_addr", "0 means no BSS");
        image.memory_bytes = header.bss_end - header.load_address;
    }
    image.entry = header.entry;
    if (image.entry - image.physical >= image.memory_bytes)
        return image_problem(where + "entry_addr", "is outside of what is loaded", "");
    return image;
}

std::vector<std::uint8_t> multiboot_information(std::uint32_t at,
                                                const MemoryMap& memory,
                                                const std::string& command_line,
                                                std::span<const BootModule> modules) {
    ByteWriter block;
    block.zeros(block_bytes);
    block.set_u32(at_flags, has_memory | has_command_line | has_modules | has_map | has_loader_name);
    block.set_u32(at_mem_lower, static_cast<std::uint32_t>(MemoryMap::extended_data >> 10));
    block.set_u32(at_mem_upper, static_cast<std::uint32_t>((memory.usable_end() - MemoryMap::high) >> 10));
    add_map(block, at, memory);
    add_modules(block, at, modules);
    block.set_u32(at_cmdline, add_text(block, at, command_line));
    block.set_u32(at_boot_loader_name, add_text(block, at, "hyperstep"));
    return std::move(block.bytes());
}

}  // namespace hyperstep::machine
