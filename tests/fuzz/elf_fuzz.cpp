// Covers: machine/elf.cpp machine/symbols.cpp
// Rooms: machine
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "machine/elf.hpp"
#include "machine/symbols.hpp"

namespace {
void require(bool holds) {
    if (!holds) std::abort();
}
}  // namespace

// Whatever the bytes are: a segment lies within the file and its addresses do not wrap, an entry point is in
// a segment, a symbol's name lies within the file, and a problem has words.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hyperstep::machine;
    const auto file = std::as_bytes(std::span{data, size});
    const auto image = parse_elf(file);
    if (image) {
        require(!image->segments.empty());
        for (const ElfSegment& segment : image->segments) {
            require(segment.file_offset <= size && segment.file_bytes <= size - segment.file_offset);
            require(segment.memory_bytes >= segment.file_bytes && segment.memory_bytes != 0);
            require(segment.physical <= ~std::uint64_t{0} - segment.memory_bytes);
        }
        const auto entry = image->physical_entry();
        bool inside = false;
        for (const ElfSegment& segment : image->segments)
            inside = inside || (entry && *entry - segment.physical < segment.memory_bytes);
        require(inside == entry.has_value());
    } else {
        require(!image.error().field.empty() && !image.error().what.empty());
    }
    if (const auto symbols = elf_symbols(file))
        for (const ElfSymbol& symbol : *symbols)
            require(reinterpret_cast<const std::uint8_t*>(symbol.name.data()) >= data &&
                    reinterpret_cast<const std::uint8_t*>(symbol.name.data() + symbol.name.size()) <=
                        data + size);
    if (const auto symbols = Symbols::read(file)) {
        static_cast<void>(symbols->name_of(0));
        static_cast<void>(symbols->name_of(~std::uint64_t{0}));
    }
    return 0;
}
