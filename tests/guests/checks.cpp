// What the manual has checked that QEMU (TCG) partly does not: alignment, SIMD floating-point exceptions,
// reserved bits of control registers and MSRs, canonical addresses.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

SNIPPET(aligned, "mov $buffer, %ecx; mov (%rcx), %eax")
SNIPPET(misaligned_read, "mov $buffer + 1, %ecx; mov (%rcx), %eax")
SNIPPET(misaligned_write, "mov $buffer + 2, %ecx; mov %eax, (%rcx)")
SNIPPET(misaligned_word, "mov $buffer + 1, %ecx; mov (%rcx), %ax")
SNIPPET(misaligned_quad, "mov $buffer + 4, %ecx; mov (%rcx), %rax")
SNIPPET(misaligned_push, "mov %rsp, %rdx; sub $4, %rsp; push %rax; mov %rdx, %rsp")
SNIPPET(misaligned_movaps, "mov $buffer + 8, %ecx; movaps (%rcx), %xmm0")
SNIPPET(misaligned_paddd, "mov $buffer + 8, %ecx; paddd (%rcx), %xmm0")
SNIPPET(misaligned_cmpxchg16b, "mov $buffer + 8, %ecx; push %rbx; lock cmpxchg16b (%rcx); pop %rbx")
SNIPPET(
    sse_divide,
    "push $0x1d80; ldmxcsr (%rsp); pop %rcx; xorps %xmm1, %xmm1; mov $0x3f800000, %eax; movd %eax, %xmm0; "
    "cmp %eax, %eax; divss %xmm1, %xmm0")
SNIPPET(sse_divide_masked,
        "push $0x1f80; ldmxcsr (%rsp); pop %rcx; xorps %xmm1, %xmm1; mov $0x3f800000, %eax; "
        "movd %eax, %xmm0; divss %xmm1, %xmm0")
SNIPPET(sse_invalid,
        "push $0x1f00; ldmxcsr (%rsp); pop %rcx; xorps %xmm0, %xmm0; xorps %xmm1, %xmm1; cmp %eax, %eax; "
        "divss %xmm1, %xmm0")
SNIPPET(ldmxcsr_reserved, "push $0x10000; cmp %eax, %eax; ldmxcsr (%rsp); pop %rcx")
SNIPPET(fxrstor_misaligned, "mov $buffer + 8, %ecx; fxrstor (%rcx)")

asm(".bss; .balign 64; buffer: .skip 1024; .text");

namespace {
void show(const char* what, const Trap& trap) {
    print(what, ": ");
    if (trap.vector == no_trap) {
        print("none\n");
    } else {
        print("vector ", trap.vector, " error ", Hex{trap.frame.error}, "\n");
    }
}
void user(const char* what, void (*code)(), uptr flags) {
    print(flags != 0 ? "AC " : "   ");
    show(what, run_user(code, flags));
}

void alignment() {
    for (uptr mask = 0; mask <= 0x40000; mask += 0x40000) {
        write_cr0((read_cr0() & ~uptr{0x40000}) | mask);
        print(mask != 0 ? "CR0.AM 1\n" : "CR0.AM 0\n");
        for (uptr flags = 0; flags <= 0x40000; flags += 0x40000) {
            user("aligned", aligned, flags);
            user("dword at 1", misaligned_read, flags);
            user("dword at 2, write", misaligned_write, flags);
            user("word at 1", misaligned_word, flags);
            user("qword at 4", misaligned_quad, flags);
            user("push at 4", misaligned_push, flags);
            user("movaps at 8", misaligned_movaps, flags);
            user("paddd at 8", misaligned_paddd, flags);
            user("cmpxchg16b at 8", misaligned_cmpxchg16b, flags);
        }
    }
    show("cpl0 with AC", run_kernel([] {
             asm volatile(
                 "pushfq; orl $0x40000, (%%rsp); popfq; mov buffer + 1, %%eax; pushfq; "
                 "andl $~0x40000, (%%rsp); popfq"
                 :
                 :
                 : "eax", "memory");
         }));
    write_cr0(read_cr0() & ~uptr{0x40000});
}

u32 mxcsr() {
    u32 value;
    asm volatile("stmxcsr %0" : "=m"(value));
    return value;
}

void simd() {
    const Trap divide = run_kernel(sse_divide);
    show("unmasked divide by zero", divide);
    print("  at +", Hex{divide.frame.ip - reinterpret_cast<uptr>(sse_divide)}, " MXCSR ", Hex{mxcsr()}, "\n");
    show("unmasked invalid", run_kernel(sse_invalid));
    print("  MXCSR ", Hex{mxcsr()}, "\n");
    show("masked divide by zero", run_kernel(sse_divide_masked));
    print("  MXCSR ", Hex{mxcsr()}, "\n");
    write_cr4(read_cr4() & ~uptr{0x400});  // without OSXMMEXCPT it is #UD
    show("without OSXMMEXCPT", run_kernel(sse_divide));
    write_cr4(read_cr4() | 0x400);
    show("ldmxcsr of a reserved bit", run_kernel(ldmxcsr_reserved));
    show("fxrstor at 8", run_kernel(fxrstor_misaligned));
    const u32 usual = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(usual));
}

