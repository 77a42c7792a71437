// Calls: deep recursion, mutual recursion, and indirect calls whose target is random.
#include "bench/guests/work.hpp"

namespace {
[[gnu::noinline, gnu::noipa]] u32 fibonacci(u32 n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
[[gnu::noinline, gnu::noipa]] u32 ackermann(u32 m, u32 n) {
    if (m == 0) {
        return n + 1;
    }
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

[[gnu::noipa]] u64 op0(u64 a) {
    return a + 7;
}
[[gnu::noipa]] u64 op1(u64 a) {
    return a * 5;
}
[[gnu::noipa]] u64 op2(u64 a) {
    return a ^ 0x5555;
}
[[gnu::noipa]] u64 op3(u64 a) {
    return a >> 3;
}
[[gnu::noipa]] u64 op4(u64 a) {
    return a << 9;
}
[[gnu::noipa]] u64 op5(u64 a) {
    return ~a;
}
[[gnu::noipa]] u64 op6(u64 a) {
    return a - 1000003;
}
[[gnu::noipa]] u64 op7(u64 a) {
    return a | 1;
}
u64 (*volatile const table[])(u64) = {op0, op1, op2, op3, op4, op5, op6, op7};

u64 indirect() {
    Random random;
    u64 value = 1;
    for (u32 i = 0; i < 20000; ++i) {
        value = table[random.next() >> 29](value);
    }
    return value;
}
}  // namespace

void guest_main() {
    repeat("calls", expected::calls, [] {
        return mix(mix(mix(0, fibonacci(20)), ackermann(2, 60)), indirect());
    });
}
