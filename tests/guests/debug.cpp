// Debug exceptions: single steps, breakpoints on code, data and I/O, DR6 and DR7, general detect, RF, ICEBP,
// the MOV SS shadow. Built for 32 and for 64 bits. Each #DB is logged with where, DR6 and RF; the handler
// goes on.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

// TF is set by the POPF; the first trap comes after the instruction behind it.
#define STEP   "pushf; orl $0x100, (%" WIDE "sp); popf\n"
#define UNSTEP "pushf; andl $~0x100, (%" WIDE "sp); popf\n"

SNIPPET(step_plain, STEP "nop; xor %ecx, %ecx; inc %ecx\n" UNSTEP)
SNIPPET(step_string, STEP "mov $3, %ecx; mov $buffer, %edi; rep stosb; nop\n" UNSTEP)
SNIPPET(step_shadow, "mov %ss, %edx\n" STEP "mov %edx, %ss; nop; nop\n" UNSTEP)
SNIPPET(step_sti, STEP "sti; cli; nop\n" UNSTEP)
SNIPPET(step_software_interrupt, STEP "int $0x50; nop\n" UNSTEP)
SNIPPET(step_fault, STEP "nop; ud2\n" UNSTEP)
SNIPPET(step_branch, STEP "jmp 1f; nop; 1: nop\n" UNSTEP)
SNIPPET(step_cpuid, STEP "push %" WIDE "bx; xor %eax, %eax; cpuid; pop %" WIDE "bx\n" UNSTEP)
SNIPPET(step_in, STEP "in $0x80, %al; nop\n" UNSTEP)
SNIPPET(icebp, "nop; .byte 0xf1; nop")
SNIPPET(icebp_step, STEP ".byte 0xf1; nop\n" UNSTEP)
SNIPPET(int_1, "nop; int $1; nop")
SNIPPET(on_code, "nop; nop; nop; nop")
SNIPPET(on_code_shadow, "mov %ss, %edx; mov %edx, %ss; nop; nop")
SNIPPET(on_code_rep, "mov $3, %ecx; mov $buffer, %edi; rep stosb; nop")
SNIPPET(on_data, "mov $1, %eax; mov $buffer, %ecx; mov %al, (%" WIDE "cx); mov (%" WIDE "cx), %al; nop")
SNIPPET(on_data_wide,
        "mov $buffer, %ecx; mov 2(%" WIDE "cx), %eax; mov 4(%" WIDE "cx), %eax; mov -2(%" WIDE
        "cx), %eax; nop")
SNIPPET(on_data_shadow, "mov $shadow_word, %ecx; mov %ss, (%" WIDE "cx); mov (%" WIDE "cx), %ss; nop; nop")
SNIPPET(on_data_string, "cld; mov $4, %ecx; mov $buffer, %edi; rep stosb; nop")
SNIPPET(on_data_and_step, STEP "mov $buffer, %ecx; mov %al, (%" WIDE "cx); nop\n" UNSTEP)
SNIPPET(on_io, "in $0x80, %al; out %al, $0x80; in $0x84, %al; nop")
SNIPPET(detect, "nop; .byte 0x0f, 0x21, 0xc0; nop")                        // MOV EAX, DR0
SNIPPET(detect_write, "nop; xor %eax, %eax; .byte 0x0f, 0x23, 0xc0; nop")  // MOV DR0, EAX

asm(".bss; .balign 16; .skip 16; .globl buffer, shadow_word; buffer: .skip 32; shadow_word: .skip 16; .text");
extern "C" u8 buffer[32];

