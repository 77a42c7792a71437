// Several processors: INIT and STARTUP, IPIs to every kind of destination, NMI, x2APIC. One transcript in a
// fixed order: the boot processor prints, the others answer through memory. Run it with 4 processors.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

constexpr u32 most = 8;

extern "C" {
volatile u32 started;            // application processors that have arrived
volatile u32 identifiers[most];  // their APIC identifiers, by arrival
volatile u32 start_codes[most];  // CS of each at its first instruction
alignas(16) u8 application_stacks[most][4096];
void application_processor(u32 number);
extern u8 trampoline[], trampoline_end[];
}

// Real mode, at 8000h or wherever the STARTUP vector says: to protected mode, and then the way of the boot
// processor.
asm(R"(
    .code16
    .balign 16
trampoline:
    cli
    movw %cs, %bx
    movw %bx, %ds
    addr32 lgdtl trampoline_table - trampoline
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $application_start
    .balign 4
trampoline_table:
    .word 0x1ff
    .long gdt
trampoline_end:
    .code32
application_start:
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movzwl %bx, %ebx
    movl $1, %esi
    lock xaddl %esi, started
    movl %ebx, start_codes(, %esi, 4)
    movl %esi, %esp
    incl %esp
    shll $12, %esp
    addl $application_stacks, %esp
    call enter_mode
    .code64
    movl %esi, %edi
    call application_processor
    .text
)");

namespace {
constexpr u32 fixed_vector = 0x51, other_vector = 0x52;
volatile u32* const apic = reinterpret_cast<volatile u32*>(0xfee00000);
volatile u32 fixed_seen[most], other_seen[most], nmi_seen[most];  // by APIC identifier
volatile u32 ready;
volatile u32 order;  // what the application processors are to do next
volatile u32 done;
volatile u32 lock_word, guarded_count;
volatile u64 x2apic_identifier[most];
struct [[gnu::packed]] {
    u16 limit;
    uptr base;
} interrupt_table;
u32 processors;
volatile bool in_x2apic;

void pause() {
    asm volatile("pause");
}
u32 own_identifier() {
    return in_x2apic ? static_cast<u32>(read_msr(0x802)) : apic[0x20 / 4] >> 24;
}
void end_of_interrupt() {
    if (in_x2apic) {
        write_msr(0x80b, 0);
    } else {
        apic[0xb0 / 4] = 0;
    }
}
void count(volatile u32* seen) {
    asm volatile("lock incl %0" : "+m"(const_cast<u32&>(seen[own_identifier() % most])));
}
void add_one(volatile u32& to) {
    asm volatile("lock incl %0" : "+m"(const_cast<u32&>(to)));
}

void send(u32 destination, u32 command) {
    if (in_x2apic) {
        write_msr(0x830, u64{destination} << 32 | command);
        return;
    }
    apic[0x310 / 4] = destination << 24;
    apic[0x300 / 4] = command;
    while ((apic[0x300 / 4] & 0x1000) != 0) {
        pause();
    }
}

void enable_apic() {
    apic[0xf0 / 4] = 0x1ff;
    apic[0xe0 / 4] = 0xffffffff;                            // flat model
    apic[0xd0 / 4] = 1U << (24 + own_identifier() % most);  // logical identifier
    apic[0x80 / 4] = 0;
}

// Waits until the processors have seen `wanted` in all; then says which, in the order of their identifiers.
void report(const char* what, volatile u32* seen, u32 wanted) {
    u32 total = 0;
    for (u32 turn = 0; turn < 100000000 && total < wanted; ++turn) {
        total = 0;
        for (u32 i = 0; i < most; ++i) {
            total += seen[i];
        }
        pause();
    }
    for (u32 turn = 0; turn < 2000; ++turn) {  // one that comes too often would come now
        pause();
    }
    print(what, ":");
    for (u32 i = 0; i < processors; ++i) {
        print(" ", seen[i]);
        seen[i] = 0;
    }
    print("\n");
}

void order_all(u32 what) {
    done = 0;
    order = what;
    while (done != processors - 1) {
        pause();
    }
    order = 0;
    while (done != 0) {
        pause();
    }
}

void wait_for_all(volatile u32& counter, u32 wanted) {
    while (counter != wanted) {
        pause();
    }
}

void start_others() {
    processors = static_cast<u32>(argument("cpus", 4));
    const u32 length = static_cast<u32>(trampoline_end - trampoline);
    __builtin_memcpy(reinterpret_cast<void*>(0x8000), trampoline, length);
    for (u32 i = 1; i < processors; ++i) {
        send(i, 0x4500);  // INIT
        send(i, 0x4608);  // STARTUP at 8000h
        wait_for_all(ready, i);
    }
    print("application processors: ", u32{started}, ", first CS");
    for (u32 i = 0; i < processors - 1; ++i) {
        print(" ", Hex{start_codes[i]});
    }
    print(", APIC identifiers");
    for (u32 i = 0; i < processors - 1; ++i) {
        print(" ", u32{identifiers[i]});
    }
    print("\n");
}

void destinations() {
    send(1, 0x4000 | fixed_vector);
    report("fixed to 1", fixed_seen, 1);
    send(0, 0x4000 | fixed_vector);
    report("fixed to itself by number", fixed_seen, 1);
    send(0, 0x44000 | fixed_vector);
    report("self", fixed_seen, 1);
    send(0, 0x84000 | fixed_vector);
    report("all with self", fixed_seen, processors);
    send(0, 0xc4000 | fixed_vector);
    report("all but self", fixed_seen, processors - 1);
    send(0xff, 0x4000 | fixed_vector);
    report("physical broadcast", fixed_seen, processors);
    send(0x06, 0x4800 | fixed_vector);
    report("logical 1 and 2", fixed_seen, 2);
    send(0x09, 0x4800 | other_vector);
    report("logical 0 and 3", other_seen, 2);
    send(0x02, 0x4900 | fixed_vector);
    report("lowest priority among 1", fixed_seen, 1);
    send(2, 0x4400);
    report("NMI to 2", nmi_seen, 1);
    send(0, 0xc4400);
    report("NMI to all but self", nmi_seen, processors - 1);
}

void counting() {
    order_all(1);
    print("counted under a lock: ", u32{guarded_count}, "\n");
}

void restart() {
    const u32 before = ready;
    send(1, 0x4500);
    send(1, 0x4608);
    send(1, 0x4608);  // the second is ignored: the processor does not wait any more
    wait_for_all(ready, before + 1);
    print("INIT and STARTUP again: APIC identifier ", u32{identifiers[before]}, "\n");
    send(1, 0x4000 | fixed_vector);
    report("fixed to 1 after INIT", fixed_seen, 1);
}

void x2apic() {
    if ((cpuid(1).ecx & 1U << 21) == 0) {
        return;
    }
    order_all(2);
    write_msr(0x1b, read_msr(0x1b) | 0x400);
    in_x2apic = true;
    print("x2APIC: base ",
          Hex{read_msr(0x1b)},
          " id ",
          Hex{read_msr(0x802)},
          " logical ",
          Hex{read_msr(0x80d)},
          "\n");
    print("others:");
    for (u32 i = 1; i < processors; ++i) {
        print(" ", Hex{x2apic_identifier[i]});
    }
    print("\n");
    send(1, 0x4000 | fixed_vector);
    report("fixed to 1", fixed_seen, 1);
    send(0xffffffff, 0x4000 | fixed_vector);
    report("broadcast", fixed_seen, processors);
    send(0x6, 0x4800 | fixed_vector);
    report("logical, cluster 0, 1 and 2", fixed_seen, 2);
    send(0, 0xc4000 | fixed_vector);
    report("all but self", fixed_seen, processors - 1);
    write_msr(0x83f, fixed_vector);
    report("SELF IPI", fixed_seen, 1);
    const Trap trap = run_kernel([] { write_msr(0x1b, (read_msr(0x1b) & ~u64{0xc00}) | 0x800); });
    print("x2APIC to xAPIC: vector ", trap.vector, "\n");
}
}  // namespace

