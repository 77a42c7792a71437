#include <gtest/gtest.h>

#include "cpu/delivery.hpp"
#include "tests/cpu/fault_order.hpp"

// The checks of an event's way through its gate, in the order of SDM "INT n/INTO/INT3/INT1".
namespace hyperstep::cpu {
namespace {

using M = TableMachine;
constexpr std::uint8_t vector = 0x40;
constexpr std::uint32_t idt_entry = vector * 8 + 2;
constexpr std::uint32_t external = 1;
constexpr std::uint64_t good_type = 0xee;  // 32-bit interrupt gate, DPL 3
constexpr std::uint16_t beyond = 0x1000;

void set_gate(M& machine, std::uint64_t selector, std::uint64_t type, std::uint64_t offset = M::handler) {
    machine.set_gate(vector, gate(selector, offset, type));
}

constexpr Check to_inner_level[] = {
    {"IDT limit", [](M& m) { m.cpu.state.idtr.limit = vector * 8 + 6; }, fault(Vector::gp, idt_entry)},
    {"gate type", [](M& m) { set_gate(m, M::code_0, 0xec); }, fault(Vector::gp, idt_entry)},
    {"gate DPL", [](M& m) { set_gate(m, M::code_0, 0x8e); }, fault(Vector::gp, idt_entry)},
    {"gate present", [](M& m) { set_gate(m, M::code_0, 0x6e); }, fault(Vector::np, idt_entry)},
    {"CS null", [](M& m) { set_gate(m, 3, good_type); }, fault(Vector::gp, 0)},
    {"CS beyond GDT", [](M& m) { set_gate(m, beyond, good_type); }, fault(Vector::gp, beyond)},
    {"CS beyond LDT", [](M& m) { set_gate(m, 0xc, good_type); }, fault(Vector::gp, 0xc)},
    {"CS no code", [](M& m) { set_gate(m, M::data_0, good_type); }, fault(Vector::gp, M::data_0)},
    {"CS present", [](M& m) { clear_bits(m, M::code_0, present_bit); }, fault(Vector::np, M::code_0)},
    {"TSS limit", [](M& m) { m.cpu.state.tr.limit = 8; }, fault(Vector::ts, M::tss_selector)},
    {"SS null", [](M& m) { m.memory.write(Hpa{M::tss + 8}, 2, 0); }, fault(Vector::ts, 0)},
    {"SS beyond", [](M& m) { m.memory.write(Hpa{M::tss + 8}, 2, beyond); }, fault(Vector::ts, beyond)},
    {"SS RPL", [](M& m) { m.memory.write(Hpa{M::tss + 8}, 2, M::data_0 | 1); }, fault(Vector::ts, M::data_0)},
    {"SS DPL", [](M& m) { set_bits(m, M::data_0, dpl_bits); }, fault(Vector::ts, M::data_0)},
    {"SS writable", [](M& m) { clear_bits(m, M::data_0, writable_bit); }, fault(Vector::ts, M::data_0)},
    {"SS present", [](M& m) { clear_bits(m, M::data_0, present_bit); }, fault(Vector::ss, M::data_0)},
    {"SS room",
     [](M& m) {
         clear_bits(m, M::data_0, granularity_bit | 0xf'0000'0000'ffff);
         m.memory.write(Hpa{M::tss + 4}, 4, 16);
     },
     fault(Vector::ss, M::data_0)},
    {"EIP limit",
     [](M& m) { clear_bits(m, M::code_0, granularity_bit | 0xf'0000'0000'0000); },
     fault(Vector::gp, 0)},
};

void prepare_inner(M& machine) {
    machine.enter_protected_with_tables(3);
    set_gate(machine, M::code_0, good_type);
}

TEST(GateChecks, ASoftwareInterruptToAnInnerLevel) {
    expect_checks_in_order(to_inner_level, prepare_inner, [](M& machine) {
        return enter_handler(machine.cpu, {.kind = EventKind::software_interrupt, .vector = vector});
    });
}

TEST(GateChecks, AnExternalEventSaysSoInTheErrorCodeAndMindsNoDpl) {
    std::vector<Check> checks;
    for (Check each : to_inner_level) {
        each.expected.error_code |= external;
        if (std::string_view{each.what} != "gate DPL") checks.push_back(each);
    }
    for (const EventKind kind : {EventKind::external_interrupt,
                                 EventKind::nmi,
                                 EventKind::exception,
                                 EventKind::privileged_software_exception})
        expect_checks_in_order(checks, prepare_inner, [kind](M& machine) {
            return enter_handler(machine.cpu, {.kind = kind, .vector = vector});
        });
}

TEST(GateChecks, AtTheSameLevel) {
    constexpr Check checks[] = {
        {"CS DPL beyond CPL", [](M& m) { set_bits(m, M::code_0, dpl_bits); }, fault(Vector::gp, M::code_0)},
        {"CS present", [](M& m) { clear_bits(m, M::code_0, present_bit); }, fault(Vector::np, M::code_0)},
        {"room",
         [](M& m) {
             m.cpu.state.segment[ss].limit = 0xffff;
             m.cpu.state.gpr[rsp] = 4;
         },
         fault(Vector::ss, 0)},
        {"EIP limit",
         [](M& m) { clear_bits(m, M::code_0, granularity_bit | 0xf'0000'0000'0000); },
         fault(Vector::gp, 0)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_protected_with_tables(0);
            set_gate(machine, M::code_0, good_type);
        },
        [](M& machine) {
            return enter_handler(machine.cpu, {.kind = EventKind::software_exception, .vector = vector});
        });
}

TEST(GateChecks, FromVirtual8086ModeOnlyToLevel0) {
    constexpr Check checks[] = {
        {"conforming",
         [](M& m) { set_gate(m, M::conforming_code, good_type); },
         fault(Vector::gp, M::conforming_code)},
        {"DPL 1", [](M& m) { set_gate(m, M::code_1, good_type); }, fault(Vector::gp, M::code_1 & ~3U)},
        {"room",
         [](M& m) {
             clear_bits(m, M::data_0, granularity_bit | 0xf'0000'0000'0000);
             m.memory.write(Hpa{M::tss + 4}, 4, 32);  // of the 36 that are needed
         },
         fault(Vector::ss, M::data_0)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_virtual_8086_with_tables(3);
            set_gate(machine, M::code_0, good_type);
        },
        [](M& machine) {
            return enter_handler(machine.cpu, {.kind = EventKind::software_interrupt, .vector = vector});
        });
}

TEST(GateChecks, TaskGate) {
    constexpr std::uint64_t task_gate_type = 0xe5;
    constexpr Check checks[] = {
        {"TSS in the LDT", [](M& m) { set_gate(m, 0x74, task_gate_type); }, fault(Vector::gp, 0x74)},
        {"TSS beyond", [](M& m) { set_gate(m, beyond, task_gate_type); }, fault(Vector::gp, beyond)},
        {"TSS busy",
         [](M& m) { set_gate(m, M::tss_selector, task_gate_type); },
         fault(Vector::gp, M::tss_selector)},
        {"TSS present",
         [](M& m) { clear_bits(m, M::free_selector, present_bit); },
         fault(Vector::np, M::free_selector)},
        {"TSS limit",
         [](M& m) { m.set_descriptor(M::free_selector, m.descriptor(M::free_selector) - 1); },
         fault(Vector::ts, M::free_selector)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_protected_with_tables(0);
            set_gate(machine, M::free_selector, task_gate_type);
            constexpr std::uint64_t new_tss = 0x54'0000;
            machine.set_descriptor(M::free_selector, segment_descriptor(new_tss, 0x67, 0x89, 0));
            for (const unsigned selector : {72U, 80U, 84U, 88U, 92U})
                machine.memory.write(Hpa{new_tss + selector}, 2, M::data_0);
            machine.memory.write(Hpa{new_tss + 76}, 2, M::code_0);
        },
        [](M& machine) {
            return enter_handler(machine.cpu, {.kind = EventKind::software_interrupt, .vector = vector});
        });
}

TEST(GateChecks, InIa32eMode) {
    constexpr std::uint32_t wide_limit = vector * 16 + 14;
    constexpr Check checks[] = {
        {"IDT limit", [](M& m) { m.cpu.state.idtr.limit = wide_limit; }, fault(Vector::gp, idt_entry)},
        {"gate of 16 bits", [](M& m) { set_gate(m, M::code_0, 0xe6); }, fault(Vector::gp, idt_entry)},
        {"task gate", [](M& m) { set_gate(m, M::code_0, 0xe5); }, fault(Vector::gp, idt_entry)},
        {"gate DPL", [](M& m) { set_gate(m, M::code_0, 0x8e); }, fault(Vector::gp, idt_entry)},
        {"gate present", [](M& m) { set_gate(m, M::code_0, 0x6e); }, fault(Vector::np, idt_entry)},
        {"CS null", [](M& m) { set_gate(m, 0, good_type); }, fault(Vector::gp, 0)},
        {"CS of compatibility mode",
         [](M& m) { set_gate(m, M::compatibility_code_0, good_type); },
         fault(Vector::gp, M::compatibility_code_0)},
        {"CS with L and D", [](M& m) { set_bits(m, M::code_0, 1ULL << 54); }, fault(Vector::gp, M::code_0)},
        {"CS present", [](M& m) { clear_bits(m, M::code_0, present_bit); }, fault(Vector::np, M::code_0)},
        {"TSS limit", [](M& m) { m.cpu.state.tr.limit = 10; }, fault(Vector::ts, M::tss_selector)},
        {"RSP canonical",
         [](M& m) { m.memory.write(Hpa{M::tss + 4}, 8, 0x8000'0000'0000); },
         fault(Vector::ss, 0)},
        {"RIP canonical",
         [](M& m) { m.memory.write(Hpa{M::idt + vector * 16 + 8}, 4, 0x8000); },
         fault(Vector::gp, 0)},
    };
    expect_checks_in_order(
        checks,
        [](M& machine) {
            machine.enter_long_with_tables(3);
            set_gate(machine, M::code_0, good_type);
        },
        [](M& machine) {
            return enter_handler(machine.cpu, {.kind = EventKind::software_interrupt, .vector = vector});
        });
}

}  // namespace
}  // namespace hyperstep::cpu
