#include "machine/acpi_tables.hpp"

#include <string_view>

#include "machine/little_endian.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint64_t root_place = 0xf'0000;
constexpr std::size_t header_bytes = 36;
constexpr std::size_t checksum_offset = 9, length_offset = 4;
constexpr std::uint64_t first_apic_above_xapic = 255;

std::uint8_t checksum(std::span<const std::uint8_t> bytes) {
    unsigned sum = 0;
    for (const std::uint8_t byte : bytes) sum += byte;
    return static_cast<std::uint8_t>(0U - sum);
}

/// "System Description Table Header".
ByteWriter table(std::string_view signature, unsigned revision) {
    ByteWriter header;
    header.text(signature, 4).u32(0).u8(revision).u8(0);
    header.text("HYPERS", 6).text("HYPERSTP", 8).u32(1).text("HYPS", 4).u32(1);
    return header;
}

/// Length and checksum are written last.
std::vector<std::uint8_t> finished(ByteWriter& table) {
    table.set_u32(length_offset, static_cast<std::uint32_t>(table.size()));
    table.bytes()[checksum_offset] = checksum(table.bytes());
    return table.bytes();
}

/// "Generic Address Structure".
void address(ByteWriter& to, bool in_memory, unsigned bits, std::uint64_t where) {
    const unsigned access = bits == 8 ? 1 : bits == 16 ? 2 : 3;
    to.u8(in_memory ? 0 : 1).u8(bits).u8(0).u8(where == 0 ? 0 : access).u64(where);
}

namespace ports {
constexpr std::uint64_t pm1a_event = 0x600, pm1a_control = 0x604, timer = 0x608, general_event = 0x620;
constexpr std::uint64_t smi_command = 0xb2, reset = 0xcf9;
}  // namespace ports

/// "Fixed ACPI Description Table (FADT)", revision 5 (268 bytes).
std::vector<std::uint8_t> fadt(std::uint64_t facs,
                               std::uint64_t dsdt,
                               const devices::PowerManagementModel& power) {
    constexpr unsigned sci_line = 9, century_byte = 0x32;
    constexpr std::uint32_t wbinvd = 1, processor_c1 = 1 << 2, sleep_button_absent = 1 << 5,
                            reset_supported = 1 << 10, timer_of_32_bits = 1 << 8;
    constexpr std::uint16_t has_legacy_devices = 1, has_keyboard_controller = 2;
    const bool wide = power.timer == devices::PowerManagementModel::TimerWidth::bits_32;
    ByteWriter t = table("FACP", 5);
    t.u32(facs).u32(dsdt).u8(0).u8(0).u16(sci_line).u32(ports::smi_command);
    t.u8(power.acpi_enable).u8(power.acpi_disable).u8(0).u8(0);
    t.u32(ports::pm1a_event).u32(0).u32(ports::pm1a_control).u32(0).u32(0).u32(ports::timer);
    t.u32(ports::general_event).u32(0);
    t.u8(4).u8(2).u8(0).u8(4).u8(4).u8(0).u8(0).u8(0);
    t.u16(0xfff).u16(0xfff);  // C2 and C3 are absent
    t.u16(0).u16(0).u8(0).u8(0).u8(0).u8(0).u8(century_byte);
    t.u16(has_legacy_devices | has_keyboard_controller).u8(0);
    t.u32(wbinvd | processor_c1 | sleep_button_absent | reset_supported | (wide ? timer_of_32_bits : 0));
    address(t, false, 8, ports::reset);
    t.u8(6).u16(0).u8(1);  // the value for the reset register; ARM flags; minor version
    t.u64(facs).u64(dsdt);
    address(t, false, 32, ports::pm1a_event);
    address(t, false, 0, 0);
    address(t, false, 16, ports::pm1a_control);
    address(t, false, 0, 0);
    address(t, false, 0, 0);
    address(t, false, 32, ports::timer);
    address(t, false, 32, ports::general_event);
    address(t, false, 0, 0);
    address(t, false, 0, 0);
    address(t, false, 0, 0);
    return finished(t);
}

/// "Firmware ACPI Control Structure (FACS)".
std::vector<std::uint8_t> facs() {
    ByteWriter t;
    t.text("FACS", 4).u32(64).u32(0).u32(0).u32(0).u32(0).u64(0).u8(2).zeros(31);
    return t.bytes();
}