extern "C" [[gnu::used]] void application_processor(u32 number) {
    asm volatile("lidt %0" : : "m"(interrupt_table));
    bool own_x2apic = false;
    enable_apic();
    identifiers[number] = own_identifier();
    const u32 identifier = own_identifier();
    add_one(ready);
    asm volatile("sti");
    for (;;) {
        while (order == 0) {
            pause();
        }
        if (order == 1) {
            for (int i = 0; i < 1000; ++i) {
                while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) != 0) {
                    pause();
                }
                guarded_count = guarded_count + 1;
                __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
            }
        } else if (order == 2 && !own_x2apic) {
            asm volatile("cli");
            write_msr(0x1b, read_msr(0x1b) | 0x400);
            x2apic_identifier[identifier % most] = read_msr(0x802) | read_msr(0x80d) << 32;
            own_x2apic = true;
        }
        add_one(done);
        while (order != 0) {
            pause();
        }
        asm volatile("lock decl %0" : "+m"(const_cast<u32&>(done)));
        if (own_x2apic) {
            while (!in_x2apic) {
                pause();
            }
            asm volatile("sti");
        }
    }
}

void guest_main() {
    asm volatile("sidt %0" : "=m"(interrupt_table));
    set_handler(2, [](Frame&) { count(nmi_seen); });
    set_handler(fixed_vector, [](Frame&) {
        count(fixed_seen);
        end_of_interrupt();
    });
    set_handler(other_vector, [](Frame&) {
        count(other_seen);
        end_of_interrupt();
    });
    enable_apic();
    start_others();
    asm volatile("sti");
    counting();
    destinations();
    restart();
    x2apic();
    print("smp: ok\n");
    exit(0);
}
