// Every exception that one instruction can raise, from CPL 0 and from CPL 3: vector, error code, saved IP,
// CS, flags, CR2. Built for 32 and for 64 bits. The rest of the classes: tasks (#TS), debug (#DB), checks
// (#AC, #XM, reserved bits).
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

// Selectors that this program makes.
constexpr u32 absent_data = 0x48, execute_only = 0x50, read_only = 0x58, limited = 0x60, expand_down = 0x68;
constexpr u32 absent_code = 0x70, absent_stack = 0x78;

SNIPPET(nothing, "nop")
SNIPPET(div_zero, "xor %ecx, %ecx; mov $1, %eax; cltd; div %ecx")
SNIPPET(div_large, "mov $1, %ecx; mov $2, %edx; cmp %ecx, %ecx; div %ecx")
SNIPPET(idiv_large, "mov $0x80000000, %eax; cltd; mov $-1, %ecx; cmp %ecx, %ecx; idiv %ecx")
SNIPPET(div_byte, "mov $0x200, %eax; mov $2, %cl; cmp %ecx, %ecx; div %cl")
SNIPPET(breakpoint, "nop; int3")
SNIPPET(int_3, "nop; int $3")
SNIPPET(int_4, "nop; int $4")
SNIPPET(int_13, "nop; int $13")
SNIPPET(int_49, "nop; int $49")
SNIPPET(int_with_flags, "push $0x4202; popf; int $49; push $2; popf")
SNIPPET(undefined, "nop; ud2")
SNIPPET(lock_nop, ".byte 0xf0; nop")
SNIPPET(lock_load, ".byte 0xf0, 0x8b, 0x00")
SNIPPET(lock_register, ".byte 0xf0; add %eax, %eax")
SNIPPET(move_to_cs, ".byte 0x8e, 0xc8")
SNIPPET(too_long, ".fill 15, 1, 0x66; nop")
SNIPPET(longest, ".fill 14, 1, 0x66; nop")
SNIPPET(do_hlt, "hlt")
SNIPPET(do_cli, "cli")
SNIPPET(do_sti, "sti")
SNIPPET(do_in, "in $0x80, %al")
SNIPPET(do_outs, "mov $0x80, %edx; outsb")
SNIPPET(do_lgdt, "lgdt gdt_pointer")
SNIPPET(do_lmsw, "lmsw %ax")
SNIPPET(do_clts, "clts")
SNIPPET(do_invlpg, "invlpg gdt")
SNIPPET(do_wbinvd, "wbinvd")
SNIPPET(do_rdmsr, "mov $0x10, %ecx; cmp %ecx, %ecx; rdmsr")
SNIPPET(do_ltr, "mov $0x38, %eax; ltr %ax")
SNIPPET(do_lldt, "xor %eax, %eax; lldt %ax")
SNIPPET(do_str, "str %eax")
SNIPPET(move_from_cr3, ".byte 0x0f, 0x20, 0xd8")
SNIPPET(move_from_cr1, ".byte 0x0f, 0x20, 0xc8")
SNIPPET(move_from_dr0, ".byte 0x0f, 0x21, 0xc0")
SNIPPET(load_absent, "mov $0x4b, %eax; mov %eax, %ds")
SNIPPET(load_execute_only, "mov $0x53, %eax; mov %eax, %es")
SNIPPET(load_beyond, "mov $0x20b, %eax; mov %eax, %es")
SNIPPET(load_local, "mov $0x0f, %eax; mov %eax, %es")
SNIPPET(load_kernel_data, "mov $0x18, %eax; mov %eax, %es")
SNIPPET(load_task_state, "mov $0x3b, %eax; mov %eax, %es")
SNIPPET(load_null_stack, "xor %eax, %eax; mov %eax, %ss")
SNIPPET(load_absent_stack, "mov $0x78, %eax; mov %eax, %ss")
SNIPPET(load_user_absent_stack, "mov $0x4b, %eax; mov %eax, %ss")
SNIPPET(load_code_stack, "mov $0x08, %eax; mov %eax, %ss")
SNIPPET(load_user_stack, "mov $0x2b, %eax; mov %eax, %ss")
SNIPPET(load_read_only_stack, "mov $0x5b, %eax; mov %eax, %ss")
SNIPPET(fpu_nop, "fnop")
SNIPPET(fpu_wait, "fwait")
SNIPPET(sse_move, "xorps %xmm0, %xmm0")
SNIPPET(fpu_divide,
        "fninit; push $0x37b; fldcw (%" WIDE "sp); pop %" WIDE
        "cx; fldz; fld1; fdivp; nop; xor %eax, %eax; fwait; fninit")
