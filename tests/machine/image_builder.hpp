#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Images for tests, byte by byte.
namespace hyperstep::machine {

/// Bytes that numbers are put into anywhere.
class Bytes {
public:
    Bytes() = default;
    explicit Bytes(std::size_t count) : all_(count) {}
    void put(std::size_t offset, std::uint64_t value, unsigned bytes);
    void put(std::size_t offset, std::span<const std::uint8_t> bytes);
    void put_text(std::size_t offset, std::string_view text);
    void cut(std::size_t count) { all_.resize(count); }
    std::size_t size() const { return all_.size(); }
    std::span<const std::byte> span() const { return all_; }
    std::string text() const { return {reinterpret_cast<const char*>(all_.data()), all_.size()}; }

private:
    std::vector<std::byte> all_;
};

struct ElfParts {
    unsigned bits = 32;
    std::uint64_t entry = 0x10'0000;
    std::uint64_t linear = 0x10'0000, physical = 0x10'0000;
    std::uint64_t more_memory = 0;  ///< p_memsz - p_filesz
    std::vector<std::uint8_t> code{0xf4};
    bool multiboot = false;  ///< a header before the code, which then begins 12 bytes later
};

/// An ELF executable of one segment. Its code is at file offset 0x1000.
Bytes elf_image(const ElfParts& parts);

/// Field offsets of the file above, by class.
struct ElfOffsets {
    explicit ElfOffsets(unsigned bits) : wide{bits == 64} {}
    bool wide;
    std::size_t type() const { return 16; }
    std::size_t machine() const { return 18; }
    std::size_t entry() const { return 24; }
    std::size_t header_offset() const { return wide ? 32 : 28; }
    std::size_t header_bytes() const { return wide ? 54 : 42; }
    std::size_t header_count() const { return wide ? 56 : 44; }
    std::size_t first_header() const { return wide ? 64 : 52; }
    std::size_t file_offset() const { return first_header() + (wide ? 8 : 4); }
    std::size_t linear() const { return first_header() + (wide ? 16 : 8); }
    std::size_t physical() const { return first_header() + (wide ? 24 : 12); }
    std::size_t file_size() const { return first_header() + (wide ? 32 : 16); }
    std::size_t memory_size() const { return first_header() + (wide ? 40 : 20); }
    unsigned native() const { return wide ? 8 : 4; }
};

/// A multiboot image that ends with this code, entered in 32-bit protected mode.
Bytes multiboot_image(std::initializer_list<std::uint8_t> code);

}  // namespace hyperstep::machine
