#include "machine/elf.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "machine/little_endian.hpp"

namespace hyperstep::machine {
namespace {

constexpr const char* complete = "is the file complete?";
constexpr std::uint16_t executable = 2, position_independent = 3;
constexpr std::uint16_t machine_386 = 3, machine_x86_64 = 62;
constexpr std::uint32_t loadable = 1;
constexpr std::uint32_t symbol_table = 2;
constexpr std::uint16_t count_is_elsewhere = 0xffff;  ///< PN_XNUM

/// Numbers of one file, in its class. Missing ones are nothing.
struct Reader {
    std::span<const std::byte> file;
    ElfClass elf_class = ElfClass::elf32;

    bool wide() const { return elf_class == ElfClass::elf64; }
    std::optional<std::uint64_t> half(std::uint64_t at) const { return number_at<std::uint16_t>(file, at); }
    std::optional<std::uint64_t> word(std::uint64_t at) const { return number_at<std::uint32_t>(file, at); }
    /// An address or offset: 4 or 8 bytes, at one of two places.
    std::optional<std::uint64_t> native(std::uint64_t at32, std::uint64_t at64) const {
        if (wide()) return number_at<std::uint64_t>(file, at64);
        return word(at32);
    }
    std::uint64_t pick(std::uint64_t of32, std::uint64_t of64) const { return wide() ? of64 : of32; }
};

bool ends_beyond(std::uint64_t first, std::uint64_t bytes, std::uint64_t end) {
    return first > end || bytes > end - first;
}

/// What e_ident says, checked.
ImageExpected<Reader> identify(std::span<const std::byte> file) {
    if (!is_elf(file)) return image_problem("e_ident", "is not that of an ELF file", "");
    if (file.size() < 16) return image_problem("e_ident", "is cut off", complete);
    const auto elf_class = std::to_integer<unsigned>(file[4]);
    if (elf_class != 1 && elf_class != 2)
        return image_problem("EI_CLASS", "is " + std::to_string(elf_class), "1 is ELF32, 2 is ELF64");
    if (std::to_integer<unsigned>(file[5]) != 1)
        return image_problem("EI_DATA", "says big-endian", "x86 images are little-endian");
    return Reader{file, static_cast<ElfClass>(elf_class)};
}

ImageExpected<Reader> identify_executable(std::span<const std::byte> file) {
    auto reader = identify(file);
    if (!reader) return reader;
    const auto type = reader->half(16), machine = reader->half(18);
    if (!type || !machine) return image_problem("ELF header", "is cut off", complete);
    if (*machine != machine_386 && *machine != machine_x86_64)
        return image_problem("e_machine", "is " + std::to_string(*machine), "3 is 386, 62 is x86-64");
    if (*type == position_independent)
        return image_problem(
            "e_type", "is ET_DYN: the file is position-independent", "link it with -static -no-pie");
    if (*type != executable)
        return image_problem("e_type", "is " + std::to_string(*type) + ", not ET_EXEC", "link an executable");
    return reader;
}

/// The table of headers: where, how many, how far apart.
struct Table {
    std::uint64_t offset = 0, count = 0, stride = 0;
};

ImageExpected<Table> program_headers(const Reader& elf) {
    const auto offset = elf.native(28, 32);
    const auto stride = elf.half(elf.pick(42, 54)), count = elf.half(elf.pick(44, 56));
    if (!offset || !stride || !count) return image_problem("ELF header", "is cut off", complete);
    if (*count == count_is_elsewhere)
        return image_problem("e_phnum", "is PN_XNUM", "an image has fewer than 65535 program headers");
    if (*count != 0 && *stride < elf.pick(32, 56))
        return image_problem("e_phentsize",
                             "is " + std::to_string(*stride),
                             "a program header has " + std::to_string(elf.pick(32, 56)) + " bytes");
    if (ends_beyond(*offset, *count * *stride, elf.file.size()))
        return image_problem("e_phoff", "the program headers end beyond the end of the file", complete);
    return Table{*offset, *count, *stride};
}

/// The header at `at`, which is within the file; its fields are checked.
ImageExpected<ElfSegment> segment_at(const Reader& elf, std::uint64_t at, const std::string& name) {
    ElfSegment segment;
    segment.file_offset = elf.native(at + 4, at + 8).value_or(0);
    segment.linear = elf.native(at + 8, at + 16).value_or(0);
    segment.physical = elf.native(at + 12, at + 24).value_or(0);
    segment.file_bytes = elf.native(at + 16, at + 32).value_or(0);
    segment.memory_bytes = elf.native(at + 20, at + 40).value_or(0);
    if (ends_beyond(segment.file_offset, segment.file_bytes, elf.file.size()))
        return image_problem(name, "its bytes end beyond the end of the file", complete);
    if (segment.memory_bytes < segment.file_bytes)
        return image_problem(name, "p_memsz is less than p_filesz", "a segment has room for its bytes");
    constexpr std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
    if (ends_beyond(segment.physical, segment.memory_bytes, end) ||
        ends_beyond(segment.linear, segment.memory_bytes, end))
        return image_problem(name, "its address plus p_memsz exceeds 2^64", "");
    return segment;
}

std::string_view name_at(std::span<const std::byte> strings, std::uint64_t offset) {
    if (offset >= strings.size()) return {};
    const auto rest = strings.subspan(static_cast<std::size_t>(offset));
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin())};
}

