// Interrupts: INT n, IPIs to itself, the local APIC timer while the processor is busy, and the PIT while it
// waits in HLT. Nothing that is counted depends on how fast time passes.
#include "bench/guests/work.hpp"

namespace {
using guest::out8;
constexpr u32 pit_vector = 0x20, timer_vector = 0x40, ipi_vector = 0x41, software_vector = 0x42;
constexpr u32 spurious_vector = 0xff;
volatile u32* const apic = reinterpret_cast<volatile u32*>(0xfee00000);
volatile u64 pit_ticks, timer_ticks, ipis, software;

void end_of_interrupt() {
    apic[0xb0 / 4] = 0;
}

void start_controllers() {
    out8(0x20, 0x11);  // ICW1 to ICW4: vectors 20h and 28h
    out8(0xa0, 0x11);
    out8(0x21, 0x20);
    out8(0xa1, 0x28);
    out8(0x21, 4);
    out8(0xa1, 2);
    out8(0x21, 1);
    out8(0xa1, 1);
    out8(0x21, 0xfe);  // line 0 only
    out8(0xa1, 0xff);
    apic[0xf0 / 4] = 0x100 | spurious_vector;
    apic[0x350 / 4] = 0x700;  // LINT0: ExtINT
    apic[0x3e0 / 4] = 0xb;    // divide by 1
    guest::set_handler(pit_vector, [](guest::Frame&) {
        pit_ticks = pit_ticks + 1;
        out8(0x20, 0x20);
    });
    guest::set_handler(timer_vector, [](guest::Frame&) {
        timer_ticks = timer_ticks + 1;
        end_of_interrupt();
    });
    guest::set_handler(ipi_vector, [](guest::Frame&) {
        ipis = ipis + 1;
        end_of_interrupt();
    });
    guest::set_handler(software_vector, [](guest::Frame&) { software = software + 1; });
}

u64 work() {
    pit_ticks = 0;
    timer_ticks = 0;
    ipis = 0;
    software = 0;
    asm volatile("sti");
    for (int i = 0; i < 500; ++i) {
        asm volatile("int $0x42");
    }
    for (u64 i = 1; i <= 500; ++i) {
        apic[0x300 / 4] = 0x40000 | ipi_vector;  // self, fixed
        while (ipis != i) {
        }
    }
    apic[0x320 / 4] = 0x20000 | timer_vector;  // periodic
    apic[0x380 / 4] = 20000;
    while (timer_ticks < 50) {
    }
    apic[0x320 / 4] = 0x10000;
    out8(0x43, 0x34);  // channel 0, mode 2
    out8(0x40, static_cast<u8>(1193 & 0xff));
    out8(0x40, 1193 >> 8);
    for (;;) {
        asm volatile("cli");
        if (pit_ticks >= 5) {
            break;
        }
        asm volatile("sti; hlt");
    }
    out8(0x43, 0x30);  // stopped: mode 0 without a count
    const u64 fifty = timer_ticks >= 50 ? 50 : 0;
    const u64 five = pit_ticks >= 5 ? 5 : 0;
    return mix(mix(mix(mix(0, software), ipis), fifty), five);
}
}  // namespace

void guest_main() {
    start_controllers();
    repeat("interrupts", expected::interrupts, work);
}
