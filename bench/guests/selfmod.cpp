// Self-modifying code: a patched immediate, a patched opcode, a function that is copied from place to place,
// and an instruction that changes the next one.
#include "bench/guests/work.hpp"

// value = patched_function(value): an operation on EDI whose opcode and immediate are written over.
asm(R"(
    .text
    .balign 64
patched_function:
    mov %edi, %eax
patched_operation:
    .byte 0x05
patched_immediate:
    .long 0
    rol $3, %eax
    ret
patched_end:
    .balign 64
next_function:
    movb %dil, next_immediate + 1(%rip)
next_immediate:
    mov $0, %al
    movzbl %al, %eax
    ret
)");
extern "C" {
u32 patched_function(u32 value);
u32 next_function(u32 value);
extern volatile u8 patched_operation;
extern volatile u32 patched_immediate;
extern u8 patched_end;
}

namespace {
constexpr u32 rounds = 2000, places = 16;
alignas(4096) u8 space[places][4096];

u64 work() {
    static const u8 operations[] = {0x05, 0x2d, 0x35, 0x0d};  // ADD, SUB, XOR, OR EAX with an immediate
    Random random;
    u64 sum = 0;
    u32 value = 1;
    const u64 length = reinterpret_cast<u64>(&patched_end) - reinterpret_cast<u64>(&patched_function);
    for (u32 i = 0; i < rounds; ++i) {
        const u32 chosen = random.next();
        if (chosen % 4 == 0) {
            patched_operation = operations[chosen >> 8 & 3];
        }
        patched_immediate = chosen;
        value = patched_function(value);
        if (chosen % 16 == 1) {
            u8* place = space[chosen >> 20 & 15] + (chosen >> 24);
            const void* from = reinterpret_cast<void*>(&patched_function);
            void* to = place;
            u64 count = length;
            asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
            value = reinterpret_cast<u32 (*)(u32)>(place)(value);
        }
        sum = mix(sum, value + next_function(chosen >> 16 & 0xff));
    }
    return sum;
}
}  // namespace

void guest_main() {
    repeat("selfmod", expected::selfmod, [] {
        patched_operation = 0x05;
        return work();
    });
}
