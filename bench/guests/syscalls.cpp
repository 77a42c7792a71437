// System calls: code at CPL 3 calls with SYSCALL, the kernel answers with SYSRET.
#include "bench/guests/work.hpp"

// The kernel's entry swaps to its own stack, as real ones do, and answers RAX = f(RDI, RSI).
// The user's loop calls with (i, answer) for i = 10000 ... 1; its last answer is in user_answer.
asm(R"(
    .text
system_entry:
    mov %rsp, saved_user_stack
    mov $system_stack_top, %rsp
    push %rcx
    push %r11
    lea 0x1234(%rdi, %rsi, 4), %rax
    imul $0x01000193, %rax, %rax
    rol $7, %rax
    pop %r11
    pop %rcx
    mov saved_user_stack, %rsp
    sysretq
    .balign 16
user_loop:
    mov $10000, %rdi
    xor %esi, %esi
1:  syscall
    mov %rax, %rsi
    dec %rdi
    jnz 1b
    mov %rsi, user_answer
    ret
    .bss
    .balign 16
    .skip 4096
system_stack_top:
saved_user_stack: .skip 8
user_answer: .skip 8
    .text
)");
extern "C" {
void system_entry();
void user_loop();
extern u64 user_answer;
}

void guest_main() {
    constexpr u32 efer = 0xc0000080, star = 0xc0000081, lstar = 0xc0000082, fmask = 0xc0000084;
    guest::write_msr(efer, guest::read_msr(efer) | 1);  // SCE
    guest::write_msr(star, u64{guest::user_code32} << 48 | u64{guest::kernel_code64} << 32);
    guest::write_msr(lstar, reinterpret_cast<u64>(&system_entry));
    guest::write_msr(fmask, 0x47700);
    repeat("syscalls", expected::syscalls, [] {
        const guest::Trap trap = guest::run_user(user_loop);
        return trap.vector == guest::no_trap ? user_answer : trap.vector;
    });
}
