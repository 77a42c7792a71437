#include "tests/machine/image_builder.hpp"

#include <algorithm>

namespace hyperstep::machine {

void Bytes::put(std::size_t offset, std::uint64_t value, unsigned bytes) {
    if (all_.size() < offset + bytes) all_.resize(offset + bytes);
    for (unsigned i = 0; i < bytes; ++i) all_[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

void Bytes::put(std::size_t offset, std::span<const std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) put(offset + i, bytes[i], 1);
}

void Bytes::put_text(std::size_t offset, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) put(offset + i, static_cast<std::uint8_t>(text[i]), 1);
}

Bytes elf_image(const ElfParts& parts) {
    constexpr std::size_t code_offset = 0x1000;
    constexpr std::uint64_t magic = 0x1bad'b002;
    const ElfOffsets at{parts.bits};
    Bytes file{code_offset};
    file.put_text(0,
                  "\x7f"
                  "ELF");
    file.put(4, parts.bits / 32, 1);
    file.put(5, 1, 1);
    file.put(6, 1, 1);
    file.put(at.type(), 2, 2);
    file.put(at.machine(), parts.bits == 64 ? 62 : 3, 2);
    file.put(20, 1, 4);
    file.put(at.entry(), parts.entry, at.native());
    file.put(at.header_offset(), at.first_header(), at.native());
    file.put(at.header_bytes(), at.wide ? 56 : 32, 2);
    file.put(at.header_count(), 1, 2);
    std::size_t bytes = 0;
    if (parts.multiboot) {
        file.put(code_offset, magic, 4);
        file.put(code_offset + 4, 0, 4);
        file.put(code_offset + 8, 0 - magic, 4);
        bytes = 12;
    }
    file.put(code_offset + bytes, parts.code);
    bytes += parts.code.size();
    file.put(at.first_header(), 1, 4);
    file.put(at.file_offset(), code_offset, at.native());
    file.put(at.linear(), parts.linear, at.native());
    file.put(at.physical(), parts.physical, at.native());
    file.put(at.file_size(), bytes, at.native());
    file.put(at.memory_size(), bytes + parts.more_memory, at.native());
    return file;
}

Bytes multiboot_image(std::initializer_list<std::uint8_t> code) {
    return elf_image({.entry = 0x10'000c, .code = code, .multiboot = true});
}

}  // namespace hyperstep::machine
