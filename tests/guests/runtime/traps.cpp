#include "tests/guests/runtime/guest.hpp"

extern "C" {
extern const char trap_entries[];
void guest_guarded(void (*code)());
void guest_guarded_user(void (*code)(), uptr flags, uptr stack);
void guest_user_end();
[[noreturn]] void guest_leave();
extern u16 gdt_pointer;
}

namespace guest {
void start_serial();

namespace {
struct [[gnu::packed]] TablePointer {
    u16 limit;
    uptr base;
};
#ifdef GUEST64
constexpr u32 gate_words = 4;
#else
constexpr u32 gate_words = 2;
#endif
constexpr u32 interrupt_gate = 0x8e;
constexpr u32 user_interrupt_gate = 0xee;
constexpr u32 user_end_vector = 0x30;
constexpr uptr resume_flag = 1U << 16;

alignas(16) u32 idt[256 * gate_words];
Handler handlers[256];
alignas(16) u8 user_stack[8192];
alignas(16) u8 trap_stack[8192];
bool guarding;
Trap last;

uptr read_dr6() {
    uptr v;
    asm volatile("mov %%dr6, %0" : "=r"(v));
    return v;
}
}  // namespace

alignas(16) u32 task_state_words[32];

void set_gate(u32 vector, void (*entry)(), u32 type_and_dpl, u16 selector, u32 ist) {
    const uptr address = reinterpret_cast<uptr>(entry);
    u32* words = idt + vector * gate_words;
    words[0] = (address & 0xffff) | static_cast<u32>(selector) << 16;
    words[1] = static_cast<u32>(address & 0xffff0000) | type_and_dpl << 8 | ist;
#ifdef GUEST64
    words[2] = static_cast<u32>(address >> 32);
    words[3] = 0;
#endif
}

void default_gate(u32 vector, u32 ist) {
    const bool user = vector == 3 || vector == 4 || vector == user_end_vector;
    set_gate(vector,
             reinterpret_cast<void (*)()>(reinterpret_cast<uptr>(trap_entries) + vector * 16),
             user ? user_interrupt_gate : interrupt_gate,
             kernel_code,
             ist);
}

void set_gate_type(u32 vector, u32 type_and_dpl) {
    u32& word = idt[vector * gate_words + 1];
    word = (word & ~0xff00U) | type_and_dpl << 8;
}

void set_handler(u32 vector, Handler handler) {
    handlers[vector] = handler;
}

void set_ist(u32 index, uptr top) {
    task_state_words[7 + index * 2] = static_cast<u32>(top);
    task_state_words[8 + index * 2] = 0;
}

static void start_traps() {
    for (u32 vector = 0; vector < 256; ++vector) {
        default_gate(vector);
    }
    const TablePointer pointer{sizeof(idt) - 1, reinterpret_cast<uptr>(idt)};
    asm volatile("lidt %0" : : "m"(pointer));
    const uptr top = reinterpret_cast<uptr>(trap_stack) + sizeof(trap_stack);
    task_state_words[1] = static_cast<u32>(top);  // ESP0, and the low half of RSP0
#ifndef GUEST64
    task_state_words[2] = kernel_data;
#endif
    task_state_words[25] = 104U << 16;  // no I/O permission map
    const u64 base = reinterpret_cast<uptr>(task_state_words);
    gdt[task_state / 8] =
        103 | (base & 0xffffff) << 16 | static_cast<u64>(0x89) << 40 | (base >> 24 & 0xff) << 56;
    gdt[task_state / 8 + 1] = base >> 32;
    asm volatile("ltr %w0" : : "r"(static_cast<u32>(task_state)));
}

static Trap ended() {
    guarding = false;
    Trap result = last;
    last = Trap{};
    return result;
}

Trap run_kernel(void (*code)()) {
    last = Trap{};
    guarding = true;
    guest_guarded(code);
    return ended();
}

Trap run_user(void (*code)(), uptr flags) {
    last = Trap{};
    guarding = true;
    uptr* stack = reinterpret_cast<uptr*>(user_stack + sizeof(user_stack)) - 2;
    *stack = reinterpret_cast<uptr>(&guest_user_end);
    guest_guarded_user(code, flags | 2, reinterpret_cast<uptr>(stack));
    return ended();
}

static const char* const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "fpu",
                                    "#TS", "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};

void print_trap(const Trap& trap, void (*base)()) {
    if (trap.vector == no_trap) {
        print("none");
        return;
    }
    if (trap.vector < sizeof(names) / sizeof(names[0])) {
        print(names[trap.vector]);
    } else {
        print("vector ", trap.vector);
    }
    const uptr offset = trap.frame.ip - reinterpret_cast<uptr>(base);
    print(" error ", Hex{trap.frame.error});
    if (offset < 0x1000) {
        print(" ip +", Hex{offset});
    } else {
        print(" ip ", Hex{trap.frame.ip});
    }
    print(" cs ", Hex{trap.frame.cs}, " flags ", Hex{trap.frame.flags & ~resume_flag});
    if (trap.vector == 14) {
        print(" cr2 ", Hex{trap.cr2});
    }
}

extern "C" void guest_trap(Frame& frame) {
    if (frame.vector < 256 && handlers[frame.vector] != nullptr) {
        handlers[frame.vector](frame);
        return;
    }
    Trap trap{static_cast<u32>(frame.vector), frame, read_cr2(), read_dr6()};
    if (guarding && frame.vector == user_end_vector) {
        guest_leave();
    }
    if (!guarding) {
        print("unexpected trap: ");
        print_trap(trap, nullptr);
        print("\n");
        exit(1);
    }
    last = trap;
    guest_leave();
}

extern "C" void guest_start() {
    start_serial();
    out8(0x21, 0xff);  // a BIOS leaves the timer's line on, at the vector of #DF
    out8(0xa1, 0xff);
    start_traps();
    guest_main();
    exit(0);
}

// g++ may call these for copies and clears, libc or not.
extern "C" void* memcpy(void* to, const void* from, uptr size) {
    void* const result = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return result;
}
extern "C" void* memset(void* to, int value, uptr size) {
    void* const result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return result;
}
}  // namespace guest
