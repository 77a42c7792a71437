#include "tests/cpu/table_machine.hpp"

#include "cpu/descriptors.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t page_granular = 8, is_32 = 4, is_64 = 2;
constexpr std::uint64_t flat_limit = 0xf'ffff;

}  // namespace

void TableMachine::set_tables(std::uint64_t code_flags) {
    const auto flat = [](std::uint64_t type, std::uint64_t flags) {
        return segment_descriptor(0, flat_limit, type, flags | page_granular);
    };
    set_descriptor(code_0, flat(0x9b, code_flags));
    set_descriptor(data_0, flat(0x93, is_32));
    set_descriptor(code_3, flat(0xfb, code_flags));
    set_descriptor(data_3, flat(0xf3, is_32));
    set_descriptor(conforming_code, flat(0x9f, code_flags));
    set_descriptor(code_16, segment_descriptor(0, 0xffff, 0x9b, 0));
    set_descriptor(data_16, segment_descriptor(0, 0xffff, 0x93, 0));
    set_descriptor(code_1, flat(0xbb, code_flags));
    set_descriptor(data_1, flat(0xb3, is_32));
    set_descriptor(tss_selector, segment_descriptor(tss, 0x67, 0x8b, 0));
    set_descriptor(ldt_selector, segment_descriptor(ldt, 0xff, 0x82, 0));
    set_descriptor(compatibility_code_0, flat(0x9b, is_32));
    set_descriptor(compatibility_code_3, flat(0xfb, is_32));
    cpu.state.gdtr = {.base = gdt, .limit = 0x8f};
    cpu.state.tr = {.selector = tss_selector, .base = tss, .limit = 0x67, .rights = {{0x8b}}};
    cpu.state.ldtr = null_segment(0);
    if (cpu.cpl == 3) {
        for (const SegmentName name : {es, ss, ds, fs, gs}) cpu.state.segment[name].selector = data_3;
        cpu.state.segment[cs].selector = code_3;
    }
}

void TableMachine::enter_protected_with_tables(unsigned cpl) {
    enter_protected_32(cpl);
    set_tables(is_32);
    cpu.state.idtr = {.base = idt, .limit = 256 * 8 - 1};
    memory.write(Hpa{tss + 4}, 4, inner_stack_top);
    memory.write(Hpa{tss + 8}, 2, data_0);
    memory.write(Hpa{tss + 12}, 4, inner_stack_top + 0x8000);
    memory.write(Hpa{tss + 16}, 2, data_1);
    refresh(cpu);
}

void TableMachine::enter_long_with_tables(unsigned cpl) {
    enter_long_mode(cpl);
    set_tables(is_64);
    cpu.state.idtr = {.base = idt, .limit = 256 * 16 - 1};
    memory.write(Hpa{tss + 4}, 8, inner_stack_top);
    memory.write(Hpa{tss + 36}, 8, inner_stack_top + 0x1000);
    refresh(cpu);
}

void TableMachine::enter_virtual_8086_with_tables(unsigned iopl) {
    enter_protected_with_tables(0);
    cpu.state.rflags |= Rflags::vm.mask | static_cast<std::uint64_t>(iopl) << 12;
    for (Segment& each : cpu.state.segment) each = segment_of_virtual_8086(0x2000);
    cpu.state.segment[cs] = segment_of_virtual_8086(0x1000);
    cpu.state.gpr[rsp] = 0x1000;
    cpu.state.rip = 0;
    refresh(cpu);
}

void TableMachine::set_gate(unsigned vector, std::uint64_t value) {
    const unsigned bytes = cpu.efer()[Efer::lma] ? 16 : 8;
    memory.write(Hpa{idt + vector * bytes}, 8, value);
}

}  // namespace hyperstep::cpu
