/* Entry of a guest, as a multiboot 1 loader leaves the processor: 32-bit protected mode without paging.
   With GUEST64, goes on to long mode; the first 4 GiB are then identity-mapped by 2 MiB pages that user code may use. */

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_ET 0x10
#define CR0_NE 0x20
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, 2, -(0x1badb002 + 2)

    .text
    .code32
    .globl _start
_start:
    cli
    cld
    movl %ebx, multiboot_information
    lgdt gdt_pointer
    ljmp $0x08, $1f
1:  movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    xorl %eax, %eax
    lldt %ax /* a reset leaves a table of 64 KiB at 0 */
    movl $boot_stack_top, %esp
    call enter_mode
#ifdef GUEST64
    .code64
    movl %esp, %esp
    call guest_start
#else
    call guest_start
#endif
2:  hlt
    jmp 2b

/* Control registers get exact values, whatever the loader left; an application processor calls this too.
   Returns to 64-bit code with GUEST64. Needs a stack and the GDT; changes EAX, ECX, EDX. */
    .code32
    .globl enter_mode
enter_mode:
    fninit
#ifdef GUEST64
    movl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    call fill_page_tables
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl $(CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0
    popl %edx
    ljmp $0x10, $1f
    .code64
1:  movl %edx, %edx
    jmp *%rdx
#else
    movl $(CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $(CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0
    ret
#endif

#ifdef GUEST64
    .code32
fill_page_tables:
    cmpl $0, boot_pml4
    jne 3f
    movl $(boot_pdpt + 7), boot_pml4
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $12, %eax
    addl $(boot_directories + 7), %eax
    movl %eax, boot_pdpt(, %ecx, 8)
    incl %ecx
    cmpl $4, %ecx
    jne 1b
    xorl %ecx, %ecx
2:  movl %ecx, %eax
    shll $21, %eax
    orl $0x87, %eax
    movl %eax, boot_directories(, %ecx, 8)
    incl %ecx
    cmpl $2048, %ecx
    jne 2b
3:  ret
#endif

    .data
    .balign 16
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 08 code, 32 bits, CPL 0 */
    .quad 0x00af9b000000ffff /* 10 code, 64 bits, CPL 0 */
    .quad 0x00cf93000000ffff /* 18 data, CPL 0 */
    .quad 0x00cffb000000ffff /* 20 code, 32 bits, CPL 3 */
    .quad 0x00cff3000000ffff /* 28 data, CPL 3 */
    .quad 0x00affb000000ffff /* 30 code, 64 bits, CPL 3 */
    .quad 0, 0               /* 38 TSS */
    .fill 55, 8, 0           /* 48.. for the tests */
gdt_end:
    .globl gdt_pointer
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt, 0

    .bss
    .globl multiboot_information
    .balign 8
multiboot_information:
    .skip 8
    .balign 4096
#ifdef GUEST64
    .globl boot_pml4, boot_pdpt, boot_directories
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_directories:
    .skip 4 * 4096
#endif
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
