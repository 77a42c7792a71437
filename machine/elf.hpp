#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "machine/image_problem.hpp"

namespace hyperstep::machine {

enum class ElfClass : std::uint8_t { elf32 = 1, elf64 = 2 };

/// A program header of type PT_LOAD that puts bytes into memory. Its bytes lie within the file, and neither
/// address plus size exceeds 2^64.
struct ElfSegment {
    std::uint64_t physical = 0;
    std::uint64_t linear = 0;  ///< p_vaddr
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t memory_bytes = 0;  ///< not less than file_bytes; the rest is zero
};

/// An executable for x86, as far as a loader needs it.
struct ElfImage {
    ElfClass elf_class = ElfClass::elf32;
    std::uint64_t entry = 0;  ///< e_entry, as the file has it
    std::vector<ElfSegment> segments;

    /// Where the entry point is in physical memory: a linear address of a segment is moved to where the
    /// segment is loaded; an address that is a segment's physical one stays. Nothing in memory: a problem.
    ImageExpected<std::uint64_t> physical_entry() const;
};

/// Whether the file says that it is ELF.
bool is_elf(std::span<const std::byte> file);
/// Any bytes may be given. A problem: not little-endian ELF, not for x86, not an executable, headers or bytes
/// beyond the end of the file. System V ABI "Object Files", "Program Header".
ImageExpected<ElfImage> parse_elf(std::span<const std::byte> file);

/// A function, variable or label of the file's symbol table. The name points into the file.
struct ElfSymbol {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
    std::string_view name;
};
/// Functions, objects and labels that have an address and a name; none if the file has no symbol table. A
/// problem: as parse_elf(), or a table beyond the end of the file.
ImageExpected<std::vector<ElfSymbol>> elf_symbols(std::span<const std::byte> file);

}  // namespace hyperstep::machine