/// Name(\_Sx, Package(4){type, type, 0, 0}) in AML. "ACPI Machine Language (AML) Specification".
void sleep_state(ByteWriter& to, std::string_view name, std::uint8_t type) {
    constexpr std::uint8_t name_op = 0x08, package_op = 0x12, byte_prefix = 0x0a;
    constexpr std::uint8_t package_length = 10, elements = 4;
    to.u8(name_op).text(name, 4).u8(package_op).u8(package_length).u8(elements);
    for (const std::uint8_t value : {type, type, std::uint8_t{0}, std::uint8_t{0}})
        to.u8(byte_prefix).u8(value);
}

std::vector<std::uint8_t> dsdt(const devices::PowerManagementModel& power) {
    ByteWriter t = table("DSDT", 2);
    sleep_state(t, "_S3_", power.suspend_type);
    sleep_state(t, "_S5_", power.soft_off_type);
    return finished(t);
}

/// "Multiple APIC Description Table (MADT)".
std::vector<std::uint8_t> madt(unsigned processors) {
    enum Kind : std::uint8_t { local_apic = 0, io_apic = 1, override_ = 2, local_nmi = 4, x2apic = 9 };
    constexpr std::uint32_t enabled = 1, has_8259 = 1;
    constexpr std::uint16_t conforms = 0, level_high = 0xd, edge_high = 5;
    ByteWriter t = table("APIC", 4);
    t.u32(0xfee0'0000).u32(has_8259);
    for (unsigned id = 0; id < processors; ++id) {
        if (id < first_apic_above_xapic)
            t.u8(local_apic).u8(8).u8(id).u8(id).u32(enabled);
        else
            t.u8(x2apic).u8(16).u16(0).u32(id).u32(enabled).u32(id);
    }
    t.u8(io_apic).u8(12).u8(0).u8(0).u32(0xfec0'0000).u32(0);
    t.u8(override_).u8(10).u8(0).u8(0).u32(2).u16(conforms);
    t.u8(override_).u8(10).u8(0).u8(9).u32(9).u16(level_high);
    t.u8(local_nmi).u8(6).u8(0xff).u16(edge_high).u8(1);
    return finished(t);
}

/// IA-PC HPET Specification "The ACPI 2.0 HPET Description Table".
std::vector<std::uint8_t> hpet() {
    constexpr std::uint32_t intel_64_bit_three_timers_legacy = 0x8086'a201;
    ByteWriter t = table("HPET", 1);
    t.u32(intel_64_bit_three_timers_legacy);
    address(t, true, 0, 0xfed0'0000);
    t.u8(0).u16(0x80).u8(0);
    return finished(t);
}

/// "Root System Description Table (RSDT)", "Extended System Description Table (XSDT)".
std::vector<std::uint8_t> root_table(std::string_view signature,
                                     unsigned entry_bytes,
                                     std::span<const std::uint64_t> tables) {
    ByteWriter t = table(signature, 1);
    for (const std::uint64_t each : tables) t.number(each, entry_bytes);
    return finished(t);
}

/// "Root System Description Pointer (RSDP) Structure", revision 2.
std::vector<std::uint8_t> root_pointer(std::uint64_t rsdt, std::uint64_t xsdt) {
    constexpr std::size_t first_part = 20, whole = 36, first_checksum = 8, second_checksum = 32;
    ByteWriter t;
    t.text("RSD PTR ", 8).u8(0).text("HYPERS", 6).u8(2).u32(rsdt);
    t.u32(whole).u64(xsdt).u8(0).zeros(3);
    t.bytes()[first_checksum] = checksum(std::span{t.bytes()}.first(first_part));
    t.bytes()[second_checksum] = checksum(t.bytes());
    return t.bytes();
}

}  // namespace

AcpiTables acpi_tables(const MemoryMap& memory,
                       unsigned processors,
                       const devices::PowerManagementModel& power) {
    AcpiTables result;
    result.tables_address = memory.usable_end();
    result.control_address = memory.below_4g - MemoryMap::nvs_bytes;
    result.control = facs();
    ByteWriter all;
    const auto add = [&](const std::vector<std::uint8_t>& bytes) {
        all.zeros((16 - all.size() % 16) % 16);
        const std::uint64_t at = result.tables_address + all.size();
        all.append(bytes);
        return at;
    };
    const std::uint64_t description = add(dsdt(power));
    const std::vector<std::uint64_t> tables{
        add(fadt(result.control_address, description, power)), add(madt(processors)), add(hpet())};
    const std::uint64_t rsdt = add(root_table("RSDT", 4, tables));
    const std::uint64_t xsdt = add(root_table("XSDT", 8, tables));
    result.tables = std::move(all.bytes());
    result.root_address = root_place;
    result.root = root_pointer(rsdt, xsdt);
    return result;
}

}  // namespace hyperstep::machine