SNIPPET(page_read, "mov $0x40001234, %ecx; mov (%" WIDE "cx), %cl")
SNIPPET(page_write, "movb $1, 0x40001234")
SNIPPET(page_modify, "incl 0x40001234")
SNIPPET(page_execute, "mov $0x40001234, %ecx; jmp *%" WIDE "cx")
SNIPPET(page_cross, "mov 0x3fffffff, %ecx")
SNIPPET(page_push, "mov %" WIDE "sp, %" WIDE "dx; mov $0x40001000, %esp; cmp %eax, %eax; push %" WIDE "ax")

#ifdef GUEST64
SNIPPET(push_es, ".byte 0x06")
SNIPPET(into, ".byte 0xce")
SNIPPET(far_jump_direct, ".byte 0xea, 0, 0, 0, 0, 0x10, 0")
SNIPPET(aam, ".byte 0xd4, 0x0a")
SNIPPET(read_non_canonical, "mov $0x800000000000, %rcx; cmp %eax, %eax; mov (%rcx), %al")
SNIPPET(stack_non_canonical, "mov $0x800000000000, %rbp; cmp %eax, %eax; mov (%rbp), %al")
SNIPPET(jump_non_canonical, "mov $0x800000000000, %rcx; cmp %eax, %eax; jmp *%rcx")
SNIPPET(return_non_canonical, "mov $0x800000000000, %rcx; push %rcx; cmp %eax, %eax; ret")
SNIPPET(cross_canonical, "mov $0x7ffffffffffd, %rcx; cmp %eax, %eax; mov (%rcx), %eax")
SNIPPET(do_syscall, "syscall")
SNIPPET(do_sysret, "xor %ecx, %ecx; sysretq")
SNIPPET(do_swapgs, "swapgs; swapgs")
SNIPPET(iret_nested, "pushfq; orl $0x4000, (%rsp); popfq; iretq")
#else
SNIPPET(aam_zero, "mov $5, %eax; cmp %eax, %eax; aam $0")
SNIPPET(into_set, "mov $0x7f, %al; add $1, %al; into")
SNIPPET(into_clear, "xor %eax, %eax; into")
SNIPPET(bound_below, "mov $-1, %ecx; bound %ecx, bounds")
SNIPPET(bound_above, "mov $11, %ecx; bound %ecx, bounds")
SNIPPET(bound_inside, "mov $10, %ecx; bound %ecx, bounds")
SNIPPET(limited_last, "mov $0x63, %eax; mov %eax, %fs; mov %fs:0xffc, %eax")
SNIPPET(limited_cross, "mov $0x63, %eax; mov %eax, %fs; mov %fs:0xffd, %eax")
SNIPPET(limited_stack, "mov $0x63, %eax; mov %eax, %ss; mov $0xffd, %ebp; mov (%ebp), %eax")
SNIPPET(limited_push, "mov $0x63, %eax; mov %eax, %ss; mov $2, %esp; push %eax")
SNIPPET(below_down, "mov $0x6b, %eax; mov %eax, %fs; mov %fs:0xfff, %al")
SNIPPET(inside_down, "mov $0x6b, %eax; mov %eax, %fs; mov %fs:0x1000, %al")
SNIPPET(write_read_only, "mov $0x5b, %eax; mov %eax, %fs; mov %al, %fs:bounds")
SNIPPET(write_code, "mov %al, %cs:bounds")
SNIPPET(null_segment, "xor %eax, %eax; mov %eax, %fs; mov %fs:bounds, %al")
SNIPPET(far_jump_absent, "ljmp $0x70, $nothing")
SNIPPET(far_jump_data, "ljmp $0x18, $nothing")
SNIPPET(far_jump_null, "ljmp $0x00, $nothing")
SNIPPET(far_jump_user, "ljmp $0x20, $nothing")
SNIPPET(far_jump_beyond, "ljmp $0x208, $nothing")
SNIPPET(far_call_stack, "lcall $0x08, $nothing")
SNIPPET(far_return_inner, "push $0x08; push $nothing; lret")
asm(".data\nbounds: .long 0, 10\n.text");
#endif

