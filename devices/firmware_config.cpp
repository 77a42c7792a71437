#include "devices/firmware_config.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hyperstep::devices {
namespace {

constexpr std::size_t longest_name = 55;
constexpr std::uint16_t selector_register = 0;
constexpr std::uint16_t data_register = 1;
constexpr auto first_file = static_cast<std::uint16_t>(FirmwareKey::first_file);

void append_big_endian(std::vector<std::uint8_t>& to, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

std::string_view to_string(FirmwareFileError error) {
    switch (error) {
        case FirmwareFileError::name_too_long: return "the file's name has more than 55 bytes";
        case FirmwareFileError::exists: return "a file of this name is there";
        case FirmwareFileError::directory_full: return "the directory is full";
    }
    return "unknown";
}

FirmwareConfig::FirmwareConfig() : items_(first_file) {
    set(FirmwareKey::signature, {'Q', 'E', 'M', 'U'});
    set_number(FirmwareKey::id, 1, 4);
    write_directory();
}

void FirmwareConfig::set(FirmwareKey key, std::vector<std::uint8_t> bytes) {
    assert(key < FirmwareKey::first_file);
    items_[static_cast<std::size_t>(key)] = std::move(bytes);
}

void FirmwareConfig::set_number(FirmwareKey key, std::uint64_t value, unsigned bytes) {
    std::vector<std::uint8_t> little_endian;
    for (unsigned i = 0; i < bytes; ++i) little_endian.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    set(key, std::move(little_endian));
}

tl::expected<std::uint16_t, FirmwareFileError> FirmwareConfig::add_file(std::string_view name,
                                                                        std::vector<std::uint8_t> bytes) {
    if (name.size() > longest_name) return tl::unexpected{FirmwareFileError::name_too_long};
    const bool exists =
        std::any_of(files_.begin(), files_.end(), [&](const File& file) { return file.name == name; });
    if (exists) return tl::unexpected{FirmwareFileError::exists};
    if (files_.size() == most_files) return tl::unexpected{FirmwareFileError::directory_full};
    files_.push_back({std::string{name}, std::move(bytes)});
    write_directory();
    return static_cast<std::uint16_t>(first_file + files_.size() - 1);
}

// The directory: a count, then for each file its size, selector, two reserved bytes and 56 bytes of name.
// Big-endian.
void FirmwareConfig::write_directory() {
    std::vector<std::uint8_t> directory;
    append_big_endian(directory, files_.size(), 4);
    for (std::size_t i = 0; i < files_.size(); ++i) {
        append_big_endian(directory, files_[i].bytes.size(), 4);
        append_big_endian(directory, first_file + i, 2);
        append_big_endian(directory, 0, 2);
        const std::size_t end = directory.size() + longest_name + 1;
        directory.insert(directory.end(), files_[i].name.begin(), files_[i].name.end());
        directory.resize(end);
    }
    set(FirmwareKey::file_directory, std::move(directory));
}

std::span<const std::uint8_t> FirmwareConfig::item(std::uint16_t selector) const {
    constexpr std::uint16_t write_channel = 0x4000;  // of old; writes are ignored
    const std::size_t key = selector & unsigned{0xffffU ^ write_channel};
    if (key < items_.size()) return items_[key];
    if (key - first_file < files_.size()) return files_[key - first_file].bytes;
    return {};
}

bool FirmwareConfig::takes(std::uint16_t offset, IoWidth width) const {
    return offset == selector_register ? width != IoWidth::dword : width == IoWidth::byte;
}

std::uint32_t FirmwareConfig::read(std::uint16_t offset, IoWidth /*width*/) {
    if (offset != data_register) return 0;  // the selector is write-only
    const auto bytes = item(state_.selected);
    if (state_.position >= bytes.size()) return 0;
    return bytes[state_.position++];
}

void FirmwareConfig::write(std::uint16_t offset, IoWidth width, std::uint32_t value) {
    if (offset != selector_register || width != IoWidth::word) return;
    state_ = {static_cast<std::uint16_t>(value), 0};
}

}  // namespace hyperstep::devices