namespace {
constexpr uptr resume_flag = 0x10000;
uptr base;

uptr read_dr6() {
    uptr v;
    asm volatile("mov %%dr6, %0" : "=r"(v));
    return v;
}
uptr read_dr7() {
    uptr v;
    asm volatile("mov %%dr7, %0" : "=r"(v));
    return v;
}
void write_dr6(uptr v) {
    asm volatile("mov %0, %%dr6" : : "r"(v));
}
void write_dr7(uptr v) {
    asm volatile("mov %0, %%dr7" : : "r"(v));
}
void write_dr0(uptr v) {
    asm volatile("mov %0, %%dr0" : : "r"(v));
}
void write_dr1(uptr v) {
    asm volatile("mov %0, %%dr1" : : "r"(v));
}

/// RF of the saved flags is not shown in traps between the iterations of a string instruction and in general
/// detect: the manual has it 1 there (SDM "Resume Flag"), Bochs, from which the transcript is, saves 0.
bool shows_resume_flag = true;

void on_debug(Frame& frame) {
    const uptr dr6 = read_dr6();
    const bool general_detect = (dr6 & 0x2000) != 0;
    const bool on_instruction = shows_resume_flag && !general_detect && (frame.flags & resume_flag) != 0;
    const uptr at = frame.ip - base;
    print(" +", Hex{at < 0x100 ? at : 0x100}, "/", Hex{dr6}, on_instruction ? "/RF" : "");
    if (general_detect) {
        print("/dr7 ", Hex{read_dr7()});  // GD is cleared on the way to the handler
        write_dr7(0x400);
    }
    write_dr6(0xffff0ff0);
    // A breakpoint on an instruction comes before it: without RF it would come again.
    if ((dr6 & 0x400f) != 0) {
        frame.flags |= resume_flag;
    }
}

void run(const char* what, void (*code)(), Trap (*how)(void (*)()), uptr dr7 = 0x400) {
    print(what, ":");
    base = reinterpret_cast<uptr>(code);
    write_dr6(0xffff0ff0);
    write_dr7(dr7);
    const Trap trap = how(code);
    write_dr7(0x400);
    if (trap.vector != no_trap) {
        print(" then ");
        print_trap(trap, code);
    }
    print("\n");
}
Trap user(void (*code)()) {
    return run_user(code);
}
void both(const char* what, void (*code)(), uptr dr7 = 0x400) {
    print("cpl0 ");
    run(what, code, run_kernel, dr7);
    print("cpl3 ");
    run(what, code, user, dr7);
}

uptr after(void (*code)(), uptr offset) {
    return reinterpret_cast<uptr>(code) + offset;
}

void steps() {
    both("plain", step_plain);
    shows_resume_flag = false;
    both("string", step_string);
    shows_resume_flag = true;
    run("cpl0 mov ss", step_shadow, run_kernel);
    run("cpl0 sti", step_sti, run_kernel);
    both("jmp", step_branch);
    both("cpuid", step_cpuid);
    run("cpl0 in", step_in, run_kernel);
    run("cpl0 int 0x50", step_software_interrupt, run_kernel);
    both("ud2", step_fault);
    both("icebp", icebp);
    run("cpl0 icebp stepped", icebp_step, run_kernel);
    run("cpl0 int 1", int_1, run_kernel);
}

// DR7: R/W and LEN of breakpoint 0 at 16, of 1 at 20; G0 is bit 1, G1 bit 3, GD 13.
constexpr uptr enable0 = 0x402, enable1 = 0x408;
constexpr uptr on_write0 = 1U << 16, on_access0 = 3U << 16, on_port0 = 2U << 16, four_bytes0 = 3U << 18,
               two_bytes0 = 1U << 18;

void breakpoints() {
    write_dr0(after(on_code, 2));
    both("code", on_code, enable0);
    both("code, local enable", on_code, 0x401);
    both("code, not enabled", on_code, 0x400);
    write_dr1(after(on_code, 2));
    both("code, both", on_code, enable0 | enable1);
    write_dr1(0);
    write_dr0(after(on_code_shadow, 4));
    run("cpl0 code behind mov ss", on_code_shadow, run_kernel, enable0);
    write_dr0(after(on_code_rep, 10));
    both("code, rep", on_code_rep, enable0);
    const uptr word = reinterpret_cast<uptr>(buffer);
    write_dr0(word);
    both("data write", on_data, enable0 | on_write0);
    both("data access", on_data, enable0 | on_access0);
    both("data of 4 bytes", on_data_wide, enable0 | on_access0 | four_bytes0);
    both("data of 2 bytes", on_data_wide, enable0 | on_access0 | two_bytes0);
    both("data and step", on_data_and_step, enable0 | on_write0);
    write_dr0(word + 1);
    both("data of 4 bytes, not aligned", on_data_wide, enable0 | on_access0 | four_bytes0);
    write_dr0(word + 2);
    shows_resume_flag = false;
    both("data in a string", on_data_string, enable0 | on_write0);
    shows_resume_flag = true;
    write_dr0(word + 32);  // shadow_word
    run("cpl0 data of mov ss", on_data_shadow, run_kernel, enable0 | on_access0 | two_bytes0);
}

void ports() {
    write_cr4(read_cr4() | 8);  // DE
    write_dr0(0x80);
    run("cpl0 port", on_io, run_kernel, enable0 | on_port0);
    write_cr4(read_cr4() & ~uptr{8});
}

void detection() {
    run("cpl0 general detect, read", detect, run_kernel, 0x2400);
    run("cpl0 general detect, write", detect_write, run_kernel, 0x2400);
    run("cpl3 mov from dr0", detect, user);
}

void fixed_bits() {
    write_dr6(0);
    print("dr6 of 0: ", Hex{read_dr6()});
    write_dr7(0);
    print(", dr7 of 0: ", Hex{read_dr7()}, "\n");
    write_dr7(0x400);
}
}  // namespace

void guest_main() {
    set_handler(1, on_debug);
    set_handler(0x50, [](Frame&) { print(" [int]"); });
    fixed_bits();
    steps();
    breakpoints();
    ports();
    detection();
#ifdef GUEST64
    print("debug64: ok\n");
#else
    print("debug32: ok\n");
#endif
    exit(0);
}
