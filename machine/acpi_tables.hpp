#pragma once
#include <cstdint>
#include <vector>

#include "devices/power_management.hpp"
#include "machine/memory_map.hpp"

// The tables by which an operating system finds the parts of the PC: RSDP, RSDT, XSDT, FADT, FACS, DSDT,
// MADT, HPET. ACPI Specification 6.5 "ACPI Software Programming Model".
namespace hyperstep::machine {

/// Tables, and where they belong.
struct AcpiTables {
    std::uint64_t root_address = 0;     ///< of the RSDP: in the ROM below 1 MiB, at a multiple of 16
    std::vector<std::uint8_t> root;     ///< the RSDP
    std::uint64_t tables_address = 0;   ///< of what lies at the end of the RAM below 4 GiB
    std::vector<std::uint8_t> tables;   ///< at most MemoryMap::acpi_bytes - MemoryMap::nvs_bytes
    std::uint64_t control_address = 0;  ///< of the FACS: non-volatile memory
    std::vector<std::uint8_t> control;
};

AcpiTables acpi_tables(const MemoryMap& memory,
                       unsigned processors,
                       const devices::PowerManagementModel& power);

}  // namespace hyperstep::machine
