// String instructions with REP: MOVS, STOS, SCAS, CMPS; element sizes 1 to 8, lengths 0 to 65536, both
// directions.
#include "bench/guests/work.hpp"

namespace {
constexpr u32 size = 65536;
alignas(4096) u8 one[size + 64], two[size + 64];
const u32 lengths[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 100, 255, 256, 1000, 4095, 4096, 8000};

u64 fold(const u8* bytes, u64 count, u64 sum) {
    for (u64 i = 0; i + 8 <= count; i += 8) {
        sum = mix(sum, *reinterpret_cast<const u64*>(bytes + i));
    }
    return sum;
}

u64 fill_and_move(u64 sum) {
    for (u32 i = 0; i < size; ++i) {
        one[i] = static_cast<u8>(i * 7 + (i >> 8));
    }
    u64 count = size / 8;
    void* to = two;
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x0123456789abcdef) : "memory");
    u64 place = 0;
    for (const u32 length : lengths) {
        const void* from = one + length / 3;
        to = two + place;
        count = length;
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        count = length / 2;
        asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        count = length / 4;
        asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        count = length / 8;
        asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        count = length % 50;
        asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(length) : "memory");
        place = (place + length * 3 + 11) % 32000;
        sum = mix(sum, static_cast<u64>(reinterpret_cast<u8*>(to) - two));
    }
    return fold(two, size, sum);
}

u64 overlap(u64 sum) {
    // Forwards into itself spreads the first bytes; backwards moves them whole.
    const void* from = two + 100;
    void* to = two + 103;
    u64 count = 3000;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    from = two + 10000 + 4999;
    to = two + 10005 + 4999;
    count = 5000;
    asm volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return fold(two, size, sum);
}

u64 search(u64 sum) {
    for (const u32 length : lengths) {
        u64 count = length;
        const void* at = one;
        asm volatile("cmp %%eax, %%eax; repne scasb" : "+D"(at), "+c"(count) : "a"(0x77) : "memory", "cc");
        sum = mix(sum, count);
        count = length;
        const void *left = one, *right = two;
        __builtin_memcpy(two, one, length);
        if (length > 5) {
            two[length - 3] ^= 0xff;
        }
        bool equal;
        asm volatile("cmp %%rcx, %%rcx; repe cmpsb; sete %3"
                     : "+S"(left), "+D"(right), "+c"(count), "=q"(equal)
                     :
                     : "memory", "cc");
        sum = mix(sum, count * 2 + (equal ? 1 : 0));
    }
    return sum;
}
}  // namespace

void guest_main() {
    repeat("strings", expected::strings, [] { return search(overlap(fill_and_move(0))); });
}
