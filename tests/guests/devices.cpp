// The small PC's devices: PIC priorities and masks, PIT modes and read-back, local APIC timer and priorities,
// I/O APIC edge, CMOS. What is printed does not depend on how fast time passes.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

namespace {
constexpr u16 pic = 0x20, pic_mask = 0x21, slave = 0xa0, slave_mask = 0xa1;
constexpr u32 pic_vector = 0x20, apic_vector = 0x60, low_vector = 0x45, high_vector = 0x75;
volatile u32* const apic = reinterpret_cast<volatile u32*>(0xfee00000);
volatile u32* const ioapic = reinterpret_cast<volatile u32*>(0xfec00000);
volatile u32 seen[256];
volatile u32 log_length;
volatile u32 log_entries[16];

u32 taken(u32 vector) {
    const u32 count = seen[vector];
    seen[vector] = 0;
    return count;
}
void note(u32 vector) {
    seen[vector] = seen[vector] + 1;
    if (log_length < 16) {
        log_entries[log_length] = vector;
        log_length = log_length + 1;
    }
}
void print_log(const char* what) {
    print(what, ":");
    for (u32 i = 0; i < log_length; ++i) {
        print(" ", Hex{log_entries[i]});
    }
    print("\n");
    log_length = 0;
}

void start_pics(u8 icw4) {
    out8(pic, 0x11);
    out8(slave, 0x11);
    out8(pic_mask, pic_vector);
    out8(slave_mask, pic_vector + 8);
    out8(pic_mask, 4);
    out8(slave_mask, 2);
    out8(pic_mask, icw4);
    out8(slave_mask, icw4);
    out8(pic_mask, 0xff);
    out8(slave_mask, 0xff);
}
u8 requests() {
    out8(pic, 0x0a);
    return in8(pic);
}
u8 in_service() {
    out8(pic, 0x0b);
    return in8(pic);
}
void program_pit(u8 command, u32 count) {
    out8(0x43, command);
    out8(0x40, static_cast<u8>(count & 0xff));
    out8(0x40, static_cast<u8>(count >> 8));
}

void interrupt_controller() {
    apic[0xf0 / 4] = 0x1ff;
    apic[0x350 / 4] = 0x700;  // LINT0 is ExtINT
    start_pics(1);
    print("PIC masks ", Hex{in8(pic_mask)}, " ", Hex{in8(slave_mask)}, "\n");
    program_pit(0x30, 20);  // mode 0: the line rises once
    while ((requests() & 1) == 0) {
    }
    print("masked request ", Hex{static_cast<u32>(requests() & 1)}, ", in service ", Hex{in_service()}, "\n");
    set_handler(pic_vector, [](Frame&) {
        note(pic_vector);
        print("  in the handler: in service ", Hex{in_service()}, "\n");
        out8(pic, 0x20);
    });
    out8(pic_mask, 0xfe);
    asm volatile("sti; nop; nop; cli");
    print("interrupts ", taken(pic_vector), ", in service after EOI ", Hex{in_service()}, "\n");
    asm volatile("sti; nop; nop; cli");
    print("edge: a second one ", taken(pic_vector), "\n");
    start_pics(3);  // automatic end of interrupt
    out8(pic_mask, 0xfe);
    set_handler(pic_vector, [](Frame&) {
        note(pic_vector);
        print("  automatic EOI: in service ", Hex{in_service()}, "\n");
    });
    program_pit(0x30, 20);
    while (seen[pic_vector] == 0) {
        asm volatile("sti; nop; cli");
    }
    print("interrupts ", taken(pic_vector), "\n");
    start_pics(1);
    log_length = 0;
}

u32 pit_count() {
    out8(0x43, 0x00);  // latch
    const u32 low = in8(0x40);
    return low | static_cast<u32>(in8(0x40)) << 8;
}
u8 pit_status() {
    out8(0x43, 0xe2);  // read back: status of channel 0
    return in8(0x40);
}

void interval_timer() {
    program_pit(0x30, 0x4000);
    const u32 first = pit_count();
    u32 second = first;
    while (second == first) {
        second = pit_count();
    }
    print("PIT counts down ",
          second < first ? "yes" : "no",
          ", status ",
          Hex{static_cast<u32>(pit_status() & 0xbf)});
    while ((pit_status() & 0x80) == 0) {
    }
    print(", at the end ", Hex{static_cast<u32>(pit_status() & 0xbf)}, "\n");
    out8(0x43, 0x10);  // low byte only: until a byte comes there is no count
    print("PIT without a count: null count ", Hex{static_cast<u32>(pit_status() & 0x40)});
    out8(0x40, 0xff);
    print(", status ", Hex{static_cast<u32>(pit_status() & 0x3f)}, "\n");
    program_pit(0x34, 0x1000);
    u32 highest = 0;
    for (u32 i = 0; i < 1000; ++i) {
        const u32 now = pit_count();
        highest = now > highest ? now : highest;
    }
    print("PIT mode 2 never beyond its count: ", highest <= 0x1000 && highest != 0 ? "yes" : "no", "\n");
    // Channel 2 through port 61h: the gate starts it, bit 5 is its output.
    out8(0x61, 0);
    out8(0x43, 0xb0);
    out8(0x42, 100);
    out8(0x42, 0);
    const u32 held = in8(0x61) & 0x20U;
    out8(0x61, 1);
    while ((in8(0x61) & 0x20) == 0) {
    }
    print("channel 2: held ", Hex{held}, ", then ", Hex{in8(0x61) & 0x20U}, "\n");
    out8(0x43, 0x30);
}

void start_apic() {
    apic[0xf0 / 4] = 0x1ff;
    apic[0x80 / 4] = 0;
    apic[0x350 / 4] = 0x10000;
    for (u32 vector = 0x40; vector < 0x80; ++vector) {
        set_handler(vector, [](Frame& frame) {
            note(static_cast<u32>(frame.vector));
            apic[0xb0 / 4] = 0;
        });
    }
}
void send_self(u32 vector) {
    apic[0x310 / 4] = 0;
    apic[0x300 / 4] = 0x44000 | vector;
}
u32 vector_bit(u32 base, u32 vector) {
    return apic[(base + vector / 32 * 16) / 4] >> (vector % 32) & 1;
}

void priorities() {
    print("APIC version ",
          Hex{apic[0x30 / 4] & 0xf0},
          " TPR ",
          Hex{apic[0x80 / 4]},
          " PPR ",
          Hex{apic[0xa0 / 4]},
          "\n");
    send_self(low_vector);
    send_self(high_vector);
    send_self(apic_vector);
    send_self(apic_vector);
    print("IRR ",
          vector_bit(0x200, low_vector),
          vector_bit(0x200, apic_vector),
          vector_bit(0x200, high_vector),
          "\n");
    asm volatile("sti; nop; nop; nop; nop; cli");
    print_log("highest first, and one of two alike");
    apic[0x80 / 4] = 0x60;
    send_self(low_vector);
    send_self(apic_vector);
    send_self(high_vector);
    asm volatile("sti; nop; nop; nop; nop; cli");
    print_log("TPR 60h");
    print("IRR ",
          vector_bit(0x200, low_vector),
          vector_bit(0x200, apic_vector),
          vector_bit(0x200, high_vector),
          "\n");
    asm volatile("mov %0, %%cr8; sti; nop; nop; nop; nop; cli" : : "r"(u64{5}));
    print_log("CR8 5");
    asm volatile("mov %0, %%cr8; sti; nop; nop; nop; nop; cli" : : "r"(u64{0}));
    print_log("CR8 0");
    set_handler(high_vector, [](Frame&) {
        note(high_vector);
        print("  ISR ", vector_bit(0x100, high_vector), " PPR ", Hex{apic[0xa0 / 4]}, "\n");
        send_self(low_vector);
        asm volatile("sti; nop; nop; cli");  // lower: has to wait
        log_entries[log_length] = 0xee;
        log_length = log_length + 1;
        apic[0xb0 / 4] = 0;
    });
    send_self(high_vector);
    asm volatile("sti; nop; nop; nop; nop; cli");
    print_log("nested");
}

void apic_timer() {
    taken(apic_vector);
    apic[0x3e0 / 4] = 0xb;
    apic[0x320 / 4] = apic_vector;  // one-shot
    apic[0x380 / 4] = 10000;
    while (seen[apic_vector] == 0) {
        asm volatile("sti; nop; cli");
    }
    print("one-shot: ", taken(apic_vector), ", count after it ", u32{apic[0x390 / 4]}, "\n");
    apic[0x320 / 4] = 0x10000 | apic_vector;
    apic[0x380 / 4] = 100;
    while (apic[0x390 / 4] != 0) {
    }
    asm volatile("sti; nop; nop; cli");
    print("masked: ", taken(apic_vector), "\n");
    apic[0x320 / 4] = 0x20000 | apic_vector;
    apic[0x380 / 4] = 10000;
    while (seen[apic_vector] < 3) {
        asm volatile("sti; hlt; cli");
    }
    apic[0x380 / 4] = 0;
    print("periodic: three, stopped by 0: count ", u32{apic[0x390 / 4]}, "\n");
    asm volatile("sti; nop; nop; cli");
    taken(apic_vector);
    if ((cpuid(1).ecx & 1U << 24) != 0) {
        apic[0x320 / 4] = 0x40000 | apic_vector;
        asm volatile("mfence" : : : "memory");
        u32 low, high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        write_msr(0x6e0, (u64{high} << 32 | low) + 100000);
        while (seen[apic_vector] == 0) {
            asm volatile("sti; nop; cli");
        }
        print("TSC deadline: ", taken(apic_vector), "\n");
    }
    log_length = 0;
}

u32 read_ioapic(u32 index) {
    ioapic[0] = index;
    return ioapic[4];
}
void write_ioapic(u32 index, u32 value) {
    ioapic[0] = index;
    ioapic[4] = value;
}

void io_apic() {
    print("I/O APIC lines ", (read_ioapic(1) >> 16 & 0xff) + 1, "\n");
    write_ioapic(0x10 + 2 * 2, 0x10000 | apic_vector);  // the PIT is on line 2
    write_ioapic(0x11 + 2 * 2, 0);
    program_pit(0x30, 20);
    while ((pit_status() & 0x80) == 0) {
    }
    asm volatile("sti; nop; nop; cli");
    print("masked line: ", taken(apic_vector));
    write_ioapic(0x10 + 2 * 2, apic_vector);
    print(", entry ", Hex{read_ioapic(0x10 + 2 * 2)});
    program_pit(0x30, 20);
    for (u32 i = 0; i < 10000000 && seen[apic_vector] == 0; ++i) {
        asm volatile("sti; nop; cli");
    }
    print(", open line: ", taken(apic_vector), "\n");
    write_ioapic(0x10 + 2 * 2, 0x10000);
    log_length = 0;
}

u8 cmos(u8 index) {
    out8(0x70, index);
    return in8(0x71);
}

void cmos_memory() {
    // 17h and 18h: KiB above 1 MiB, up to 63 MiB; 34h and 35h: 64 KiB units above 16 MiB. The machine has 128
    // MiB.
    const u32 extended = cmos(0x17) | static_cast<u32>(cmos(0x18)) << 8;
    const u32 above = cmos(0x34) | static_cast<u32>(cmos(0x35)) << 8;
    print("CMOS: extended at least 15 MiB ",
          extended >= 15 * 1024 ? "yes" : "no",
          ", above 16 MiB ",
          above,
          " x 64 KiB\n");
    print("RTC: valid ",
          Hex{static_cast<u32>(cmos(0x0d) & 0x80)},
          ", status B 24 hours ",
          Hex{static_cast<u32>(cmos(0x0b) & 0x02)},
          "\n");
    const u8 before = cmos(0x40);
    out8(0x70, 0x40);
    out8(0x71, 0x5a);
    print("a free byte keeps ", Hex{cmos(0x40)}, "\n");
    out8(0x70, 0x40);
    out8(0x71, before);
}

void serial_port() {
    out8(0x3f8 + 7, 0xa5);
    print("16550: scratch ", Hex{in8(0x3f8 + 7)}, ", LCR ", Hex{in8(0x3f8 + 3)}, "\n");
}
}  // namespace

void guest_main() {
    serial_port();
    interrupt_controller();
    interval_timer();
    start_apic();
    priorities();
    apic_timer();
    io_apic();
    cmos_memory();
    print("devices: ok\n");
    exit(0);
}
