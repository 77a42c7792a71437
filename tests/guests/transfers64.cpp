// Far transfers of long mode: 64-bit call gates and stacks from the TSS, IRET, SYSCALL and SYSRET, SYSENTER
// and SYSEXIT, and what compatibility mode still checks.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

// Selectors that this program makes; a gate takes two entries.
constexpr u16 gate = 0x50, code_dpl2 = 0x60, code32_gate = 0x68, upper_gate = 0x78, dpl2_gate = 0x88,
              limited = 0x98;

extern "C" {
volatile u64 observed[8];
}

// COMPATIBLE(name, "assembly"): 32-bit code that user code enters; INT 30h ends it.
#define COMPATIBLE(name, body)                                                                               \
    asm(".text\n.balign 16\n" #name "_32:\n.code32\n" body "\nint $0x30\n.code64\n.balign 16\n.globl " #name \
        "\n" #name ":\npushq $0x23\npushq $" #name "_32\nlretq\n");                                          \
    extern "C" void name();                                                                                  \
    extern "C" void name##_32();

asm(R"(
    .text
    .balign 16
gate_entry:
    mov (%rsp), %rax
    sub $gate_caller, %rax
    mov %rax, observed
    mov 8(%rsp), %rax
    mov %rax, observed + 8
    mov %cs, %eax
    mov %rax, observed + 16
    mov %ss, %eax
    mov %rax, observed + 24
    mov 16(%rsp), %rax
    sub %rbx, %rax
    mov %rax, observed + 32
    mov 24(%rsp), %rax
    mov %rax, observed + 40
    lretq
    .balign 16
gate_pointer: .long 0
    .word 0x53
    .balign 8
gate_pointer_kernel: .long 0
    .word 0x50
    .balign 8
code32_pointer: .long 0
    .word 0x6b
    .balign 8
upper_pointer: .long 0
    .word 0x7b
    .balign 8
dpl2_pointer: .long 0
    .word 0x8b
    .balign 8
compatible_pointer: .long 0
    .word 0x23

    .balign 16
system_entry: /* SYSCALL: RCX and R11 hold RIP and RFLAGS; the stack is still the user's */
    pushfq
    popq observed + 32
    sub $system_caller, %rcx
    mov %rcx, observed
    add $system_caller, %rcx
    mov %r11, observed + 8
    mov %cs, %eax
    mov %rax, observed + 16
    mov %ss, %eax
    mov %rax, observed + 24
    and $~0x100, %r11
    cmpl $0, system_width
    jne 1f
    sysretq
1:  mov $system_back32, %ecx
    sysretl
    .code32
system_back32:
    mov %cs, %eax
    mov %eax, observed + 40
    mov %ss, %eax
    mov %eax, observed + 48
    int $0x30
    .code64

    .balign 16
enter_entry: /* SYSENTER */
    mov %rsp, %rax
    mov %rax, observed
    mov %cs, %eax
    mov %rax, observed + 8
    mov %ss, %eax
    mov %rax, observed + 16
    pushfq
    popq observed + 24
    mov %rbx, %rcx
    mov $exit_back, %edx
    cmpl $0, system_width
    jne 1f
    sysexitq
1:  mov $system_back32, %edx
    sysexitl
exit_back:
    mov %cs, %eax
    mov %eax, observed + 40
    mov %ss, %eax
    mov %eax, observed + 48
    cmp %rsp, %rbx
    sete observed + 56
    int $0x30
    .data
    .globl system_width
system_width: .long 0
    .text
)");
extern "C" {
void gate_entry();
void system_entry();
void enter_entry();
extern u32 system_width;
}

SNIPPET(gate_caller, "mov %rsp, %rbx; lcall *gate_pointer; cmp %rsp, %rbx; je 1f; ud2; 1:")
SNIPPET(gate_caller_kernel, "mov %rsp, %rbx; lcall *gate_pointer_kernel; cmp %rsp, %rbx; je 1f; ud2; 1:")
SNIPPET(to_code32, "lcall *code32_pointer")
SNIPPET(to_upper, "lcall *upper_pointer")
SNIPPET(to_dpl2, "lcall *dpl2_pointer")
SNIPPET(system_caller,
        "stc; syscall; mov %cs, %eax; mov %rax, observed + 40; mov %ss, %eax; mov %rax, observed + 48")
SNIPPET(enter_caller, "mov %rsp, %rbx; stc; sysenter")
SNIPPET(exit_at_user, "sysexit")
SNIPPET(return_at_user, "sysretq")
SNIPPET(iret_null_user, "pushq $0; pushq $0x2000; pushq $2; pushq $0x33; pushq $iret_null_user; iretq")
SNIPPET(iret_null_kernel, "mov %rsp, %rax; pushq $0; pushq %rax; pushq $2; pushq $0x10; pushq $1f; iretq; 1:")
SNIPPET(iret_bad_rpl,
        "mov %rsp, %rax; pushq $0x28; pushq %rax; pushq $2; pushq $0x33; pushq $iret_bad_rpl; iretq")
SNIPPET(iret_not_canonical,
        "mov %rsp, %rax; mov $0x800000000000, %rcx; pushq $0x18; pushq %rax; pushq $2; pushq $0x10; pushq "
        "%rcx; iretq")
SNIPPET(iret_to_data,
        "mov %rsp, %rax; pushq $0x18; pushq %rax; pushq $2; pushq $0x18; pushq $iret_to_data; iretq")
SNIPPET(iret_flags,
        "mov %rsp, %rax; pushq $0x18; pushq %rax; pushq $0x10cd7; pushq $0x10; pushq $1f; iretq; "
        "1: pushfq; popq observed")
SNIPPET(swap_bases,
        "swapgs; mov %gs:0, %rax; mov %rax, observed; swapgs; mov %gs:0, %rax; mov %rax, observed + 8")
COMPATIBLE(plain32, "movw %cs, observed; movw %ss, observed + 8; pushl %eax; popl %eax")
COMPATIBLE(limit32, "mov $0x9b, %eax; mov %eax, %fs; mov %fs:0xffd, %eax")
COMPATIBLE(within32, "mov $0x9b, %eax; mov %eax, %fs; mov %fs:0xffc, %eax")
COMPATIBLE(null32, "xor %eax, %eax; mov %eax, %fs; mov %fs:observed, %al")
COMPATIBLE(into32, "mov $0x7f, %al; add $1, %al; into")
COMPATIBLE(aam32, "mov $5, %eax; cmp %eax, %eax; aam $0")
COMPATIBLE(push_es32, "push %es; pop %eax; mov %eax, observed")
COMPATIBLE(gate32, "lcall $0x53, $0")
COMPATIBLE(call32, "lcall $0x33, $far_64; movw %cs, observed + 8")
COMPATIBLE(syscall32, "syscall")
COMPATIBLE(wrap32,
           "mov $observed, %ecx; movl $0x77, 8(%ecx); mov $0xfffffff8, %eax; mov 16(%ecx, %eax), %edx; "
           "mov %edx, (%ecx)")
asm(".text\nfar_64: mov $0x1234, %eax; mov %rax, observed; lretl");

namespace {
void show(const char* what, const Trap& trap, void (*base)()) {
    print(what, ": ");
    print_trap(trap, base);
    print("\n");
}
void show_observed(const char* what, u32 count) {
    print("  ", what, ":");
    for (u32 i = 0; i < count; ++i) {
        print(" ", Hex{observed[i]});
        observed[i] = 0;
    }
    print("\n");
}

void make_gate(u16 at, u16 selector, void (*entry)(), u32 upper_type) {
    const u64 address = reinterpret_cast<uptr>(entry);
    gdt[at / 8] = (address & 0xffff) | u64{selector} << 16 | u64{0xec} << 40 | (address >> 16 & 0xffff) << 48;
    gdt[at / 8 + 1] = address >> 32 | u64{upper_type} << 40;
}

void gates() {
    make_gate(gate, kernel_code64, gate_entry, 0);
    show("call gate from CPL 3", run_user(gate_caller), gate_caller);
    show_observed("return cs new-cs new-ss rsp ss", 6);
    show("call gate at CPL 0", run_kernel(gate_caller_kernel), gate_caller_kernel);
    for (volatile u64& word : observed) {
        word = 0;
    }
    make_gate(code32_gate, kernel_code32, gate_entry, 0);
    show("call gate to 32-bit code", run_user(to_code32), to_code32);
    make_gate(upper_gate, kernel_code64, gate_entry, 1);
    show("call gate with a type in its upper half", run_user(to_upper), to_upper);
    gdt[code_dpl2 / 8] = 0x00afdb000000ffff;
    make_gate(dpl2_gate, code_dpl2, gate_entry, 0);
    const u64 before = gdt[task_state / 8];
    gdt[task_state / 8] = (before & ~(u64{2} << 40) & ~u64{0xffff}) | 19;  // available; RSP2 is beyond
    asm volatile("ltr %w0" : : "r"(u32{task_state}));
    show("call gate to CPL 2, RSP2 beyond the limit of the TSS", run_user(to_dpl2), to_dpl2);
    gdt[task_state / 8] = before & ~(u64{2} << 40);
    asm volatile("ltr %w0" : : "r"(u32{task_state}));
}

void returns() {
    show("iret to CPL 3 with a null SS", run_kernel(iret_null_user), iret_null_user);
    show("iret to CPL 0 with a null SS", run_kernel(iret_null_kernel), iret_null_kernel);
    show("iret to CPL 3 with SS of RPL 0", run_kernel(iret_bad_rpl), iret_bad_rpl);
    show("iret to a non-canonical address", run_kernel(iret_not_canonical), iret_not_canonical);
    show("iret to data", run_kernel(iret_to_data), iret_to_data);
    show("iret with flags", run_kernel(iret_flags), iret_flags);
    show_observed("flags", 1);
}

void system_calls() {
    write_msr(0xc0000080, read_msr(0xc0000080) | 1);
    write_msr(0xc0000081, u64{user_code32} << 48 | u64{kernel_code64} << 32);
    write_msr(0xc0000082, reinterpret_cast<uptr>(&system_entry));
    write_msr(0xc0000084, 0x601);
    show("syscall, sysret", run_user(system_caller, 0x402), system_caller);
    show_observed("rcx r11 cs ss flags, then cs ss", 7);
    system_width = 1;
    show("syscall, sysret to 32-bit code", run_user(system_caller), system_caller);
    show_observed("rcx r11 cs ss flags, then cs ss", 7);
    // An Intel processor does not go to CSTAR; one that does finds UD2 there.
    *reinterpret_cast<volatile u16*>(0x6000) = 0x0b0f;
    write_msr(0xc0000083, 0x6000);
    show("syscall in compatibility mode", run_user(syscall32), syscall32_32);
    system_width = 0;
    show("sysret at CPL 3", run_user(return_at_user), return_at_user);
    write_msr(0x174, 0);
    show("sysenter without CS", run_user(enter_caller), enter_caller);
    write_msr(0x174, kernel_code64);
    write_msr(0x175, 0x5000);
    write_msr(0x176, reinterpret_cast<uptr>(&enter_entry));
    show("sysenter, sysexit", run_user(enter_caller), enter_caller);
    show_observed("rsp cs ss flags, then cs ss", 8);
    system_width = 1;
    show("sysenter, sysexit to 32-bit code", run_user(enter_caller), enter_caller);
    show_observed("rsp cs ss flags, then cs ss", 8);
    show("sysexit at CPL 3", run_user(exit_at_user), exit_at_user);
}

void bases() {
    static const u64 values[2] = {0x1111, 0x2222};
    write_msr(0xc0000101, reinterpret_cast<uptr>(&values[0]));
    write_msr(0xc0000102, reinterpret_cast<uptr>(&values[1]));
    show("swapgs", run_kernel(swap_bases), swap_bases);
    show_observed("words", 2);
}

void compatibility() {
    gdt[limited / 8] = 0x0040f30000000fff;
    show("32-bit code", run_user(plain32), plain32_32);
    show_observed("cs ss", 2);
    show("within a limit", run_user(within32), within32_32);
    show("across a limit", run_user(limit32), limit32_32);
    show("null segment", run_user(null32), null32_32);
    show("into", run_user(into32), into32_32);
    show("aam 0", run_user(aam32), aam32_32);
    show("push es", run_user(push_es32), push_es32_32);
    show_observed("es", 1);
    show("call gate", run_user(gate32), nullptr);
    for (volatile u64& word : observed) {
        word = 0;
    }
    show("far call to 64-bit code and back", run_user(call32), call32_32);
    show_observed("rax cs", 2);
    show("addresses of 32 bits wrap", run_user(wrap32), wrap32_32);
    show_observed("word", 1);
}
}  // namespace

void guest_main() {
    gates();
    returns();
    system_calls();
    bases();
    compatibility();
    print("transfers64: ok\n");
    exit(0);
}
