#pragma once
// What a guest program has: a serial line, the way out, the loader's command line, traps.
// Every function works in 32-bit and in 64-bit guests, at CPL 0.

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using uptr = unsigned long;  // a register's width

namespace guest {

// The selectors of runtime/boot.S.
enum Selector : u16 {
    kernel_code32 = 0x08,
    kernel_code64 = 0x10,
    kernel_data = 0x18,
    user_code32 = 0x23,
    user_data = 0x2b,
    user_code64 = 0x33,
    task_state = 0x38,
    first_free = 0x48,
};
#ifdef GUEST64
constexpr u16 kernel_code = kernel_code64;
constexpr u16 user_code = user_code64;
#else
constexpr u16 kernel_code = kernel_code32;
constexpr u16 user_code = user_code32;
#endif

inline void out8(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
inline void out16(u16 port, u16 value) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
inline void out32(u16 port, u32 value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u32 in32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u64 read_msr(u32 index) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return low | static_cast<u64>(high) << 32;
}
inline void write_msr(u32 index, u64 value) {
    asm volatile("wrmsr"
                 :
                 : "c"(index), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
                 : "memory");
}
struct Cpuid {
    u32 eax, ebx, ecx, edx;
};
inline Cpuid cpuid(u32 leaf, u32 subleaf = 0) {
    Cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}
inline uptr read_cr0() {
    uptr v;
    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
inline void write_cr0(uptr v) {
    asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
inline uptr read_cr2() {
    uptr v;
    asm volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
inline uptr read_cr3() {
    uptr v;
    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}
inline void write_cr3(uptr v) {
    asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}
inline uptr read_cr4() {
    uptr v;
    asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
inline void write_cr4(uptr v) {
    asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}
inline void invlpg(uptr address) {
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

// --- console.cpp
// print: text and numbers one after another; a Hex is printed as 0x and its digits, without leading zeros.
struct Hex {
    u64 value;
};
void put(char c);
void put(const char* text);
void put(Hex number);
void put(u64 number);
inline void put(u32 number) {
    put(static_cast<u64>(number));
}
inline void put(int number) {
    put(static_cast<u64>(static_cast<u32>(number)));
}
template <typename... Parts>
void print(Parts... parts) {
    (put(parts), ...);
}

// Ends the run: debug exit with `code`; where no such port is (Bochs), the bytes "Shutdown" to port 0x8900.
[[noreturn]] void exit(u32 code);

// The number behind `name=` on the loader's command line; `otherwise` if it is not there.
u64 argument(const char* name, u64 otherwise);

// "name: ok CHECKSUM" and exit 0 if found is expected; otherwise "name: FAIL ..." and exit 1.
[[noreturn]] void finish(const char* name, u64 found, u64 expected);

// --- traps.cpp
// What the processor pushed, and the general registers, in the order of runtime/traps.S.
struct Frame {
#ifdef GUEST64
    uptr r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
#else
    uptr gs, fs, es, ds, di, si, bp, unused, bx, dx, cx, ax;
#endif
    uptr vector, error, ip, cs, flags, sp, ss;  // 32 bits: sp and ss only if the trap came from CPL 3
};
constexpr u32 no_trap = 0xffff;
struct Trap {
    u32 vector = no_trap;
    Frame frame{};
    uptr cr2 = 0, dr6 = 0;
};
using Handler = void (*)(Frame&);

void set_handler(u32 vector, Handler handler);  // the handler returns to the interrupted code
void set_gate(
    u32 vector, void (*entry)(), u32 type_and_dpl, u16 selector, u32 ist);  // an IDT entry, as given
void default_gate(u32 vector, u32 ist = 0);  // as after the start; 64-bit guests: with an IST number

void set_gate_type(u32 vector, u32 type_and_dpl);

// Runs code at CPL 0 until it returns or traps; the state that it left is in the result.
Trap run_kernel(void (*code)());
// The same at CPL 3 on a stack of its own; `flags` beside bit 1. The code returns to end.
Trap run_user(void (*code)(), uptr flags = 0);

// Task state: the stack that CPL 3 code traps to; in 64-bit guests IST 1..7 as well.
extern u32 task_state_words[];
void set_ist(u32 index, uptr top);

// "name error ip cs flags", and CR2 of a page fault; ip is printed relative to `base` if it is within 4 KiB
// after it. RF is left out: QEMU does not set it in what a fault saves.
void print_trap(const Trap& trap, void (*base)());
}  // namespace guest

extern "C" {
void guest_main();
extern u64 gdt[];
extern char guest_end[];
}

// The letter of a full-width register in a snippet: "%" WIDE "ax".
#ifdef GUEST64
#define WIDE "r"
#else
#define WIDE "e"
#endif

// SNIPPET(name, "assembly"): a function whose bytes do not depend on the compiler.
#define SNIPPET(name, body)                                                  \
    asm(".text\n.balign 16\n.globl " #name "\n" #name ":\n" body "\nret\n"); \
    extern "C" void name();
