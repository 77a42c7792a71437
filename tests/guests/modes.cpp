// From 32-bit protected mode through all others and back: 16-bit protected, real, long, compatibility. And
// what real mode and the A20 gate do. The assembly writes what it sees; the program prints it when it is
// back.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

extern "C" {
u32 observed[64];
void through_all_modes();
extern u8 real_start[], real_end[], real_results[];
extern u32 real_results_size;
}

// The real-mode part is copied to 8000h and runs there; `real` is its address as CS:0 = 0800h:0.
// It uses the vector table at 0, which the BIOS does not need any more: the program restores nothing.
asm(R"(
    .set REAL, 0x8000
    .macro see register, slot
    movl \register, observed + 4 * \slot
    .endm

    .text
    .globl through_all_modes
through_all_modes:
    pushal
    movl %esp, kept_stack
    sidt kept_idt

    /* 16-bit protected mode: 64 KiB segments, based at 8000h (code) and at 0 (data). */
    ljmp $0x58, $(protected16 - real_start)
back_from_real:
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl kept_stack, %esp
    lidt kept_idt

    /* Long mode, by way of compatibility mode. */
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $root, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    see %eax, 40
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    rdmsr
    see %eax, 41
    /* Compatibility mode: 32-bit code although EFER.LMA is 1. 48 is DEC EAX here and a REX prefix in 64-bit mode. */
    movl $0x10, %eax
    .byte 0x48, 0x89, 0xc0
    see %eax, 42
    ljmp $0x10, $1f
    .code64
1:  movl $observed, %esi /* a 32-bit object has no relocation for 64-bit code */
    movq $0x100000010, %rax
    .byte 0x48, 0x89, 0xc0
    movl %eax, 4 * 43(%rsi)
    shrq $32, %rax
    movl %eax, 4 * 44(%rsi)
    /* 32-bit operations clear the upper half; pushes are of 64 bits. */
    movq $-1, %rbx
    movl $5, %ebx
    shrq $32, %rbx
    movl %ebx, 4 * 45(%rsi)
    movq %rsp, %rcx
    pushq $1
    subq %rsp, %rcx
    popq %rax
    movl %ecx, 4 * 46(%rsi)
    /* To compatibility mode and 16-bit compatibility mode and back. */
    movl $far_compatibility, %esi
    ljmpl *(%rsi)
    .code32
2:  movl %esp, %ecx
    pushl $1
    subl %esp, %ecx
    popl %eax
    see %ecx, 47
    movw %cs, %ax
    movzwl %ax, %eax
    see %eax, 48
    ljmp $0x68, $(protected16_compatible - real_start)
compatible_again:
    /* Out of long mode. */
    ljmp $0x08, $3f
3:  movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl $0xc0000080, %ecx
    rdmsr
    see %eax, 49
    andl $0xfffffeff, %eax
    wrmsr
    movl %cr4, %eax
    andl $0xffffffdf, %eax
    movl %eax, %cr4
    popal
    ret

    .balign 8
far_compatibility: .long 2b
    .word 0x08
    .balign 8
kept_idt: .quad 0
kept_stack: .long 0
    .balign 4096
root: .long pointers + 7, 0
    .fill 510, 8, 0
    .quad 0
    .balign 4096
pointers: .long large + 7, 0
    .fill 511, 8, 0
large: .quad 0x87, 0x200087, 0x400087, 0x600087
    .fill 508, 8, 0

    /* ---- what is copied to 8000h ---- */
    .balign 16
    .code16
    .globl real_start, real_end, real_results, real_results_size
real_start:
protected16:
    movw $0x60, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl $0x7000, %esp
    movl $0x12345678, %eax
    pushw %ax
    movw %sp, %cx
    popw %bx
    movw %cx, result_p16_sp - real_start + REAL
    movw %bx, result_p16_value - real_start + REAL
    movw %cs, %ax
    movw %ax, result_p16_cs - real_start + REAL
    lidt real_idt - real_start + REAL
    movl %cr0, %eax
    andl $0xfffffffe, %eax
    movl %eax, %cr0
    ljmp $0x0800, $(real - real_start)
real:
    xorw %ax, %ax
    movw %ax, %ss
    movw $0x7000, %sp
    movw %cs, %ax
    movw %ax, %ds
    movw %ax, result_real_cs - real_start
    smsw %ax
    andw $1, %ax
    movw %ax, result_real_pe - real_start
    /* Addresses: FFFF:0010 is 100000h with the A20 gate open, 0 when it is closed. */
    xorw %ax, %ax
    movw %ax, %es
    movw %es:0x600, %cx
    movw $0x1111, %es:0x600
    movw $0xffff, %ax
    movw %ax, %fs
    pushw %fs:0x610
    movw $0x2222, %fs:0x610
    movw %es:0x600, %ax
    movw %ax, result_a20_open - real_start
    inb $0x92, %al
    andb $0xfc, %al
    outb %al, $0x92
    movw $0x3333, %fs:0x610
    movw %es:0x600, %ax
    movw %ax, result_a20_closed - real_start
    inb $0x92, %al
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    movw %fs:0x610, %ax
    movw %ax, result_a20_open_again - real_start
    popw %fs:0x610
    movw %cx, %es:0x600

    /* Exceptions and interrupts push FLAGS, CS, IP. Vectors 0, 3, 6, 13 and 80h go to `vector`. */
    movw $(vector - real_start), %ax
    movw $0x0800, %dx
    movw %ax, %es:0x00
    movw %dx, %es:0x02
    movw %ax, %es:0x0c
    movw %dx, %es:0x0e
    movw %ax, %es:0x18
    movw %dx, %es:0x1a
    movw %ax, %es:0x34
    movw %dx, %es:0x36
    movw %ax, %es:0x30
    movw %dx, %es:0x32
    movw %ax, %es:0x200
    movw %dx, %es:0x202
    xorw %di, %di
    movw $10f - real_start, next - real_start
    int $0x80
10: movw $11f - real_start, next - real_start
    int3
11: movw $12f - real_start, next - real_start
    xorw %bx, %bx
    divw %bx
12: movw $13f - real_start, next - real_start
    ud2
13: movw $14f - real_start, next - real_start
    movw $0xffff, %bx
    movw (%bx), %ax /* beyond the limit of 64 KiB */
14: movw $15f - real_start, next - real_start
    movw $0xffff, %bp
    movw (%bp), %ax /* the same in SS: vector 12 */
15: movw $16f - real_start, next - real_start
    movw $16f - real_start, %ax
    lldt %ax /* not there in real mode: #UD */
16: movw %di, result_traps - real_start
    /* The hidden parts stay: a 4 GiB limit loaded in protected mode serves in real mode. */
    cli
    lgdtl big_gdt - real_start
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    jmp 1f
1:  movw $8, %bx
    movw %bx, %gs
    andb $0xfe, %al
    movl %eax, %cr0
    movl $observed, %ebx
    movl $0x600df00d, %gs:(%ebx)
    xorw %ax, %ax
    movw %ax, %gs
    movl %gs:(%ebx), %eax /* a load of the selector keeps the limit in real mode */
    movl %eax, result_big - real_start
    lgdtl gdt_again - real_start
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $0x08, $back_from_real

vector: /* logs the saved IP, CS and FLAGS, and goes on at `next` */
    pushw %bp
    movw %sp, %bp
    movw 2(%bp), %ax
    movw %ax, traps - real_start(%di)
    movw 4(%bp), %ax
    movw %ax, traps - real_start + 2(%di)
    movw 6(%bp), %ax
    andw $0x7702, %ax
    movw %ax, traps - real_start + 4(%di)
    addw $6, %di
    movw next - real_start, %ax
    movw %ax, 2(%bp)
    popw %bp
    iret

protected16_compatible:
    movw %cs, %ax
    movw %ax, %es:result_c16_cs - real_start + REAL
    movl %esp, %ecx
    pushw %ax
    subl %esp, %ecx
    popw %ax
    movw %cx, %es:result_c16_push - real_start + REAL
    ljmpl $0x08, $compatible_again

    .balign 8
real_idt: .word 0x3ff
    .long 0
    .balign 8
big_gdt: .word 0x0f
    .long big - real_start + REAL
gdt_again: .word 0x1ff
    .long gdt
    .balign 8
big: .quad 0, 0x00cf93000000ffff
next: .word 0
    .balign 8
real_results:
result_p16_sp: .word 0
result_p16_value: .word 0
result_p16_cs: .word 0
result_real_cs: .word 0
result_real_pe: .word 0
result_a20_open: .word 0
result_a20_closed: .word 0
result_a20_open_again: .word 0
result_c16_cs: .word 0
result_c16_push: .word 0
result_traps: .word 0
    .balign 4
result_big: .long 0
traps: .fill 32, 2, 0
real_end:
    .code32
    .text
)");

