// Integer and branches: a sieve, a shell sort of random numbers, and Collatz walks.
#include "bench/guests/work.hpp"

namespace {
constexpr u32 sieve_size = 20000, sort_size = 2000, walks = 1500;
u8 composite[sieve_size];
u32 numbers[sort_size];

u64 sieve(u64 sum) {
    for (u32 i = 0; i < sieve_size; ++i) {
        composite[i] = 0;
    }
    for (u32 i = 2; i < sieve_size; ++i) {
        if (composite[i] != 0) {
            continue;
        }
        sum = mix(sum, i);
        for (u32 j = i * 2; j < sieve_size; j += i) {
            composite[j] = 1;
        }
    }
    return sum;
}

u64 sort(u64 sum) {
    Random random;
    for (u32& number : numbers) {
        number = random.next();
    }
    for (u32 gap = 1093; gap != 0; gap /= 3) {
        for (u32 i = gap; i < sort_size; ++i) {
            const u32 moved = numbers[i];
            u32 at = i;
            for (; at >= gap && numbers[at - gap] > moved; at -= gap) {
                numbers[at] = numbers[at - gap];
            }
            numbers[at] = moved;
        }
    }
    for (const u32 number : numbers) {
        sum = mix(sum, number);
    }
    return sum;
}

u64 collatz(u64 sum) {
    u64 steps = 0;
    for (u64 start = 1; start <= walks; ++start) {
        for (u64 at = start; at != 1; ++steps) {
            at = (at & 1) != 0 ? 3 * at + 1 : at / 2;
        }
    }
    return mix(sum, steps);
}
}  // namespace

void guest_main() {
    repeat("integer", expected::integer, [] { return collatz(sort(sieve(0))); });
}