namespace {
void print_case(const char* ring, const char* name, const Trap& trap, void (*code)()) {
    print(ring, " ", name, ": ");
    print_trap(trap, code);
    print("\n");
}
void kernel(const char* name, void (*code)()) {
    print_case("cpl0", name, run_kernel(code), code);
}
void user(const char* name, void (*code)()) {
    print_case("cpl3", name, run_user(code), code);
}
void both(const char* name, void (*code)()) {
    kernel(name, code);
    user(name, code);
}

void make_segments() {
    gdt[absent_data / 8] = 0x00cf73000000ffff;
    gdt[execute_only / 8] = 0x00cff9000000ffff;
    gdt[read_only / 8] = 0x00cff1000000ffff;
    gdt[limited / 8] = 0x0040f30000000fff;
    gdt[expand_down / 8] = 0x0040f70000000fff;
    gdt[absent_code / 8] = kernel_code == kernel_code64 ? 0x00af1b000000ffff : 0x00cf1b000000ffff;
    gdt[absent_stack / 8] = 0x00cf13000000ffff;
}

void divisions_and_software() {
    both("div by zero", div_zero);
    both("div quotient too large", div_large);
    both("idiv quotient too large", idiv_large);
    both("div of 8 bits", div_byte);
    both("int3", breakpoint);
    both("int 3", int_3);
    both("int 4", int_4);
    user("int 13", int_13);  // at CPL 0 it would push no error code, which the entry expects
    both("int 49", int_49);
    both("ud2", undefined);
    both("lock nop", lock_nop);
    both("lock mov", lock_load);
    both("lock add to a register", lock_register);
    both("mov to cs", move_to_cs);
    both("16 bytes", too_long);
    both("15 bytes", longest);
}

void privileged() {
    user("hlt", do_hlt);
    user("cli", do_cli);
    user("sti", do_sti);
    user("in", do_in);
    user("outs", do_outs);
    user("lgdt", do_lgdt);
    user("lmsw", do_lmsw);
    user("clts", do_clts);
    user("invlpg", do_invlpg);
    user("wbinvd", do_wbinvd);
    user("rdmsr", do_rdmsr);
    user("ltr", do_ltr);
    user("lldt", do_lldt);
    user("str", do_str);
    user("mov from cr3", move_from_cr3);
    user("mov from dr0", move_from_dr0);
    kernel("mov from cr1", move_from_cr1);
    kernel("ltr of a busy TSS", do_ltr);
}

void segments() {
    both("ds not present", load_absent);
    both("es execute-only", load_execute_only);
    both("es beyond the table", load_beyond);
    both("es in no local table", load_local);
    both("es is a TSS", load_task_state);
    user("es of the kernel", load_kernel_data);
    kernel("ss null", load_null_stack);
    user("ss null", load_null_stack);
    kernel("ss not present", load_absent_stack);
    user("ss not present", load_user_absent_stack);
    kernel("ss is code", load_code_stack);
    kernel("ss of another DPL", load_user_stack);
    user("ss read-only", load_read_only_stack);
}

void floating_point() {
    const uptr cr0 = read_cr0();
    write_cr0(cr0 | 8);  // TS
    both("fnop with TS", fpu_nop);
    both("fwait with TS and MP", fpu_wait);
    both("SSE with TS", sse_move);
    write_cr0((cr0 | 8) & ~uptr{2});
    both("fwait with TS without MP", fpu_wait);
    write_cr0((cr0 | 4) & ~uptr{2});  // EM
    both("fnop with EM", fpu_nop);
    both("SSE with EM", sse_move);
    write_cr0(cr0);
    const uptr cr4 = read_cr4();
    write_cr4(cr4 & ~uptr{0x200});
    both("SSE without OSFXSR", sse_move);
    write_cr4(cr4);
    both("x87 divide by zero", fpu_divide);
    asm volatile("fninit");
}

// An interrupt gate clears IF, a trap gate keeps it; both clear TF, NT, RF and VM.
void gate_types() {
    set_handler(49, [](Frame& frame) {
        uptr flags;
        asm volatile("pushf; pop %0" : "=r"(flags));
        print("IF ",
              Hex{flags & 0x200},
              ", NT ",
              Hex{flags & 0x4000},
              ", saved ",
              Hex{frame.flags & 0x4200},
              "\n");
    });
    for (u32 type = 0xee; type <= 0xef; ++type) {
        default_gate(49);
        set_gate_type(49, type);
        print(type == 0xee ? "interrupt gate: " : "trap gate: ");
        run_kernel(int_with_flags);
    }
    set_handler(49, nullptr);
    default_gate(49);
}

void gates() {
    gate_types();
    set_gate(49, nothing, 0x0e, kernel_code, 0);  // not present
    kernel("int through an absent gate", int_49);
    set_gate(49, nothing, 0x6e, kernel_code, 0);
    both("int through an absent gate of DPL 3", int_49);
    set_gate(49, nothing, 0xee, 0, 0);
    both("gate with a null selector", int_49);
    set_gate(49, nothing, 0xee, kernel_data, 0);
    both("gate to data", int_49);
    set_gate(49, nothing, 0xee, absent_code, 0);
    both("gate to absent code", int_49);
    set_gate(49, nothing, 0xe0, kernel_code, 0);
    both("gate of no gate's type", int_49);
    set_gate(6, nothing, 0x0e, kernel_code, 0);
    both("ud2 through an absent gate", undefined);
    set_gate(13, nothing, 0x0e, kernel_code, 0);
    both("#GP through an absent gate", too_long);
    both("ud2, both gates absent", undefined);
    default_gate(6);
    default_gate(13);
    default_gate(49);
}

#ifdef GUEST64
extern "C" u64 boot_directories[];
u64& test_page = boot_directories[512];
constexpr u64 large_page = 0x40000087;
void start_paging() {}
#else
alignas(4096) u32 directory[1024];
u32& test_page = directory[0x100];
constexpr u32 large_page = 0x40000087 & ~0u;
void start_paging() {
    for (u32 i = 0; i < 1024; ++i) {
        directory[i] = i << 22 | 0x87;
    }
    write_cr4(read_cr4() | 0x10);  // PSE
    write_cr3(reinterpret_cast<uptr>(directory));
    write_cr0(read_cr0() | 0x80000000);
}
#endif

void page_faults(const char* state, unsigned flags) {
    test_page = (large_page & ~u32{7}) | flags;
    write_cr3(read_cr3());
    print("a page that is ", state, "\n");
    both("read", page_read);
    both("write", page_write);
    both("read and write", page_modify);
    both("execute", page_execute);
    both("read across", page_cross);
    // A push at CPL 0 cannot report its fault on the same stack.
    test_page = large_page;
    write_cr3(read_cr3());
}

void paging() {
    start_paging();
    page_faults("absent", 0);
    test_page = 0x40000000 & ~7U;
    write_cr3(read_cr3());
    user("push", page_push);
    test_page = large_page;
    write_cr3(read_cr3());
    set_gate(14, nothing, 0x0e, kernel_code, 0);
    test_page = 0;
    write_cr3(read_cr3());
    both("#PF through an absent gate", page_read);
    default_gate(14);
    test_page = large_page;
    write_cr3(read_cr3());
}

#ifdef GUEST64
alignas(16) u8 ist_stack[4096];

// Where the frame is: behind SS, from the stack's top; the processor aligns to 16 bytes first.
void on_undefined(Frame& frame) {
    const uptr above = reinterpret_cast<uptr>(&frame.ss + 1);
    const uptr from_top = reinterpret_cast<uptr>(ist_stack) + sizeof(ist_stack) - above;
    if (from_top < 64) {
        print("on the IST stack, below its top by ", Hex{from_top});
    } else {
        print("on another stack, alignment ", Hex{above % 16});
        if (frame.cs == kernel_code64) {
            print(", below RSP by ", Hex{frame.sp - above});
        }
    }
    print(", ss ", Hex{frame.ss}, "\n");
    frame.ip += 2;
}
SNIPPET(undefined_stack, "mov %rsp, %rdx; and $-16, %rsp; ud2; sub $4, %rsp; ud2; mov %rdx, %rsp")

void stacks() {
    set_handler(6, on_undefined);
    for (u32 below = 0; below <= 24; below += 12) {
        set_ist(3, reinterpret_cast<uptr>(ist_stack) + sizeof(ist_stack) - below);
        default_gate(6, 3);
        print("IST 3, top less ", below, "\n");
        run_kernel(undefined_stack);
        run_user(undefined_stack);
    }
    default_gate(6);
    print("no IST\n");
    run_kernel(undefined_stack);
    run_user(undefined_stack);
    set_handler(6, nullptr);
}

void one_width_only() {
    stacks();
    both("push es", push_es);
    both("into", into);
    both("direct far jump", far_jump_direct);
    both("aam", aam);
    both("non-canonical read", read_non_canonical);
    both("non-canonical read by rbp", stack_non_canonical);
    both("non-canonical jump", jump_non_canonical);
    both("non-canonical return", return_non_canonical);
    user("read across the end of canonical space", cross_canonical);
    both("syscall without SCE", do_syscall);
    both("sysret without SCE", do_sysret);
    both("swapgs", do_swapgs);
    kernel("iret with NT", iret_nested);
}
constexpr const char* name = "exceptions64";
#else
void one_width_only() {
    both("aam 0", aam_zero);
    both("into with OF", into_set);
    both("into without OF", into_clear);
    both("bound below", bound_below);
    both("bound above", bound_above);
    both("bound inside", bound_inside);
    both("last of a limit", limited_last);
    both("across a limit", limited_cross);
    user("across the limit of ss", limited_stack);
    user("push below 0", limited_push);
    both("below an expand-down limit", below_down);
    both("inside an expand-down segment", inside_down);
    both("write to read-only data", write_read_only);
    both("write to code", write_code);
    both("null segment", null_segment);
    both("far jump to absent code", far_jump_absent);
    both("far jump to data", far_jump_data);
    both("far jump to null", far_jump_null);
    both("far jump to user code", far_jump_user);
    both("far jump beyond the table", far_jump_beyond);
    user("far call to kernel code", far_call_stack);
    user("far return to kernel code", far_return_inner);
}
constexpr const char* name = "exceptions32";
#endif
}  // namespace

void guest_main() {
    make_segments();
    both("nothing", nothing);
    divisions_and_software();
    privileged();
    segments();
    floating_point();
    gates();
    one_width_only();
    paging();
    print(name, ": ok\n");
    exit(0);
}
