#pragma once
#include <cstdint>

#include "base/bits.hpp"
#include "cpu/cpu.hpp"
#include "cpu/fault.hpp"

// Descriptors and gates as GDT, LDT and IDT hold them.
namespace hyperstep::cpu {

/// SDM "Segment Descriptors".
struct Descriptor : Register<Descriptor> {
    static constexpr Bits<40> accessed{};
    static constexpr Bits<41> writable{};    ///< readable, of code
    static constexpr Bits<42> conforming{};  ///< expand-down, of data
    static constexpr Bits<43> code{};
    static constexpr Bits<43, 40> type{};
    static constexpr Bits<44> s{};
    static constexpr Bits<46, 45> dpl{};
    static constexpr Bits<47> p{};
    static constexpr Bits<53> l{};
    static constexpr Bits<54> db{};
    static constexpr Bits<55> g{};

    bool is_code() const { return (*this)[s] && (*this)[code]; }
    bool is_conforming() const { return is_code() && (*this)[conforming]; }
    bool is_data() const { return (*this)[s] && !(*this)[code]; }
    bool is_writable_data() const { return is_data() && (*this)[writable]; }
    bool is_system() const { return !(*this)[s]; }
    /// The base, of the lower 8 bytes.
    std::uint32_t base() const;
    /// In bytes.
    std::uint32_t limit() const;
    AccessRights rights() const { return {{raw >> 40 & 0xf0ff}}; }
};

/// SDM "System Descriptor Types". In IA-32e mode only those of 32 bits exist; they then mean 64 bits.
enum SystemType : std::uint8_t {
    tss_16_available = 1,
    ldt = 2,
    tss_16_busy = 3,
    call_gate_16 = 4,
    task_gate = 5,
    interrupt_gate_16 = 6,
    trap_gate_16 = 7,
    tss_32_available = 9,
    tss_32_busy = 11,
    call_gate_32 = 12,
    interrupt_gate_32 = 14,
    trap_gate_32 = 15
};

/// SDM "Call Gates", "IDT Descriptors", "64-Bit Call Gates".
struct Gate : Register<Gate> {
    static constexpr Bits<15, 0> offset_low{};
    static constexpr Bits<31, 16> selector{};
    static constexpr Bits<34, 32> interrupt_stack{};  ///< IST, in IA-32e mode
    static constexpr Bits<36, 32> parameters{};       ///< of a call gate: how many are copied
    static constexpr Bits<43, 40> type{};
    static constexpr Bits<44> s{};
    static constexpr Bits<46, 45> dpl{};
    static constexpr Bits<47> p{};
    static constexpr Bits<63, 48> offset_high{};

    std::uint16_t target() const { return static_cast<std::uint16_t>((*this)[selector]); }
    std::uint32_t offset_16() const { return static_cast<std::uint32_t>((*this)[offset_low]); }
    std::uint32_t offset_32() const {
        return static_cast<std::uint32_t>((*this)[offset_high] << 16 | (*this)[offset_low]);
    }
};

/// The index and table of a selector are 0.
constexpr bool is_null(std::uint16_t selector) {
    return (selector & 0xfffcU) == 0;
}
constexpr unsigned rpl_of(std::uint16_t selector) {
    return selector & 3U;
}
/// The error code that names a selector: without RPL, EXT and IDT.
constexpr std::uint32_t error_code_of(std::uint16_t selector) {
    return selector & 0xfffcU;
}

/// A descriptor and where it lies: its linear address.
struct TableEntry {
    Descriptor descriptor;
    std::uint64_t address = 0;
};

/// Reads the descriptor that a selector, which is not null, references. If it is beyond the limit of GDT or
/// LDT, or there is no LDT, `beyond` is raised with the selector as error code.
Expected<TableEntry> read_descriptor(Cpu& cpu, std::uint16_t selector, Vector beyond);
/// The upper 8 bytes of a system descriptor of IA-32e mode, which lies in the GDT. `beyond` as above.
Expected<std::uint64_t> read_upper_descriptor(Cpu& cpu, std::uint16_t selector, Vector beyond);
/// Sets the accessed bit of a code or data descriptor, in memory and in `entry`, unless it is set.
Outcome mark_accessed(Cpu& cpu, TableEntry& entry);

/// What a segment register holds after it was loaded with the descriptor.
Segment segment_of(std::uint16_t selector, Descriptor descriptor);
/// What it holds after a null selector: unusable. The DPL of SS is the CPL in 64-bit mode.
Segment null_segment(std::uint16_t selector, unsigned dpl = 0);
/// What it holds in virtual-8086 mode.
Segment segment_of_virtual_8086(std::uint16_t selector);
/// Loads a segment register as real-address mode does: the limit and the rights stay.
void load_real_mode_segment(Segment& segment, std::uint16_t selector);

}  // namespace hyperstep::cpu
