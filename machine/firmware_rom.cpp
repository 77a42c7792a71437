#include "machine/firmware_rom.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "machine/little_endian.hpp"
#include "machine/memory_map.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint64_t reset_vector = 0xf'fff0, reset_code = 0xf'e05b;

constexpr std::array<std::uint8_t, 5> jump_to_reset_code{0xea, 0x5b, 0xe0, 0x00, 0xf0};
constexpr std::array<std::uint8_t, 32> reset_instructions{
    0xfa,                    // cli
    0xb0, 0x8f,              // mov al, 8fh
    0xe6, 0x70,              // out 70h, al
    0xe4, 0x71,              // in al, 71h
    0x3c, 0x05,              // cmp al, 5
    0x74, 0x0d,              // je warm
    0x3c, 0x0a,              // cmp al, 0ah
    0x74, 0x09,              // je warm
    0xba, 0xf9, 0x0c,        // mov dx, 0cf9h
    0xb0, 0x06,              // mov al, 6
    0xee,                    // out dx, al
    0xf4,                    // halt: hlt
    0xeb, 0xfd,              // jmp halt
    0x31, 0xc0,              // warm: xor ax, ax
    0x8e, 0xd8,              // mov ds, ax
    0xff, 0x2e, 0x67, 0x04,  // jmp far [467h]
};

/// A BIOS service: none is there. CF = 1 and AH = 86H in the caller's frame say so.
constexpr std::array<std::uint8_t, 11> no_service{
    0x55,  // push bp
    0x89,
    0xe5,  // mov bp, sp
    0x80,
    0x4e,
    0x06,
    0x01,  // or byte [bp+6], 1
    0x5d,  // pop bp
    0xb4,
    0x86,  // mov ah, 86h
    0xcf,  // iret
};
/// An interrupt of the slave 8259A that nobody has taken over; below, of the master.
constexpr std::array<std::uint8_t, 9> end_of_interrupt{
    0x50,  // push ax
    0xb0,
    0x20,  // mov al, 20h
    0xe6,
    0xa0,  // out 0a0h, al
    0xe6,
    0x20,  // out 20h, al
    0x58,  // pop ax
    0xcf,  // iret
};
constexpr std::array<std::uint8_t, 7> end_of_master_interrupt{0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf};

void put(FirmwareRom& rom, std::uint64_t physical, std::span<const std::uint8_t> bytes) {
    const auto from = std::as_bytes(bytes);
    const auto offset = static_cast<std::ptrdiff_t>(physical - MemoryMap::firmware);
    std::copy(from.begin(), from.end(), rom.bytes.begin() + offset);
}

}  // namespace

FirmwareRom firmware_rom(const AcpiTables& tables) {
    FirmwareRom rom;
    rom.bytes.resize(MemoryMap::high - MemoryMap::firmware);
    put(rom, tables.root_address, tables.root);
    ByteWriter descriptors;
    descriptors.u64(0).u64(0x00cf'9b00'0000'ffff).u64(0x00cf'9300'0000'ffff).u64(0x00af'9b00'0000'ffff);
    put(rom, FirmwareRom::descriptors, descriptors.bytes());
    put(rom, reset_code, reset_instructions);
    put(rom, reset_vector, jump_to_reset_code);
    put(rom, FirmwareRom::no_service, no_service);
    put(rom, FirmwareRom::slave_interrupt, end_of_interrupt);
    put(rom, FirmwareRom::master_interrupt, end_of_master_interrupt);
    return rom;
}

std::uint64_t FirmwareRom::handler_of(unsigned vector) {
    if (vector >= 0x08 && vector <= 0x0f) return master_interrupt;
    if (vector >= 0x70 && vector <= 0x77) return slave_interrupt;
    return no_service;
}

}  // namespace hyperstep::machine
