#include "machine/symbols.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "machine/elf.hpp"

namespace hyperstep::machine {
namespace {

/// The first line of `text`, which is cut off from it.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

struct MapLine {
    std::uint64_t address = 0;
    std::string_view name;
};

/// "address kind name", the name up to the next blank (a module's name in brackets may follow).
std::optional<MapLine> map_line(std::string_view line) {
    MapLine found;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), found.address, 16);
    if (parsed.ec != std::errc{}) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
    if (line.size() < 4 || line[0] != ' ' || line[2] != ' ') return std::nullopt;
    found.name = line.substr(3, line.find_first_of(" \t", 3) - 3);
    if (found.name.empty()) return std::nullopt;
    return found;
}

std::string in_hex(std::uint64_t value) {
    char digits[16];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value, 16);
    return "0x" + std::string(std::begin(digits), end.ptr);
}

}  // namespace

ImageExpected<Symbols> Symbols::read(std::span<const std::byte> file) {
    Symbols symbols;
    if (is_elf(file)) {
        const auto found = elf_symbols(file);
        if (!found) return tl::unexpected{found.error()};
        for (const ElfSymbol& symbol : *found)
            symbols.symbols_.push_back({symbol.address, symbol.bytes, std::string{symbol.name}});
    } else {
        std::string_view text{reinterpret_cast<const char*>(file.data()), file.size()};
        for (std::size_t number = 1; !text.empty(); ++number) {
            const std::string_view line = take_line(text);
            if (line.empty()) continue;
            const auto found = map_line(line);
            if (!found)
                return image_problem("line " + std::to_string(number),
                                     "is not \"address kind name\"",
                                     "give an ELF file, or a map such as nm and System.map have");
            symbols.symbols_.push_back({found->address, 0, std::string{found->name}});
        }
    }
    symbols.sort();
    return symbols;
}

void Symbols::sort() {
    // Of several names of an address the one with a size is told, then the first of the file.
    std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
        if (a.address != b.address) return a.address < b.address;
        return (a.bytes != 0) > (b.bytes != 0);
    });
    const auto same_place = [](const Symbol& a, const Symbol& b) { return a.address == b.address; };
    symbols_.erase(std::unique(symbols_.begin(), symbols_.end(), same_place), symbols_.end());
}

const Symbols::Symbol* Symbols::find(std::uint64_t address) const {
    const auto after = std::upper_bound(
        symbols_.begin(), symbols_.end(), address, [](std::uint64_t value, const Symbol& symbol) {
            return value < symbol.address;
        });
    if (after == symbols_.begin()) return nullptr;
    const Symbol& nearest = *std::prev(after);
    // The last symbol without a size does not name the rest of the address space.
    constexpr std::uint64_t most_unsized = 1 << 20;
    const std::uint64_t bytes = nearest.bytes != 0 ? nearest.bytes : most_unsized;
    return address - nearest.address < bytes ? &nearest : nullptr;
}

std::optional<std::string> Symbols::name_of(std::uint64_t address) const {
    const Symbol* const symbol = find(address);
    if (symbol == nullptr) return std::nullopt;
    const std::uint64_t offset = address - symbol->address;
    return offset == 0 ? symbol->name : symbol->name + "+" + in_hex(offset);
}

std::optional<std::uint64_t> Symbols::start_of(std::uint64_t address) const {
    const Symbol* const symbol = find(address);
    return symbol == nullptr ? std::nullopt : std::optional{symbol->address};
}

}  // namespace hyperstep::machine
