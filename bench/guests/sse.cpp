// SSE and SSE2: integer vectors, single and double precision. Every operation used is exact IEEE (no
// estimates).
#include "bench/guests/work.hpp"

namespace {
using Ints = u32 __attribute__((vector_size(16)));
using Signed = int __attribute__((vector_size(16)));
using Floats = float __attribute__((vector_size(16)));
using Doubles = double __attribute__((vector_size(16)));
using Longs = u64 __attribute__((vector_size(16)));
constexpr u32 size = 1024;
alignas(16) u32 numbers[size];

u64 fold(Longs value, u64 sum) {
    return mix(mix(sum, value[0]), value[1]);
}

u64 integers(u64 sum) {
    Ints total = {1, 2, 3, 4};
    for (u32 i = 0; i < size; i += 4) {
        const Ints v = *reinterpret_cast<const Ints*>(numbers + i);
        const Ints bigger =
            reinterpret_cast<Ints>(reinterpret_cast<Signed>(v) > reinterpret_cast<Signed>(total));
        total = (total + v) ^ (v >> 5) ^ (bigger & 0x9e3779b9U);
        total =
            reinterpret_cast<Ints>(__builtin_ia32_pshufd(reinterpret_cast<Signed>(total), 0x39));  // 1 2 3 0
        total ^= reinterpret_cast<Ints>(
            __builtin_ia32_pmuludq128(reinterpret_cast<Signed>(total), reinterpret_cast<Signed>(v)));
    }
    return fold(reinterpret_cast<Longs>(total), sum);
}

u64 singles(u64 sum) {
    Floats a = {1.5F, 2.25F, 3.125F, 4.0625F};
    for (u32 i = 0; i < size; i += 4) {
        const Signed v = *reinterpret_cast<const Signed*>(numbers + i) >> 8;  // 24 bits: exact as single
        const Floats f = __builtin_ia32_cvtdq2ps(v);
        a = __builtin_ia32_sqrtps((a * a + f * f) / (a + 3.0F));
    }
    return fold(reinterpret_cast<Longs>(a), sum);
}

u64 doubles(u64 sum) {
    Doubles a = {1.5, 2.25};
    for (u32 i = 0; i < size; i += 2) {
        const Doubles f = {static_cast<double>(static_cast<int>(numbers[i])),
                           static_cast<double>(static_cast<int>(numbers[i + 1]))};
        a = __builtin_ia32_sqrtpd((a * a + f * f) / (a + 3.0)) - 0.1;
    }
    return fold(reinterpret_cast<Longs>(a), sum);
}
}  // namespace

void guest_main() {
    Random random;
    for (u32& number : numbers) {
        number = random.next();
    }
    repeat("sse", expected::sse, [] {
        u64 sum = 0;
        for (int i = 0; i < 20; ++i) {
            sum = doubles(singles(integers(sum)));
        }
        return sum;
    });
}