namespace {
constexpr uptr real_place = 0x8000;

const u16* results() {
    return reinterpret_cast<const u16*>(real_place + static_cast<uptr>(real_results - real_start));
}

void make_segments() {
    // 58 code of 16 bits at 8000h, 60 data of 16 bits at 0, 68 code of 16 bits for compatibility mode at
    // 8000h.
    gdt[0x58 / 8] = 0x00009b008000ffff;
    gdt[0x60 / 8] = 0x000093000000ffff;
    gdt[0x68 / 8] = 0x00009b008000ffff;
}
}  // namespace

void guest_main() {
    make_segments();
    __builtin_memcpy(
        reinterpret_cast<void*>(real_place), real_start, static_cast<uptr>(real_end - real_start));
    through_all_modes();
    const u16* seen = results();
    print("16-bit protected: sp ", Hex{seen[0]}, " popped ", Hex{seen[1]}, " cs ", Hex{seen[2]}, "\n");
    print("real: cs ", Hex{seen[3]}, " PE ", seen[4], "\n");
    print("A20 open: 0:600 ",
          Hex{seen[5]},
          ", closed ",
          Hex{seen[6]},
          ", open again ffff:610 ",
          Hex{seen[7]},
          "\n");
    const u32 traps = seen[10] / 6;
    print("real-mode traps: ", traps, "\n");
    u32 big;
    __builtin_memcpy(&big, reinterpret_cast<const u8*>(seen) + 24, 4);
    const u16* trap = reinterpret_cast<const u16*>(reinterpret_cast<const u8*>(seen) + 28);
    for (u32 i = 0; i < traps; ++i, trap += 3) {
        print("  ip ", Hex{trap[0]}, " cs ", Hex{trap[1]}, " flags ", Hex{trap[2]}, "\n");
    }
    print("4 GiB limit in real mode: ", Hex{big}, " ", Hex{observed[0]}, "\n");
    print("EFER before ",
          Hex{observed[40]},
          ", with paging ",
          Hex{observed[41]},
          ", after ",
          Hex{observed[49]},
          "\n");
    print("48 89 c0: compatibility ",
          Hex{observed[42]},
          ", 64-bit ",
          Hex{observed[43]},
          " ",
          Hex{observed[44]},
          "\n");
    print("upper half ",
          Hex{observed[45]},
          ", push of ",
          observed[46],
          ", compatibility push of ",
          observed[47],
          " cs ",
          Hex{observed[48]},
          "\n");
    print("16-bit compatibility: cs ", Hex{seen[8]}, " push of ", seen[9], "\n");
    print("modes: ok\n");
    exit(0);
}
