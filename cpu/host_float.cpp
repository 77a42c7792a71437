#include "cpu/host_float.hpp"

#include <emmintrin.h>

namespace hyperstep::cpu::host_float {
namespace {

// One asm statement, so that nothing of the compiler's is computed in the guest's environment.
#define ONE_INSTRUCTION(mnemonic)                               \
    asm volatile(                                               \
        "stmxcsr %[host]\n\t"                                   \
        "ldmxcsr %[control]\n\t" mnemonic                       \
        " %[b], %[a]\n\t"                                       \
        "stmxcsr %[status]\n\t"                                 \
        "ldmxcsr %[host]"                                       \
        : [a] "+x"(a), [host] "=m"(host), [status] "=m"(status) \
        : [b] "x"(b), [control] "m"(control))

#define ONE_OPERATION(name)                               \
    {                                                     \
        if constexpr (shape == Shape::packed_single)      \
            ONE_INSTRUCTION(name "ps");                   \
        else if constexpr (shape == Shape::packed_double) \
            ONE_INSTRUCTION(name "pd");                   \
        else if constexpr (shape == Shape::scalar_single) \
            ONE_INSTRUCTION(name "ss");                   \
        else                                              \
            ONE_INSTRUCTION(name "sd");                   \
    }

template <Operation operation, Shape shape>
__m128i run_on_host(__m128i a, __m128i b, std::uint32_t control, std::uint32_t& status) {
    std::uint32_t host = 0;
    if constexpr (operation == Operation::add) ONE_OPERATION("add")
    if constexpr (operation == Operation::subtract) ONE_OPERATION("sub")
    if constexpr (operation == Operation::multiply) ONE_OPERATION("mul")
    if constexpr (operation == Operation::divide) ONE_OPERATION("div")
    if constexpr (operation == Operation::square_root) ONE_OPERATION("sqrt")
    return a;
}
#undef ONE_OPERATION
#undef ONE_INSTRUCTION

}  // namespace

template <Operation operation, Shape shape>
Packed<16> compute(FloatEnvironment& environment, const Packed<16>& a, const Packed<16>& b) {
    constexpr std::uint32_t all_masks = simd::all << simd::mask_shift;
    const std::uint32_t control = (environment.mxcsr | all_masks) & ~simd::all;
    std::uint32_t status = 0;
    const __m128i result =
        run_on_host<operation, shape>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a.data())),
                                      _mm_loadu_si128(reinterpret_cast<const __m128i*>(b.data())),
                                      control,
                                      status);
    environment.raised |= status & simd::all;
    Packed<16> stored;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(stored.data()), result);
    return stored;
}

#define INSTANTIATE_SHAPE(operation, shape)                          \
    template Packed<16> compute<Operation::operation, Shape::shape>( \
        FloatEnvironment&, const Packed<16>&, const Packed<16>&)
#define INSTANTIATE(operation)                   \
    INSTANTIATE_SHAPE(operation, packed_single); \
    INSTANTIATE_SHAPE(operation, packed_double); \
    INSTANTIATE_SHAPE(operation, scalar_single); \
    INSTANTIATE_SHAPE(operation, scalar_double)
INSTANTIATE(add);
INSTANTIATE(subtract);
INSTANTIATE(multiply);
INSTANTIATE(divide);
INSTANTIATE(square_root);
#undef INSTANTIATE
#undef INSTANTIATE_SHAPE

}  // namespace hyperstep::cpu::host_float
