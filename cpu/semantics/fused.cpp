#include <Zydis/Mnemonic.h>

#include "cpu/semantics/packed_float.hpp"

// Fused multiply-add. SDM "FMA", "Fused-Multiply-ADD (FMA) Numeric Behavior".
namespace hyperstep::cpu {
namespace {

using namespace packed;
constexpr Encoding vex = Encoding::vex;

/// Which operands are multiplied, and which is added: 132 is first * third + second.
enum class Order : std::uint8_t { o132, o213, o231 };
/// What happens to product and addend. `add_subtract`: even lanes subtract, odd ones add.
enum class Signs : std::uint8_t { add, subtract, negate_add, negate_subtract, add_subtract, subtract_add };

constexpr soft_float::Negated negated(Signs signs, std::size_t lane) {
    const bool even = lane % 2 == 0;
    switch (signs) {
        case Signs::add: return {};
        case Signs::subtract: return {.addend = true};
        case Signs::negate_add: return {.product = true};
        case Signs::negate_subtract: return {.product = true, .addend = true};
        case Signs::add_subtract: return {.addend = even};
        case Signs::subtract_add: break;
    }
    return {.addend = !even};
}

template <class T, Lanewise lanewise, Order order, Signs signs, unsigned bytes>
Outcome fused(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    constexpr unsigned source_bytes = lanewise == Lanewise::scalar ? sizeof(T) : bytes;
    const auto source = vector_source<vex, source_bytes, 2>(cpu, op);
    if (!source) return tl::unexpected{source.error()};
    const auto first = lanes_of<T>(vector_register<bytes>(cpu.state, op.reg[0]));
    const auto second = lanes_of<T>(vector_register<bytes>(cpu.state, op.reg[1]));
    const auto third = lanes_of<T>(*source);
    FloatEnvironment environment{cpu.state.mxcsr};
    auto result = first;
    constexpr std::size_t count = lanewise == Lanewise::scalar ? 1 : result.size();
    for (std::size_t i = 0; i < count; ++i) {
        const auto negations = negated(signs, i);
        if constexpr (order == Order::o132)
            result[i] = soft_float::multiply_add(environment, first[i], third[i], second[i], negations);
        else if constexpr (order == Order::o213)
            result[i] = soft_float::multiply_add(environment, second[i], first[i], third[i], negations);
        else
            result[i] = soft_float::multiply_add(environment, second[i], third[i], first[i], negations);
    }
    HS_TRY(signal_exceptions(cpu, environment));
    set_vector<vex, bytes>(cpu.state, op.reg[0], pack(result));
    return {};
}
template <class T, Order order, Signs signs>
Handler packed_form(const Form& form) {
    return on_ymm(form) ? fused<T, Lanewise::packed, order, signs, 32>
                        : fused<T, Lanewise::packed, order, signs, 16>;
}

#define PACKED_ORDER(stem, order, signs)                                                                 \
    {ZYDIS_MNEMONIC_##stem##order##PS, Feature::fma, packed_form<f32, Order::o##order, Signs::signs>}, { \
        ZYDIS_MNEMONIC_##stem##order##PD, Feature::fma, packed_form<f64, Order::o##order, Signs::signs>  \
    }
#define SCALAR_ORDER(stem, order, signs)                                          \
    {ZYDIS_MNEMONIC_##stem##order##SS,                                            \
     Feature::fma,                                                                \
     only<fused<f32, Lanewise::scalar, Order::o##order, Signs::signs, 16>>},      \
    {                                                                             \
        ZYDIS_MNEMONIC_##stem##order##SD, Feature::fma,                           \
            only<fused<f64, Lanewise::scalar, Order::o##order, Signs::signs, 16>> \
    }
#define PACKED(stem, signs) \
    PACKED_ORDER(stem, 132, signs), PACKED_ORDER(stem, 213, signs), PACKED_ORDER(stem, 231, signs)
#define SCALAR(stem, signs) \
    SCALAR_ORDER(stem, 132, signs), SCALAR_ORDER(stem, 213, signs), SCALAR_ORDER(stem, 231, signs)

constexpr Row rows[] = {
    PACKED(VFMADD, add),
    SCALAR(VFMADD, add),
    PACKED(VFMSUB, subtract),
    SCALAR(VFMSUB, subtract),
    PACKED(VFNMADD, negate_add),
    SCALAR(VFNMADD, negate_add),
    PACKED(VFNMSUB, negate_subtract),
    SCALAR(VFNMSUB, negate_subtract),
    PACKED(VFMADDSUB, add_subtract),
    PACKED(VFMSUBADD, subtract_add),
};

}  // namespace

std::span<const Row> fused_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
