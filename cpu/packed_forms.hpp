#pragma once
#include "cpu/families.hpp"
#include "cpu/packed.hpp"
#include "cpu/simd_exceptions.hpp"

// An operation on packed values, in the operand forms of MMX, SSE and VEX. It is written once, for 8 or 16
// bytes; a YMM register is two halves of 16 bytes on which the same is done.
namespace hyperstep::cpu {

/// Where an operation has nothing else to say. Each operation derives from this and has
/// `apply<bytes>(a, b, immediate)`, or `apply(FloatEnvironment&, a, b, immediate)`, or with a mask as its
/// third source.
struct PackedOperation {
    /// Bytes of the second source for one unit of the result, if it is in memory. The second half of a YMM
    /// register uses the bytes after these.
    static constexpr unsigned memory_bytes = 16;
    static constexpr unsigned mmx_memory_bytes = 8;
    /// Bytes of the result that count. With 8, both halves of a YMM source make one XMM register.
    static constexpr unsigned result_bytes = 16;
    /// How far the immediate is shifted for the second half.
    static constexpr unsigned immediate_shift = 0;
    /// Both halves use the same second source, of 16 bytes: a count.
    static constexpr bool shared_source = false;
    /// Legacy encodings do not want 16 bytes of memory to be aligned either.
    static constexpr bool unaligned = false;
    /// The source is one register, the immediate says the rest.
    static constexpr bool in_place = false;
};

/// Where the sources are.
enum class Sources : std::uint8_t {
    two,      ///< the first source (of SSE: the destination), and a register or memory
    one,      ///< a register or memory
    in_place  ///< one register, and an immediate: of SSE the destination itself
};

template <class Operation>
concept OnFloats = requires(FloatEnvironment& environment, const Packed<16>& value) {
    Operation::apply(environment, value, value, 0U);
};

namespace forms_detail {
template <class Operation>
Packed<16> apply(FloatEnvironment& environment,
                 const Packed<16>& a,
                 const Packed<16>& b,
                 unsigned immediate) {
    if constexpr (OnFloats<Operation>)
        return Operation::apply(environment, a, b, immediate);
    else
        return Operation::template apply<16>(a, b, immediate);
}

template <class Operation>
Packed<32> apply_to_halves(FloatEnvironment& environment,
                           const Packed<32>& a,
                           const Packed<32>& b,
                           unsigned immediate) {
    Packed<16> b_upper{b[2], b[3]};
    if constexpr (Operation::shared_source) {
        b_upper = {b[0], b[1]};
    } else if constexpr (Operation::memory_bytes < 16) {
        b_upper = {};
        std::memcpy(b_upper.data(),
                    reinterpret_cast<const std::byte*>(b.data()) + Operation::memory_bytes,
                    Operation::memory_bytes);
    }
    const Packed<16> lower = apply<Operation>(environment, {a[0], a[1]}, {b[0], b[1]}, immediate);
    const Packed<16> upper =
        apply<Operation>(environment, {a[2], a[3]}, b_upper, immediate >> Operation::immediate_shift);
    if constexpr (Operation::result_bytes == 8) return {lower[0], upper[0], 0, 0};
    return {lower[0], lower[1], upper[0], upper[1]};
}

/// The second source of the operation.
template <class Operation, Encoding encoding, Sources sources, unsigned bytes>
Expected<Packed<bytes>> source(Cpu& cpu, const Op& op) {
    constexpr unsigned place = sources == Sources::two ? second_source<encoding> : 1;
    constexpr unsigned read_bytes = Operation::shared_source ? 16 : Operation::memory_bytes * (bytes / 16);
    if constexpr (sources == Sources::in_place)
        return vector_register<bytes>(cpu.state, first_source<encoding>(op));
    if (!op.has(op_flag::has_memory)) return vector_register<bytes>(cpu.state, op.reg[place]);
    constexpr bool aligned = encoding == Encoding::sse && read_bytes == 16 && !Operation::unaligned;
    return load_packed < read_bytes, aligned ? Alignment::natural : Alignment::any, bytes > (cpu, op);
}
}  // namespace forms_detail

template <class Operation, Encoding encoding, Sources sources, unsigned bytes>
Outcome run_packed(Cpu& cpu, const Op& op) {
    using namespace forms_detail;
    HS_TRY(check<encoding>(cpu));
    const auto b = source<Operation, encoding, sources, bytes>(cpu, op);
    if (!b) return tl::unexpected{b.error()};
    FloatEnvironment environment{cpu.state.mxcsr};
    const auto a = vector_register<bytes>(cpu.state, first_source<encoding>(op));
    const auto immediate = static_cast<unsigned>(op.immediate & 0xff);
    Packed<bytes> result;
    if constexpr (bytes == 32)
        result = apply_to_halves<Operation>(environment, a, *b, immediate);
    else
        result = apply<Operation>(environment, a, *b, immediate);
    if constexpr (OnFloats<Operation>) HS_TRY(signal_exceptions(cpu, environment));
    set_vector<encoding, bytes>(cpu.state, op.reg[0], result);
    return {};
}

template <class Operation, Sources sources>
Outcome run_packed_mmx(Cpu& cpu, const Op& op) {
    HS_TRY(check_mmx(cpu));
    Packed<8> b{};
    if constexpr (sources == Sources::in_place) {
        b[0] = mmx_register(cpu.state, op.reg[0]);
    } else if (op.has(op_flag::has_memory)) {
        const auto loaded = load_packed<Operation::mmx_memory_bytes, Alignment::any>(cpu, op);
        if (!loaded) return tl::unexpected{loaded.error()};
        b = *loaded;
    } else {
        b[0] = mmx_register(cpu.state, op.reg[1]);
    }
    const Packed<8> a{mmx_register(cpu.state, op.reg[0])};
    const auto result = Operation::template apply<8>(a, b, static_cast<unsigned>(op.immediate & 0xff));
    enter_mmx(cpu.state);
    set_mmx_register(cpu.state, op.reg[0], result[0]);
    return {};
}

/// Whether an instruction works on whole YMM registers.
constexpr bool on_ymm(const Form& form) {
    for (std::size_t i = 0; i < form.operands; ++i)
        if (form.kind[i] == OperandKind::ymm || (form.kind[i] == OperandKind::memory && form.bits[i] == 256))
            return true;
    return false;
}

namespace forms_detail {
constexpr unsigned sources_in(const Form& form) {
    unsigned count = form.operands;
    while (count != 0 && form.kind[count - 1] == OperandKind::immediate) --count;
    return count;
}

template <class Operation, Encoding encoding, unsigned bytes>
Handler by_sources(const Form& form) {
    const unsigned count = sources_in(form);
    if constexpr (Operation::in_place) {
        const bool fits = count == (encoding == Encoding::vex ? 2 : 1) && form.operands == count + 1U;
        return fits ? run_packed<Operation, encoding, Sources::in_place, bytes> : nullptr;
    } else {
        if (count == (encoding == Encoding::vex ? 3 : 2))
            return run_packed<Operation, encoding, Sources::two, bytes>;
        if (encoding == Encoding::vex && count == 2 && !Operation::shared_source)
            return run_packed<Operation, encoding, Sources::one, bytes>;
        return nullptr;
    }
}
}  // namespace forms_detail

/// The handlers of an operation. Forms of other register classes are left to other rows.
template <class Operation>
Handler in_mmx(const Form& form) {
    if (form.kind[0] != OperandKind::mmx) return nullptr;
    const bool has_immediate_only = form.is(OperandKind::mmx, OperandKind::immediate);
    if (has_immediate_only != Operation::in_place) return nullptr;
    return run_packed_mmx < Operation, Operation::in_place ? Sources::in_place : Sources::two > ;
}
template <class Operation>
Handler in_sse(const Form& form) {
    if (form.kind[0] != OperandKind::xmm) return nullptr;
    return forms_detail::by_sources<Operation, Encoding::sse, 16>(form);
}
template <class Operation>
Handler in_vex_128(const Form& form) {
    if (form.kind[0] != OperandKind::xmm || on_ymm(form)) return nullptr;
    return forms_detail::by_sources<Operation, Encoding::vex, 16>(form);
}
template <class Operation>
Handler in_vex_256(const Form& form) {
    if (!on_ymm(form)) return nullptr;
    return forms_detail::by_sources<Operation, Encoding::vex, 32>(form);
}

}  // namespace hyperstep::cpu
