#include "cli/guest_image.hpp"

#include <charconv>
#include <limits>
#include <span>

#include "cli/input_file.hpp"

namespace hyperstep::cli {
namespace {

constexpr std::size_t largest_file = std::size_t{2} << 30U;

std::span<const std::byte> bytes_of(const std::string& file) {
    return std::as_bytes(std::span{file.data(), file.size()});
}

/// The last part of a path: the same run in another folder is the same run.
std::string base_name(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string not_an_address(const std::string& option, const std::string& text) {
    return option + " " + text.substr(0, 80) + ": give an address such as 0x100000";
}

tl::expected<std::optional<machine::FlatImage>, std::string> flat_image(const ImageOptions& options) {
    if (options.flat.empty()) {
        if (!options.entry.empty() || !options.entry_mode.empty())
            return tl::unexpected{
                std::string{"--entry and --entry-mode are for flat images; give --flat ADDRESS too"}};
        return std::nullopt;
    }
    machine::FlatImage flat;
    const auto address = size_in(options.flat);
    if (!address) return tl::unexpected{not_an_address("--flat", options.flat)};
    flat.address = *address;
    if (!options.entry.empty()) {
        flat.entry = size_in(options.entry);
        if (!flat.entry) return tl::unexpected{not_an_address("--entry", options.entry)};
    }
    if (options.entry_mode == "protected") flat.mode = machine::EntryMode::protected_32;
    if (options.entry_mode == "long") flat.mode = machine::EntryMode::long_64;
    return flat;
}

}  // namespace

std::optional<std::uint64_t> size_in(std::string_view text) {
    unsigned shift = 0;
    if (!text.empty()) {
        switch (text.back()) {
            case 'k':
            case 'K': shift = 10; break;
            case 'm':
            case 'M': shift = 20; break;
            case 'g':
            case 'G': shift = 30; break;
            default: break;
        }
        if (shift != 0) text.remove_suffix(1);
    }
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    if (value > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
    return value << shift;
}

tl::expected<GuestImage, std::string> read_image(const ImageOptions& options,
                                                 const machine::MemoryMap& memory) {
    const auto flat = flat_image(options);
    if (!flat) return tl::unexpected{flat.error()};
    auto file = read_whole(options.file, largest_file);
    if (!file) return tl::unexpected{file.error()};
    GuestImage guest;
    // Reserved: the spans of the request point into the strings.
    guest.files.reserve(1 + options.modules.size());
    guest.files.push_back(std::move(*file));
    machine::BootRequest request{.image = bytes_of(guest.files.front()),
                                 .image_name = base_name(options.file),
                                 .command_line = options.command_line,
                                 .modules = {},
                                 .flat = *flat};
    for (const std::string& module : options.modules) {
        const std::size_t comma = module.find(',');
        const std::string path = module.substr(0, comma);
        auto bytes = read_whole(path, largest_file);
        if (!bytes) return tl::unexpected{bytes.error()};
        guest.files.push_back(std::move(*bytes));
        std::string line = base_name(path);
        if (comma != std::string::npos) line += " " + module.substr(comma + 1);
        request.modules.push_back({bytes_of(guest.files.back()), line});
    }
    auto plan = machine::plan_boot(request, memory);
    if (!plan) return tl::unexpected{options.file + ": " + plan.error().sentence()};
    guest.plan = std::move(*plan);
    return guest;
}

tl::expected<machine::Symbols, std::string> read_symbols(const std::string& file, const GuestImage& image) {
    if (file.empty()) {
        // An image that is no ELF file, or a broken symbol table in it, means no names; the run is the same.
        auto own = machine::Symbols::read(bytes_of(image.files.front()));
        return own ? std::move(*own) : machine::Symbols{};
    }
    const auto text = read_whole(file, largest_file);
    if (!text) return tl::unexpected{text.error()};
    auto symbols = machine::Symbols::read(bytes_of(*text));
    if (!symbols) return tl::unexpected{file + ": " + symbols.error().sentence()};
    return std::move(*symbols);
}

}  // namespace hyperstep::cli
