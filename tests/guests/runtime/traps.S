/* 256 entries of 16 bytes, each pushing what is missing of (error code, vector). */
#ifdef GUEST64
#define R(name) %r##name
#else
#define R(name) %e##name
#endif
    .text
#ifdef GUEST64
    .code64
#else
    .code32
#endif
    .balign 16
    .globl trap_entries
trap_entries:
    vector = 0
    .rept 256
    .balign 16
    .if (vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17) && (vector != 21)
    push $0
    .endif
    push $vector
    jmp trap_common
    vector = vector + 1
    .endr

trap_common:
#ifdef GUEST64
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    call guest_trap
    mov %rbx, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq
#else
    pushal
    push %ds
    push %es
    push %fs
    push %gs
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    mov %esp, %eax
    push %eax
    call guest_trap
    add $4, %esp
    pop %gs
    pop %fs
    pop %es
    pop %ds
    popal
    add $8, %esp
    iret
#endif

/* guest_guarded(code): calls code; guest_leave() comes back here from a trap inside it. */
    .globl guest_guarded, guest_leave, guest_guarded_user, guest_user_end
guest_guarded:
#ifdef GUEST64
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, guarded_stack
    xor %eax, %eax
    call *%rdi
    jmp guarded_return
guest_leave:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
guarded_return:
    mov guarded_stack, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    pushq $2
    popfq
    ret
#else
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, guarded_stack
    mov 20(%esp), %ecx
    xor %eax, %eax
    call *%ecx
    jmp guarded_return
guest_leave:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
guarded_return:
    mov guarded_stack, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    pushl $2
    popfl
    ret
#endif

/* guest_guarded_user(code, flags, stack): the same at CPL 3. The code's return goes to guest_user_end. */
guest_guarded_user:
#ifdef GUEST64
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, guarded_stack
    mov $0x2b, %eax
    mov %eax, %ds
    mov %eax, %es
    pushq $0x2b
    push %rdx
    push %rsi
    pushq $0x33
    push %rdi
    xor %eax, %eax
    iretq
#else
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, guarded_stack
    mov 20(%esp), %ecx
    mov 24(%esp), %edx
    mov 28(%esp), %esi
    mov $0x2b, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    pushl $0x2b
    push %esi
    push %edx
    pushl $0x23
    push %ecx
    xor %eax, %eax
    iret
#endif
guest_user_end:
    int $0x30
    jmp guest_user_end

    .bss
    .balign 8
    .globl guarded_stack
guarded_stack:
    .skip 8
    .section .note.GNU-stack, "", @progbits
