#include "tests/cpu/random_state.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/control_registers.hpp"

namespace hyperstep::cpu {
namespace {

enum class Start : std::uint8_t {
    real,
    virtual_8086,
    bits_16,
    bits_32,
    paged,
    pae,
    compatibility,
    bits_64,
    count
};

constexpr std::uint64_t gdt = 0x1000, ldt = 0x1800, idt_32 = 0x2000, idt_64 = 0x3000, tss_32 = 0x4000,
                        tss_64 = 0x6000, handlers = 0x6800, level_5 = 0x7000, directory = 0x8000,
                        table_32 = 0x9000, pdpt_pae = 0xa000, directory_pae = 0xb000, level_4 = 0xc000,
                        pdpt = 0xd000, directory_64 = 0xe000, table_64 = 0xf000, code = 0x1'0000,
                        scratch = 0x2'0000, stack = 0x4'0000;
constexpr std::uint64_t accessed_data = 0x93, accessed_code = 0x9b;

constexpr std::uint64_t gate(std::uint64_t selector, std::uint64_t offset, std::uint64_t type) {
    return (offset & 0xffff) | selector << 16 | type << 40 | (offset >> 16 & 0xffff) << 48;
}

void put_descriptors(Ram& ram) {
    constexpr std::uint64_t descriptors[] = {
        0,
        0x00cf'9b00'0000'ffff,  // 08 code of 32 bits
        0x00cf'9300'0000'ffff,  // 10 data
        0x00af'9b00'0000'ffff,  // 18 code of 64 bits
        0x00cf'fb00'0000'ffff,  // 20 code of 32 bits, DPL 3
        0x00cf'f300'0000'ffff,  // 28 data, DPL 3
        0x00af'fb00'0000'ffff,  // 30 code of 64 bits, DPL 3
        0x0000'9b00'0000'ffff,  // 38 code of 16 bits
        0x0000'9300'0000'ffff,  // 40 data of 16 bits
        0x0000'8900'4000'1fff,  // 48 TSS, available
        0x0000'8b00'4000'1fff,  // 50 TSS, busy
        0x0000'8b00'6000'0067,  // 58 TSS of IA-32e mode
        0,
        0x0000'8200'1800'00ff,  // 68 LDT
        0,
        gate(0x08, handlers, 0xec),  // 78 call gate
        gate(0x18, handlers, 0xec),  // 80 call gate of IA-32e mode
        0,
        gate(0x48, 0, 0xe5),    // 90 task gate
        0x00cf'9700'0000'0fff,  // 98 data that expands down
        0x00cf'9f00'0000'ffff,  // a0 conforming code
        0x00cf'f100'0000'ffff,  // a8 data to read only
        0x00cf'f900'0000'ffff,  // b0 code to execute only
        0x000f'f300'0000'ffff,  // b8 data with a limit of 1 MiB
        0x00cf'7300'0000'ffff,  // c0 not present
        0x0000'8100'4000'1fff,  // c8 TSS of 16 bits
        0x00cf'bb00'0000'ffff,  // d0 code, DPL 1
        0x00cf'b300'0000'ffff,  // d8 data, DPL 1
    };
    for (std::size_t i = 0; i < std::size(descriptors); ++i) ram.put(gdt + 8 * i, descriptors[i]);
    for (std::size_t i = 0; i < 6; ++i) ram.put(ldt + 8 * i, descriptors[1 + i]);
}

/// Handlers that go on a byte behind the fault.
void put_handlers(Ram& ram) {
    for (std::uint64_t vector = 0; vector < 256; ++vector) {
        const bool has_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
        const std::uint64_t entry = handlers + (has_code ? 0x20 : 0);
        ram.put(vector * 4, 0x600, 4);
        ram.put(idt_32 + vector * 8, gate(0x08, entry, vector % 7 == 0 ? 0xef : 0xee));
        ram.put(idt_64 + vector * 16, gate(0x18, entry + 0x40, vector % 7 == 0 ? 0xef : 0xee));
    }
    ram.put_code(0x600, {0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf});
    ram.put_code(handlers, {0xff, 0x04, 0x24, 0xcf});
    ram.put_code(handlers + 0x20, {0xff, 0x44, 0x24, 0x04, 0x83, 0xc4, 0x04, 0xcf});
    ram.put_code(handlers + 0x40, {0x48, 0xff, 0x04, 0x24, 0x48, 0xcf});
    ram.put_code(handlers + 0x60, {0x48, 0xff, 0x44, 0x24, 0x08, 0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf});
}

void put_task_states(Ram& ram) {
    ram.put(tss_32 + 4, stack + 0x8000, 4);
    ram.put(tss_32 + 8, 0x10, 4);
    ram.put(tss_32 + 12, stack + 0xa000, 4);
    ram.put(tss_32 + 16, 0xd9, 4);
    ram.put(tss_32 + 32, code + 0x800, 4);
    ram.put(tss_32 + 36, 2, 4);
    ram.put(tss_32 + 56, stack + 0x4000, 4);
    constexpr std::uint64_t selectors[] = {0x10, 0x08, 0x10, 0x10, 0x10, 0x10, 0x68};
    for (std::size_t i = 0; i < std::size(selectors); ++i) ram.put(tss_32 + 72 + 4 * i, selectors[i], 4);
    ram.put(tss_32 + 102, 0x88, 2);
    for (std::uint64_t offset = 4; offset < 0x60; offset += 8) ram.put(tss_64 + offset, stack + 0xc000);
}

/// The first 4 MiB, or 2, are mapped to themselves; above the RAM its pages appear a second time.
void put_paging_structures(Ram& ram) {
    for (std::uint64_t i = 0; i < 1024; ++i) {
        const std::uint64_t page = i < 0x1a0 ? i : 0x10 + (i - 0x1a0) % 0x60;
        ram.put(table_32 + 4 * i, page << 12 | 7, 4);
        if (i < 512) ram.put(table_64 + 8 * i, page << 12 | 7);
        ram.put(directory + 4 * i, i % 4 == 3 ? (i << 22 | 0x87) : (table_32 | 7), 4);
    }
    for (std::uint64_t i = 0; i < 512; ++i) {
        ram.put(directory_pae + 8 * i, i % 4 == 3 ? 0x87 : (table_64 | 7));
        ram.put(directory_64 + 8 * i, i % 4 == 3 ? 0x87 : (table_64 | 7));
        ram.put(pdpt + 8 * i, i % 4 == 3 ? 0x87 : (directory_64 | 7));
        ram.put(level_4 + 8 * i, pdpt | 7);
        ram.put(level_5 + 8 * i, level_4 | 7);
    }
    for (std::uint64_t i = 0; i < 4; ++i) ram.put(pdpt_pae + 8 * i, directory_pae | 1);
}

Segment flat(std::uint16_t selector, std::uint64_t rights, unsigned dpl) {
    return {.selector = static_cast<std::uint16_t>(selector | dpl),
            .base = 0,
            .limit = 0xffff'ffff,
            .rights = {{rights | static_cast<std::uint64_t>(dpl) << 5 | 1 << 15}}};
}

void set_flat_segments(State& state, unsigned cpl, std::uint64_t code_flags) {
    for (Segment& each : state.segment) each = flat(cpl == 3 ? 0x28 : 0x10, accessed_data | 1 << 14, cpl);
    const bool is_long = (code_flags & 1 << 13) != 0;
    state.segment[cs] =
        flat(is_long ? (cpl == 3 ? 0x30 : 0x18) : (cpl == 3 ? 0x20 : 0x08), accessed_code | code_flags, cpl);
}

void set_small_segments(State& state, std::uint64_t rights) {
    std::uint16_t selector = 0x1000;
    for (Segment& each : state.segment) {
        each = {
            .selector = selector, .base = static_cast<std::uint64_t>(selector) << 4, .rights = {{rights}}};
        selector = static_cast<std::uint16_t>(selector + 0x200);
    }
    state.segment[cs] = {.selector = 0x1000, .base = code, .rights = {{rights}}};
}

void start_in(State& state, Start start, unsigned cpl) {
    const bool wide = start == Start::compatibility || start == Start::bits_64;
    state.rflags = 2 | 0x200;
    state.rip = code;
    state.gdtr = {.base = gdt, .limit = 0xdf};
    state.ldtr = {.selector = 0x68, .base = ldt, .limit = 0xff, .rights = {{0x82}}};
    state.tr = {.selector = 0x50, .base = tss_32, .limit = 0x1fff, .rights = {{0x8b}}};
    state.idtr = {.base = wide ? idt_64 : idt_32, .limit = static_cast<std::uint16_t>(wide ? 0xfff : 0x7ff)};
    state.cr0 = 0x31;
    state.cr4 = 0x600;
    for (std::uint64_t& each : state.gpr) each = scratch + 0x100;
    state.gpr[rsp] = stack;
    switch (start) {
        case Start::real:
            state.cr0 = 0x30;
            state.idtr = {.base = 0, .limit = 0x3ff};
            set_small_segments(state, accessed_data);
            break;
        case Start::virtual_8086:
            set_small_segments(state, 0xf3);
            state.rflags |= Rflags::vm.mask;
            break;
        case Start::bits_16:
            set_flat_segments(state, 0, 0);
            for (Segment& each : state.segment)
                each = {.selector = 0x40, .base = code, .rights = {{accessed_data}}};
            state.segment[cs] = {.selector = 0x38, .base = code, .rights = {{accessed_code}}};
            break;
        default: set_flat_segments(state, cpl, start == Start::bits_64 ? 1 << 13 : 1 << 14); break;
    }
    if (start == Start::real || start == Start::virtual_8086 || start == Start::bits_16) {
        state.rip = 0;
        state.gpr[rsp] = 0x8000;
    }
    if (start >= Start::paged || start == Start::virtual_8086) {
        state.cr0 |= 1ULL << 31 | 1ULL << 16;
        state.cr3 = directory;
    }
    if (start == Start::pae) {
        state.cr4 |= Cr4::pae.mask;
        state.cr3 = pdpt_pae;
        state.pdpte.fill(directory_pae | 1);
    }
    if (!wide) return;
    state.cr4 |= Cr4::pae.mask;
    state.cr3 = level_4;
    state.msr.efer = 0xd01;
    state.tr = {.selector = 0x58, .base = tss_64, .limit = 0x67, .rights = {{0x8b}}};
}

std::uint64_t odd_number(Numbers& numbers) {
    constexpr std::uint64_t odd[] = {0,
                                     1,
                                     0x7f,
                                     0xff,
                                     0x7fff,
                                     0xffff,
                                     0xfff,
                                     0xffe,
                                     0x7fff'ffff,
                                     0xffff'ffff,
                                     0x0000'7fff'ffff'ffff,
                                     0xffff'8000'0000'0000,
                                     ~0ULL,
                                     0x8000'0000'0000'0000,
                                     RandomMachine::rom + 0xffc,
                                     RandomMachine::registers + 0xffc,
                                     RandomMachine::ram_bytes - 4,
                                     scratch,
                                     table_64 + 0x88,
                                     level_4,
                                     gdt + 0x10};
    const std::uint64_t choice = numbers.take(1);
    if (choice < 100) return odd[choice % std::size(odd)] + numbers.below(4);
    return choice < 200 ? numbers.below(RandomMachine::ram_bytes + 0x2'0000) : numbers.take(8);
}

void disturb_segment(State& state, Numbers& numbers) {
    Segment& segment = state.segment[numbers.below(6)];
    if (&segment == &state.segment[cs] || state.rflags & Rflags::vm.mask) return;
    const bool is_stack = &segment == &state.segment[ss];
    switch (numbers.below(4)) {
        case 0: segment.base = odd_number(numbers) & 0xffff'ffff; break;
        case 1: segment.limit = static_cast<std::uint32_t>(odd_number(numbers)) | 0xfff; break;
        case 2: segment.rights.raw ^= 4; break;  // expands down
        default:
            if (!is_stack) segment.rights.raw ^= numbers.one_in(2) ? 2U : 1U << 16;
            break;
    }
}

void disturb_debug(State& state, Numbers& numbers) {
    const std::uint64_t number = numbers.below(4);
    state.dr[number] = numbers.one_in(2) ? code + numbers.below(64) : scratch + 0xf0 + numbers.below(64);
    state.dr7 |= 3ULL << (2 * number);
    state.dr7 |= numbers.below(16) << (16 + 4 * number);
    if (numbers.one_in(4)) state.dr7 |= 1 << 13;
}

void disturb_x87(State& state, Numbers& numbers) {
    state.fpu.control = static_cast<std::uint16_t>((numbers.take(2) & 0x1f3f) | 0x40);
    state.fpu.status = static_cast<std::uint16_t>(numbers.take(2) & 0x7f7f);
    if ((state.fpu.status & ~state.fpu.control & 0x3f) != 0) state.fpu.status |= 0x8080;
    state.fpu.empty = static_cast<std::uint8_t>(numbers.take(1));
    for (Float80& each : state.fpu.registers)
        each = {.significand = numbers.take(8), .sign_exponent = static_cast<std::uint16_t>(numbers.take(2))};
    state.mxcsr = static_cast<std::uint32_t>(numbers.take(2));
}

/// Bits of CR0 and CR4 that may be as they like in any mode.
void disturb_controls(State& state, Numbers& numbers) {
    constexpr std::uint64_t cr0_free = 0x5'002e;  // AM, WP, NE, TS, EM, MP
    constexpr std::uint64_t fixed = Cr4::pae.mask | Cr4::la57.mask | Cr4::pcide.mask | Cr4::cet.mask;
    state.cr0 ^= numbers.take(3) & cr0_free;
    state.cr4 ^= numbers.take(4) & cr4_bits(model_max()) & ~fixed;
    if (numbers.one_in(8)) state.msr.efer ^= 1;
}

void disturb(State& state, Numbers& numbers, bool wide) {
    switch (numbers.below(10)) {
        case 0:
        case 1: state.gpr[numbers.below(16)] = odd_number(numbers); break;
        case 2: state.rflags ^= numbers.take(3) & 0x25'4fd5; break;  // ID, AC, NT, OF, DF, IF, TF ...
        case 3: state.rflags ^= Rflags::rf.mask | (numbers.below(4) << 12); break;
        case 4: disturb_segment(state, numbers); break;
        case 5: disturb_debug(state, numbers); break;
        case 6: disturb_x87(state, numbers); break;
        case 7: disturb_controls(state, numbers); break;
        case 8:
            state.xcr0 = numbers.one_in(2) ? 7 : 3;
            state.cr4 |= Cr4::osxsave.mask;
            break;
        default:
            if (wide) state.segment[fs + numbers.below(2)].base = odd_number(numbers) & 0x7fff'ffff'ffff;
            for (VectorRegister& each : state.vector)
                for (std::uint64_t& word : each) word = numbers.take(8);
            break;
    }
}

}  // namespace

void Ram::put(std::uint64_t address, std::uint64_t value, unsigned count) {
    std::memcpy(bytes_.data() + address, &value, count);
}

void Ram::put_code(std::uint64_t address, std::initializer_list<std::uint8_t> bytes) {
    std::memcpy(bytes_.data() + address, bytes.begin(), bytes.size());
}

void put_tables(Ram ram) {
    put_descriptors(ram);
    put_handlers(ram);
    put_task_states(ram);
    put_paging_structures(ram);
}

State random_state(Numbers& numbers, Ram ram) {
    State state;
    const auto start = static_cast<Start>(numbers.below(static_cast<std::uint64_t>(Start::count)));
    start_in(state, start, numbers.one_in(2) ? 0 : 3);
    for (std::uint64_t i = numbers.below(8); i > 0; --i) disturb(state, numbers, start == Start::bits_64);
    state.rflags |= 2;
    // Entries of tables, and other words anywhere in the RAM.
    for (std::uint64_t i = numbers.below(6); i > 0; --i) {
        const std::uint64_t place =
            (numbers.one_in(4) ? numbers.take(3) : numbers.take(2)) % (RandomMachine::ram_bytes - 8);
        ram.put(place, odd_number(numbers), static_cast<unsigned>(1 + numbers.below(8)));
    }
    // The program, up to 4 KiB, perhaps across a page's end.
    if (numbers.one_in(4)) state.rip += 0xff0;
    const std::uint64_t first = code + (state.rip & 0xfff);
    for (std::uint64_t i = 0, length = 16 + numbers.below(400); i < length; ++i)
        ram.put(first + i, numbers.take(1), 1);
    return state;
}

}  // namespace hyperstep::cpu
