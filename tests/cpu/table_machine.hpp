#pragma once
#include <cstdint>

#include "tests/cpu/bare_machine.hpp"

// A processor with the tables that events and far transfers go through.
namespace hyperstep::cpu {

/// Descriptors, spelled as the manual draws them.
constexpr std::uint64_t segment_descriptor(std::uint64_t base,
                                           std::uint64_t limit,
                                           std::uint64_t type,     ///< bits 47:40: P, DPL, S, type
                                           std::uint64_t flags) {  ///< bits 55:52: G, D/B, L, AVL
    return (limit & 0xffff) | (base & 0xff'ffff) << 16 | type << 40 | (limit >> 16 & 0xf) << 48 |
           flags << 52 | (base >> 24 & 0xff) << 56;
}
/// A gate of 16 or 32 bits; `parameters` is the IST in IA-32e mode.
constexpr std::uint64_t gate(std::uint64_t selector,
                             std::uint64_t offset,
                             std::uint64_t type,  ///< bits 47:40
                             std::uint64_t parameters = 0) {
    return (offset & 0xffff) | selector << 16 | parameters << 32 | type << 40 | (offset >> 16 & 0xffff) << 48;
}

class TableMachine : public BareMachine {
public:
    static constexpr std::uint64_t gdt = 0x50'0000, idt = 0x51'0000, ldt = 0x52'0000, tss = 0x53'0000;
    static constexpr std::uint64_t inner_stack_top = 0x60'0000;  ///< in the TSS for CPL 0
    static constexpr std::uint64_t handler = 0x11'0000;          ///< where gates of set_gate() lead

    // Selectors of the GDT, with the RPL that belongs to them.
    static constexpr std::uint16_t code_0 = 0x08, data_0 = 0x10, code_3 = 0x1b, data_3 = 0x23,
                                   tss_selector = 0x28,  // and 0x30 in IA-32e mode
        conforming_code = 0x38, code_16 = 0x40, data_16 = 0x48, code_1 = 0x51, data_1 = 0x59,
                                   ldt_selector = 0x60,  // and 0x68
        free_selector = 0x70,                            // and 0x78: for a test
        compatibility_code_0 = 0x80, compatibility_code_3 = 0x8b;

    /// Protected mode with 32-bit segments of DPL `cpl`, GDT, IDT (empty) and a 32-bit TSS.
    void enter_protected_with_tables(unsigned cpl);
    /// 64-bit mode likewise. The IST 1 is at inner_stack_top + 0x1000.
    void enter_long_with_tables(unsigned cpl);
    /// Virtual-8086 mode at 0x1000:0, over the tables of protected mode.
    void enter_virtual_8086_with_tables(unsigned iopl);

    void set_descriptor(std::uint16_t selector, std::uint64_t descriptor) {
        memory.write(Hpa{gdt + (selector & 0xfff8U)}, 8, descriptor);
    }
    std::uint64_t descriptor(std::uint16_t selector) { return get(gdt + (selector & 0xfff8U), 8); }
    /// The gate of a vector, as 8 bytes, or as the lower 8 of 16 in IA-32e mode.
    void set_gate(unsigned vector, std::uint64_t value);

private:
    void set_tables(std::uint64_t code_flags);
};

/// The error code of a fault with one.
constexpr Fault fault(Vector vector, std::uint32_t error_code) {
    return {.vector = vector, .has_error_code = true, .error_code = error_code};
}

}  // namespace hyperstep::cpu
