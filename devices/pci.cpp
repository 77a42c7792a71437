#include "devices/pci.hpp"

#include <algorithm>
#include <cassert>

namespace hyperstep::devices {
namespace {

constexpr std::uint16_t data_register = 4;
constexpr std::uint16_t reset_control_register = 1;

constexpr unsigned command_index = 0x04;
constexpr unsigned status_index = 0x06;
constexpr unsigned interrupt_line_index = 0x3c;

void put(std::array<std::uint8_t, 256>& bytes, unsigned index, std::uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes[index + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void fill(std::array<std::uint8_t, 256>& bytes, unsigned first, unsigned last, std::uint8_t value) {
    for (unsigned i = first; i <= last; ++i) bytes[i] = value;
}

struct Identity {
    std::uint16_t vendor;
    std::uint16_t device;
    std::uint16_t command;
    std::uint16_t command_writable;
    std::uint16_t status;
    std::uint8_t revision;
    std::uint32_t class_code;
};

ConfigurationSpace space_of(const Identity& identity) {
    ConfigurationSpace space;
    put(space.initial, 0x00, identity.vendor, 2);
    put(space.initial, 0x02, identity.device, 2);
    put(space.initial, command_index, identity.command, 2);
    put(space.writable, command_index, identity.command_writable, 2);
    put(space.initial, status_index, identity.status, 2);
    put(space.initial, 0x08, identity.revision, 1);
    put(space.initial, 0x09, identity.class_code, 3);
    space.writable[interrupt_line_index] = 0xff;
    return space;
}

}  // namespace

// Intel 440FX PCIset data sheet, "PCI Configuration Space".
ConfigurationSpace host_bridge_440fx() {
    ConfigurationSpace space = space_of({.vendor = 0x8086,
                                         .device = 0x1237,
                                         .command = 0x0006,
                                         .command_writable = 0x0100,
                                         .status = 0x0280,
                                         .revision = 0x02,
                                         .class_code = 0x060000});
    space.writable[0x0d] = 0xf8;  // latency timer
    fill(space.writable, 0x50, 0x51, 0xff);
    // Model: the programmable attribute maps (0x59 to 0x5f) and the SMRAM control are kept, and change no
    // memory.
    fill(space.writable, 0x59, 0x5f, 0x33);
    space.writable[0x59] = 0x30;
    fill(space.writable, 0x60, 0x67, 0xff);
    space.initial[0x72] = 0x02;
    space.writable[0x72] = 0x78;
    return space;
}

// Intel 82371SB (PIIX3) data sheet, "PCI Configuration Registers: Function 0".
ConfigurationSpace isa_bridge_piix3() {
    ConfigurationSpace space = space_of({.vendor = 0x8086,
                                         .device = 0x7000,
                                         .command = 0x0007,
                                         .command_writable = 0x0108,
                                         .status = 0x0200,
                                         .revision = 0x00,
                                         .class_code = 0x060100});
    space.initial[0x4c] = 0x4d;
    space.writable[0x4c] = 0xff;
    space.initial[0x4e] = 0x03;
    space.writable[0x4e] = 0xff;
    space.writable[0x4f] = 0x01;            // the I/O APIC's chip select
    fill(space.initial, 0x60, 0x63, 0x80);  // PIRQ routes: off
    fill(space.writable, 0x60, 0x63, 0x8f);
    space.initial[0x69] = 0x02;
    space.writable[0x69] = 0xfe;
    return space;
}

void PciConfiguration::add(unsigned device, unsigned function, const ConfigurationSpace& space) {
    assert(device < 32 && function < 8 && functions_.size() < most_functions);
    const auto slot = static_cast<std::uint8_t>(device << 3U | function);
    functions_.push_back({slot, space});
    state_.functions.push_back({slot, space.initial});
}

void PciConfiguration::reset() {
    state_.address = 0;
    state_.reset_control = 0;
    state_.functions.clear();
    for (const Function& each : functions_) state_.functions.push_back({each.slot, each.space.initial});
}

std::size_t PciConfiguration::selected() const {
    const bool enabled = Bits<31>::get(state_.address);
    const auto bus = Bits<23, 16>::get(state_.address);
    const auto slot = Bits<15, 8>::get(state_.address);
    if (!enabled || bus != 0) return functions_.size();
    std::size_t index = 0;
    while (index < functions_.size() && functions_[index].slot != slot) ++index;
    // A restored state may be of another machine.
    return index < state_.functions.size() ? index : functions_.size();
}

bool PciConfiguration::takes(std::uint16_t offset, IoWidth width) const {
    if (offset < data_register) return width == IoWidth::byte || (offset == 0 && width == IoWidth::dword);
    return true;
}

std::uint32_t PciConfiguration::read(std::uint16_t offset, IoWidth width) {
    if (offset < data_register) {
        if (width == IoWidth::dword) return state_.address;
        return offset == reset_control_register ? state_.reset_control : 0xff;
    }
    const std::size_t function = selected();
    if (function == functions_.size()) return mask_of(width);
    const unsigned first = (state_.address & 0xfcU) + offset - data_register;
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bytes_of(width); ++i)
        value |= std::uint32_t{state_.functions[function].bytes[(first + i) & 0xffU]} << (8 * i);
    return value;
}

void PciConfiguration::write_byte(std::size_t function, unsigned index, std::uint8_t value) {
    std::uint8_t& byte = state_.functions[function].bytes[index];
    if (index == status_index || index == status_index + 1) {
        const unsigned cleared =
            ConfigurationSpace::status_cleared_by_one >> (8 * (index - status_index)) & value;
        byte = static_cast<std::uint8_t>(byte & ~cleared);
        return;
    }
    const unsigned writable = functions_[function].space.writable[index];
    byte = static_cast<std::uint8_t>((byte & ~writable) | (value & writable));
}

// 82371SB "Reset Control Register": a reset happens as bit 2 goes from 0 to 1; bit 1 chooses a hard one.
void PciConfiguration::write_reset_control(std::uint8_t value) {
    const bool resets = (value & 4U) != 0 && (state_.reset_control & 4U) == 0;
    state_.reset_control = value & 6U;
    if (!resets) return;
    if ((value & 2U) != 0)
        signals_.hard_reset();
    else
        signals_.soft_reset();
}

void PciConfiguration::write(std::uint16_t offset, IoWidth width, std::uint32_t value) {
    if (offset < data_register) {
        if (width == IoWidth::dword)
            state_.address = value & 0x80ff'fffcU;
        else if (offset == reset_control_register)
            write_reset_control(static_cast<std::uint8_t>(value));
        return;
    }
    const std::size_t function = selected();
    if (function == functions_.size()) return;
    const unsigned first = (state_.address & 0xfcU) + offset - data_register;
    for (unsigned i = 0; i < bytes_of(width); ++i)
        write_byte(function, (first + i) & 0xffU, static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace hyperstep::devices