struct Section {
    std::uint64_t type = 0, offset = 0, bytes = 0, link = 0;
};

std::optional<Section> section_at(const Reader& elf, const Table& table, std::uint64_t index) {
    if (index >= table.count) return std::nullopt;
    const std::uint64_t at = table.offset + index * table.stride;
    const auto type = elf.word(at + 4), offset = elf.native(at + 16, at + 24),
               bytes = elf.native(at + 20, at + 32), link = elf.word(at + elf.pick(24, 40));
    if (!type || !offset || !bytes || !link) return std::nullopt;
    return Section{*type, *offset, *bytes, *link};
}

void collect_symbols(const Reader& elf,
                     const Section& symbols,
                     const Section& strings,
                     std::vector<ElfSymbol>& found) {
    constexpr unsigned object = 1, function = 2;
    const auto text =
        elf.file.subspan(static_cast<std::size_t>(strings.offset), static_cast<std::size_t>(strings.bytes));
    const std::uint64_t stride = elf.pick(16, 24);
    for (std::uint64_t at = symbols.offset; at + stride <= symbols.offset + symbols.bytes; at += stride) {
        const std::uint64_t info =
            std::to_integer<unsigned>(elf.file[static_cast<std::size_t>(at + elf.pick(12, 4))]);
        const std::uint64_t section = elf.half(at + elf.pick(14, 6)).value_or(0);
        const std::uint64_t type = info & 15;
        const std::string_view name = name_at(text, elf.word(at).value_or(0));
        if (type > function || section == 0 || name.empty()) continue;
        const bool sized = type == function || type == object;
        found.push_back({.address = elf.native(at + 4, at + 8).value_or(0),
                         .bytes = sized ? elf.native(at + 8, at + 16).value_or(0) : 0,
                         .name = name});
    }
}

}  // namespace

bool is_elf(std::span<const std::byte> file) {
    static constexpr std::array<unsigned char, 4> magic{0x7f, 'E', 'L', 'F'};
    return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

ImageExpected<ElfImage> parse_elf(std::span<const std::byte> file) {
    const auto elf = identify_executable(file);
    if (!elf) return tl::unexpected{elf.error()};
    const auto entry = elf->native(24, 24);
    const auto table = program_headers(*elf);
    if (!table) return tl::unexpected{table.error()};
    ElfImage image{.elf_class = elf->elf_class, .entry = entry.value_or(0), .segments = {}};
    for (std::uint64_t i = 0; i < table->count; ++i) {
        const std::uint64_t at = table->offset + i * table->stride;
        if (elf->word(at) != loadable) continue;
        const auto segment = segment_at(*elf, at, "program header " + std::to_string(i));
        if (!segment) return tl::unexpected{segment.error()};
        if (segment->memory_bytes != 0) image.segments.push_back(*segment);
    }
    if (image.segments.empty())
        return image_problem("program headers", "none of them loads anything", "link an executable");
    return image;
}

ImageExpected<std::uint64_t> ElfImage::physical_entry() const {
    for (const ElfSegment& segment : segments)
        if (entry - segment.linear < segment.memory_bytes) return segment.physical + (entry - segment.linear);
    for (const ElfSegment& segment : segments)
        if (entry - segment.physical < segment.memory_bytes) return entry;
    return image_problem("e_entry", "is in no segment", "give the linker an entry point (ld -e)");
}

ImageExpected<std::vector<ElfSymbol>> elf_symbols(std::span<const std::byte> file) {
    const auto elf = identify(file);
    if (!elf) return tl::unexpected{elf.error()};
    const auto offset = elf->native(32, 40);
    const auto stride = elf->half(elf->pick(46, 58)), count = elf->half(elf->pick(48, 60));
    if (!offset || !stride || !count) return image_problem("ELF header", "is cut off", complete);
    if (*count != 0 && *stride < elf->pick(40, 64))
        return image_problem("e_shentsize", "is " + std::to_string(*stride), "");
    if (ends_beyond(*offset, *count * *stride, file.size()))
        return image_problem("e_shoff", "the section headers end beyond the end of the file", complete);
    const Table table{*offset, *count, *stride};
    std::vector<ElfSymbol> found;
    for (std::uint64_t i = 0; i < table.count; ++i) {
        const auto symbols = section_at(*elf, table, i);
        if (!symbols || symbols->type != symbol_table) continue;
        const auto strings = section_at(*elf, table, symbols->link);
        if (!strings || ends_beyond(symbols->offset, symbols->bytes, file.size()) ||
            ends_beyond(strings->offset, strings->bytes, file.size()))
            return image_problem(
                "section " + std::to_string(i), "the symbol table ends beyond the end of the file", complete);
        collect_symbols(*elf, *symbols, *strings, found);
    }
    return found;
}

}  // namespace hyperstep::machine
