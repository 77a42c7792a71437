#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/fields.hpp"
#include "devices/bus.hpp"

namespace hyperstep::devices {

/// The selector keys that are fixed.
enum class FirmwareKey : std::uint16_t {
    signature = 0x00,       ///< "QEMU"
    id = 0x01,              ///< bit 0: this interface; bit 1: DMA, which is absent
    ram_size = 0x03,        ///< bytes, 8
    processors = 0x05,      ///< 2
    kernel_address = 0x07,  ///< 4, as the next ones
    kernel_size = 0x08,
    initrd_address = 0x0a,
    initrd_size = 0x0b,
    boot_device = 0x0c,
    boot_menu = 0x0e,
    most_processors = 0x0f,  ///< 2: the highest APIC id plus 1
    kernel_entry = 0x10,
    kernel_data = 0x11,
    initrd_data = 0x12,
    command_line_address = 0x13,
    command_line_size = 0x14,
    command_line_data = 0x15,
    setup_address = 0x16,
    setup_size = 0x17,
    setup_data = 0x18,
    file_directory = 0x19,
    first_file = 0x20
};

/// Why a file cannot be added.
enum class FirmwareFileError : std::uint8_t {
    name_too_long,  ///< more than 55 bytes
    exists,         ///< a file of this name is there
    directory_full  ///< there are most_files
};
std::string_view to_string(FirmwareFileError error);

/// QEMU's firmware configuration device, the interface by ports: register 0 (0x510) takes the 16-bit
/// selector, register 1 (0x511) gives the item a byte a time. QEMU "fw_cfg". The items are configuration, not
/// state.
class FirmwareConfig final : public PortDevice {
public:
    static constexpr std::size_t most_files = 64;

    struct State {
        std::uint16_t selected = 0;
        std::uint32_t position = 0;
        auto visit(auto& archive) {
            return archive(field("selected", selected), field("position", position));
        }
    };

    /// Holds the signature, the id and an empty file directory.
    FirmwareConfig();
    State& state() { return state_; }
    const State& state() const { return state_; }
    void reset() { state_ = {}; }

    /// The item `key` has these bytes from now on; below FirmwareKey::first_file.
    void set(FirmwareKey key, std::vector<std::uint8_t> bytes);
    /// The same with a little-endian number of 1 to 8 bytes.
    void set_number(FirmwareKey key, std::uint64_t value, unsigned bytes);
    /// Adds a file at the end of the directory: "etc/acpi/tables". Its selector.
    tl::expected<std::uint16_t, FirmwareFileError> add_file(std::string_view name,
                                                            std::vector<std::uint8_t> bytes);
    /// The bytes of an item; empty if there is none.
    std::span<const std::uint8_t> item(std::uint16_t selector) const;

    std::string_view name() const override { return "fw_cfg"; }
    bool takes(std::uint16_t offset, IoWidth width) const override;
    /// Beyond the end of an item, and for an item that does not exist: 0.
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    struct File {
        std::string name;
        std::vector<std::uint8_t> bytes;
    };
    void write_directory();
    State state_;
    std::vector<std::vector<std::uint8_t>> items_;  ///< by key
    std::vector<File> files_;
};

}  // namespace hyperstep::devices
