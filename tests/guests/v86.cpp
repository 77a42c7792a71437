// Virtual-8086 mode: the instructions that IOPL decides, INT n, exceptions and IRET back, I/O by the
// permission map.
#include "tests/guests/runtime/guest.hpp"

using namespace guest;

// Each piece is copied to 2000:0000 and runs there; INT3 is never its own: HLT (#GP) ends those that nothing
// else ends.
#define PIECE(name, body)                                                                                    \
    asm(".text\n.code16\n.globl " #name ", " #name "_end\n" #name ":\n" body "\n" #name "_end:\n.code32\n"); \
    extern "C" u8 name[], name##_end[];

PIECE(do_nothing, "nop; nop; hlt")
PIECE(do_cli, "cli; hlt")
PIECE(do_pushf, "pushf; popw %ax; hlt")
PIECE(do_pushfd, "pushfl; popl %eax; hlt")
PIECE(do_popf, "pushw $0x7fd7; popfw; hlt")
PIECE(do_popf_flags, "pushw $0x08d5; popfw; hlt")
PIECE(do_int, "nop; int $0x21; hlt")
PIECE(do_int3, "nop; int3; hlt")
PIECE(do_into, "movb $0x7f, %al; addb $1, %al; into; hlt")
PIECE(do_iret, "pushw $2; pushw $0x2000; pushw $8; iret; nop; hlt")
PIECE(do_ud2, "nop; ud2; hlt")
PIECE(do_div, "xorw %bx, %bx; divw %bx; hlt")
PIECE(do_limit, "movw $0xffff, %bx; testw %ax, (%bx); hlt")
PIECE(do_wrap, "xorw %sp, %sp; pushw $0x1234; movw %sp, %ax; hlt")
PIECE(do_lldt, "xorw %ax, %ax; lldt %ax; hlt")
PIECE(do_str, "str %ax; hlt")
PIECE(do_mov_cr0, "movl %cr0, %eax; hlt")
PIECE(do_smsw, "smsw %ax; hlt")
PIECE(do_out_free, "outb %al, $0x80; hlt")
PIECE(do_in_closed, "inb $0x84, %al; hlt")
PIECE(do_in_wide, "inw $0x83, %ax; hlt")
PIECE(do_segments, "movw $0x1234, %ax; movw %ax, %ds; movw %ax, %es; movw %ds, %bx; hlt")
PIECE(do_far, "ljmp $0x1fff, $0x18; nop; nop; nop; hlt")

// ENTRY: run_v86(flags) goes to 2000:0000 with SS:SP = 2000:8000 by IRET; the trap comes back through the
// runtime.
asm(R"(
    .text
    .balign 16
enter_v86:
    pushl $0x4444 /* GS */
    pushl $0x3333 /* FS */
    pushl $0x2000 /* DS */
    pushl $0x2222 /* ES */
    pushl $0x2000 /* SS */
    pushl $0x8000 /* ESP */
    pushl v86_flags
    pushl $0x2000 /* CS */
    pushl $0x0000 /* EIP */
    xorl %eax, %eax
    xorl %ebx, %ebx
    iret
    .globl v86_flags
    .data
v86_flags: .long 0
    .text
)");
extern "C" {
void enter_v86();
extern u32 v86_flags;
}

namespace {
struct [[gnu::packed]] {
    u32 words[26];
    u8 map[32];
    u8 end;
} own_task;

void run(const char* what, const u8* from, const u8* end, u32 iopl) {
    u8* place = reinterpret_cast<u8*>(0x20000);
    for (const u8* at = from; at != end; ++at) {
        *place++ = *at;
    }
    v86_flags = 0x20002 | iopl << 12;
    const Trap trap = run_kernel(enter_v86);
    print(what, " IOPL ", iopl, ": ");
    print_trap(trap, nullptr);
    print(" sp ",
          Hex{trap.frame.sp},
          " ss ",
          Hex{trap.frame.ss},
          " ax ",
          Hex{trap.frame.ax},
          " bx ",
          Hex{trap.frame.bx});
    print(" segments in the handler ", Hex{trap.frame.ds & 0xffff}, " ", Hex{trap.frame.gs & 0xffff}, "\n");
}
#define RUN(what, name, iopl) run(what, name, name##_end, iopl)

void permission_map() {
    for (u32 i = 0; i < 26; ++i) {
        own_task.words[i] = task_state_words[i];
    }
    own_task.words[25] = 104U << 16;
    for (u8& byte : own_task.map) {
        byte = 0;
    }
    own_task.map[0x84 / 8] |= 1U << (0x84 % 8);
    own_task.end = 0xff;
    const u64 base = reinterpret_cast<uptr>(&own_task);
    gdt[first_free / 8] =
        (sizeof(own_task) - 1) | (base & 0xffffff) << 16 | u64{0x89} << 40 | (base >> 24 & 0xff) << 56;
    asm volatile("ltr %w0" : : "r"(u32{first_free}));
}
}  // namespace

void guest_main() {
    permission_map();
    for (u32 iopl = 0; iopl <= 3; iopl += 3) {
        RUN("nop", do_nothing, iopl);
        RUN("cli", do_cli, iopl);
        RUN("pushf", do_pushf, iopl);
        RUN("pushfd", do_pushfd, iopl);
        RUN("popf of IF and more", do_popf, iopl);
        RUN("popf of arithmetic flags", do_popf_flags, iopl);
        RUN("int 21h", do_int, iopl);
        RUN("int3", do_int3, iopl);
        RUN("into", do_into, iopl);
        RUN("iret", do_iret, iopl);
        RUN("ud2", do_ud2, iopl);
        RUN("div by zero", do_div, iopl);
        RUN("word at ffff", do_limit, iopl);
        RUN("push at 0", do_wrap, iopl);
        RUN("lldt", do_lldt, iopl);
        RUN("str", do_str, iopl);
        RUN("mov from cr0", do_mov_cr0, iopl);
        RUN("smsw", do_smsw, iopl);
        RUN("out to a free port", do_out_free, iopl);
        RUN("in of a closed port", do_in_closed, iopl);
        RUN("in across a closed port", do_in_wide, iopl);
        RUN("segments", do_segments, iopl);
        RUN("far jump", do_far, iopl);
    }
    print("v86: ok\n");
    exit(0);
}