void control_registers() {
    show("CR0: PG without PE", run_kernel([] { write_cr0(read_cr0() & ~uptr{1}); }));
    show("CR0: NW without CD", run_kernel([] { write_cr0(read_cr0() | 0x20000000); }));
    show("CR0: bit 32", run_kernel([] { write_cr0(read_cr0() | uptr{1} << 32); }));
    show("CR0: bit 20 is ignored", run_kernel([] { write_cr0(read_cr0() | 0x100000); }));
    print("  reads as ", Hex{read_cr0() & 0x100000}, "\n");
    show("CR4: PAE off in long mode", run_kernel([] { write_cr4(read_cr4() & ~uptr{0x20}); }));
    show("CR4: bit 31", run_kernel([] { write_cr4(read_cr4() | 0x80000000); }));
    show("CR4: bit 32", run_kernel([] { write_cr4(read_cr4() | uptr{1} << 32); }));
    show("CR3: bit 63 without PCIDE", run_kernel([] { write_cr3(read_cr3() | uptr{1} << 63); }));
    show("CR3: bit 51", run_kernel([] { write_cr3(read_cr3() | uptr{1} << 51); }));
    show("CR8: 16", run_kernel([] { asm volatile("mov %0, %%cr8" : : "r"(u64{16})); }));
    show("DR6: bit 32", run_kernel([] { asm volatile("mov %0, %%dr6" : : "r"(u64{1} << 32)); }));
    show("DR7: bit 32", run_kernel([] { asm volatile("mov %0, %%dr7" : : "r"(u64{1} << 32)); }));
    show("DR4 without DE", run_kernel([] { asm volatile(".byte 0x0f, 0x21, 0xe0" : : : "rax"); }));
    show("DR4 with DE", run_kernel([] {
             write_cr4(read_cr4() | 8);
             asm volatile(".byte 0x0f, 0x21, 0xe0" : : : "rax");
         }));
    write_cr4(read_cr4() & ~uptr{8});
}

template <u32 index, u64 value>
void write_one(const char* what) {
    const u64 before = read_msr(index);
    show(what, run_kernel([] { write_msr(index, value); }));
    write_msr(index, before);
}

void registers() {
    constexpr u64 not_canonical = 0x800000000000;
    write_one<0xc0000080, 0x10500>("EFER: bit 16");
    write_one<0xc0000080, 0x400>("EFER: LME off under paging");
    write_one<0xc0000082, not_canonical>("LSTAR");
    write_one<0xc0000083, not_canonical>("CSTAR");
    write_one<0xc0000100, not_canonical>("FS base");
    write_one<0xc0000101, not_canonical>("GS base");
    write_one<0xc0000102, not_canonical>("kernel GS base");
    write_one<0x175, not_canonical>("SYSENTER ESP");
    write_one<0x176, not_canonical>("SYSENTER EIP");
    write_one<0x277, 0x0007040600070402>("PAT: type 2");
    write_one<0x277, 0x0007040600070406>("PAT");
    write_one<0x1b, 0xfee00901 | u64{1} << 51>("APIC base: bit 51");
    show("read of an MSR that is none", run_kernel([] { read_msr(0x12345); }));
    show("write of an MSR that is none", run_kernel([] { write_msr(0x12345, 0); }));
    show("XGETBV without OSXSAVE", run_kernel([] {
             asm volatile(".byte 0x0f, 0x01, 0xd0" : : "c"(0) : "rax", "rdx");
         }));
}
}  // namespace

void guest_main() {
    alignment();
    simd();
    control_registers();
    registers();
    print("checks: ok\n");
    exit(0);
}
