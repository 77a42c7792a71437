#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/acpi_tables.hpp"

// The PC has no BIOS. Its ROM holds what loaded images and a reset need: the RSDP, descriptors for the
// segments that a boot loader leaves, a few instructions at the reset vector, and for every interrupt in real
// mode a handler that ends the interrupt or says that there is no such service.
namespace hyperstep::machine {

struct FirmwareRom {
    /// Physical address of the descriptor table: null, 32-bit code, data, 64-bit code; selectors 08H, 10H,
    /// 18H.
    static constexpr std::uint64_t descriptors = 0xf'0100;
    static constexpr std::uint16_t descriptors_limit = 4 * 8 - 1;

    /// What the vectors of the real-mode interrupt table point to, at segment F000H.
    static constexpr std::uint64_t no_service = 0xf'ff53, master_interrupt = 0xf'fea5,
                                   slave_interrupt = 0xf'ff23;
    /// The physical address of the handler that firmware leaves for the vector.
    static std::uint64_t handler_of(unsigned vector);

    /// The 128 KiB from 0xe0000 on; the upper half is also what lies below 4 GiB.
    std::vector<std::byte> bytes;
};

/// A processor that begins at the reset vector goes where the warm-reset vector at 40:67 points, if the CMOS
/// byte 0x0f asks for it (5 or 0AH), and otherwise resets the machine.
FirmwareRom firmware_rom(const AcpiTables& tables);

}  // namespace hyperstep::machine
