#include "cpu/x87_transcendental.hpp"

#include <bit>

#include "cpu/quad.hpp"
#include "cpu/x87.hpp"
#include "cpu/x87_host.hpp"

namespace hyperstep::cpu {
namespace {

enum class Kind : std::uint8_t { empty, zero, finite, denormal, infinity, nan_or_unsupported };

constexpr Float80 default_nan{.significand = 0xc000'0000'0000'0000, .sign_exponent = 0xffff};
constexpr Float80 one{.significand = 1ULL << 63, .sign_exponent = 0x3fff};

Float80& st(FpuState& fpu, unsigned i) {
    return fpu.registers[x87_register(fpu, i)];
}
bool is_empty(const FpuState& fpu, unsigned i) {
    return (fpu.empty >> x87_register(fpu, i) & 1) != 0;
}
bool is_negative(const Float80& value) {
    return value.sign_exponent >> 15 != 0;
}
Float80 with_sign(Float80 value, bool negative) {
    value.sign_exponent =
        static_cast<std::uint16_t>((value.sign_exponent & 0x7fff) | (negative ? 0x8000 : 0));
    return value;
}
Float80 zero(bool negative) {
    return with_sign({}, negative);
}
Float80 infinity(bool negative) {
    return with_sign({.significand = 1ULL << 63, .sign_exponent = 0x7fff}, negative);
}

/// SDM "x87 FPU Data Types", "Unsupported Double Extended-Precision Floating-Point Encodings and
/// Pseudo-Denormals".
Kind kind_of(const FpuState& fpu, unsigned i) {
    if (is_empty(fpu, i)) return Kind::empty;
    const Float80& value = fpu.registers[x87_register(fpu, i)];
    const unsigned exponent = value.sign_exponent & 0x7fff;
    if (exponent == 0) return value.significand == 0 ? Kind::zero : Kind::denormal;
    if (value.significand >> 63 == 0) return Kind::nan_or_unsupported;
    if (exponent != 0x7fff) return Kind::finite;
    return value.significand == 1ULL << 63 ? Kind::infinity : Kind::nan_or_unsupported;
}

void set_c1(FpuState& fpu, bool up) {
    fpu.status = static_cast<std::uint16_t>((fpu.status & ~x87::c1) | (up ? x87::c1 : 0));
}
void clear_c2(FpuState& fpu) {
    fpu.status = static_cast<std::uint16_t>(fpu.status & ~x87::c2);
}
bool is_masked(const FpuState& fpu, std::uint16_t exception) {
    return (fpu.control & exception) != 0;
}
void pop(FpuState& fpu) {
    fpu.empty = static_cast<std::uint8_t>(fpu.empty | 1U << x87_top(fpu));
    fpu.status = static_cast<std::uint16_t>((fpu.status & 0xc7ff) | (x87_top(fpu) + 1) % 8 << 11);
}
void push(FpuState& fpu, const Float80& value) {
    fpu.status = static_cast<std::uint16_t>((fpu.status & 0xc7ff) | (x87_top(fpu) + 7) % 8 << 11);
    fpu.empty = static_cast<std::uint8_t>(fpu.empty & ~(1U << x87_top(fpu)));
    st(fpu, 0) = value;
}

/// What an exception before the computation leads to. True: it is masked, the default result is to be
/// delivered.
bool raise_before(FpuState& fpu, std::uint16_t exception) {
    fpu.status |= exception;
    set_c1(fpu, false);
    return is_masked(fpu, exception);
}

/// A result on its way to a register.
struct Outcome80 {
    Float80 value;
    std::uint16_t raised = 0;
    bool rounded_up = false;
};

/// The sum of two numbers as the host's x87 unit rounds it under the guest's control word, with 64 bits of
/// precision.
Outcome80 host_binary(const FpuState& fpu, std::uint8_t modrm, const Float80& st1, const Float80& st0) {
    FpuState scratch;
    scratch.control = static_cast<std::uint16_t>(fpu.control | 0x300);
    scratch.status = 0;
    scratch.empty = 0xfc;
    scratch.registers[0] = st0;
    scratch.registers[1] = st1;
    FsaveImage image = fsave_image(scratch);
    std::uint8_t ah = 0;
    host_x87(0xde, modrm)(image, nullptr, ah);
    load_fsave_image(scratch, image);
    const auto raised = static_cast<std::uint16_t>(scratch.status & x87::exceptions);
    return {.value = scratch.registers[1], .raised = raised, .rounded_up = (scratch.status & x87::c1) != 0};
}
constexpr std::uint8_t faddp = 0xc1, fmulp = 0xc9, fdivp = 0xf9;

/// An irrational result: never exact.
Outcome80 rounded(const FpuState& fpu, Quad value) {
    const Truncated high = truncate(value);
    const int exponent = high.value.sign_exponent & 0x7fff;
    constexpr int room = 70;  // the lower part must be a normal number
    if (exponent <= room)
        return {.value = high.value,
                .raised = static_cast<std::uint16_t>(x87::pe | (high.tiny ? x87::ue : 0))};
    // The upper 64 bits, and a quarter of a unit in their last place, or three: which side of the half it is.
    const Quad rest = value - to_quad(high.value);
    Float80 low = truncate(rest).value;
    if (low.significand == 0)
        low = {.significand = 1ULL << 63,
               .sign_exponent =
                   static_cast<std::uint16_t>((high.value.sign_exponent & 0x8000) | (exponent - room))};
    return host_binary(fpu, faddp, high.value, low);
}

void deliver(FpuState& fpu, unsigned i, const Outcome80& result) {
    st(fpu, i) = result.value;
    fpu.status |= result.raised;
    set_c1(fpu, result.rounded_up);
}

/// The exact result, no exception.
Outcome80 exactly(const Float80& value) {
    return {.value = value};
}

/// One operand that is a number? Otherwise the instruction ends here, with what its exceptions leave.
bool operand_is_number(FpuState& fpu) {
    switch (kind_of(fpu, 0)) {
        case Kind::empty:
            if (raise_before(fpu, x87::ie)) {
                st(fpu, 0) = default_nan;
                fpu.empty = static_cast<std::uint8_t>(fpu.empty & ~(1U << x87_top(fpu)));
            }
            fpu.status |= x87::stack_fault;
            return false;
        case Kind::nan_or_unsupported: {
            const Outcome80 sum = host_binary(fpu, faddp, st(fpu, 0), st(fpu, 0));
            set_c1(fpu, false);
            fpu.status |= sum.raised;
            if ((sum.raised & ~fpu.control) == 0) st(fpu, 0) = sum.value;
            return false;
        }
        case Kind::denormal: return raise_before(fpu, x87::de);
        default: return true;
    }
}

void invalid(FpuState& fpu) {
    if (raise_before(fpu, x87::ie)) st(fpu, 0) = default_nan;
}

// ---- angles
// -----------------------------------------------------------------------------------------------------

/// An angle as quarter turns and a rest of at most an eighth of a turn.
struct Angle {
    unsigned quarters = 0;
    Quad rest = 0;
};

/// x modulo pi/2, of |x| < 2^63, with pi of 66 bits: exactly.
Angle reduce(const Float80& x) {
    __extension__ using Wide = unsigned __int128;
    // pi/2 in units of 2^-67.
    constexpr Wide half_pi = (Wide{0xc} << 64) | 0x90fd'aa22'168c'234cULL;
    const int exponent = (x.sign_exponent & 0x7fff) - 0x3fff - 63;
    Angle result;
    if (exponent + 63 < -1) {  // below one half
        result.rest = to_quad(x);
        return result;
    }
    Wide rest = x.significand;
    unsigned quarters = 0;
    for (int i = exponent + 67; i > 0; --i) {
        rest <<= 1;
        quarters = quarters * 2;
        if (rest >= half_pi) {
            rest -= half_pi;
            ++quarters;
        }
    }
    const bool past_half = rest * 2 > half_pi;
    const Wide distance = past_half ? half_pi - rest : rest;
    Quad angle = static_cast<Quad>(distance);
    for (int i = 0; i < 67; ++i) angle /= 2;
    if (past_half) {
        angle = -angle;
        ++quarters;
    }
    // A negative angle turns the other way.
    result.quarters = is_negative(x) ? (0 - quarters) & 3 : quarters & 3;
    result.rest = is_negative(x) ? -angle : angle;
    return result;
}

Quad sine_of(const Angle& angle) {
    switch (angle.quarters) {
        case 0: return sine(angle.rest);
        case 1: return cosine(angle.rest);
        case 2: return -sine(angle.rest);
        default: return -cosine(angle.rest);
    }
}
Quad cosine_of(const Angle& angle) {
    return sine_of({.quarters = (angle.quarters + 1) & 3, .rest = angle.rest});
}

/// Whether ST(0) is an angle that can be reduced; sets C2 and, of infinities, the invalid operation.
bool angle_is_in_range(FpuState& fpu) {
    clear_c2(fpu);
    if (!operand_is_number(fpu)) return false;
    if (kind_of(fpu, 0) == Kind::infinity) {
        invalid(fpu);
        return false;
    }
    if ((st(fpu, 0).sign_exponent & 0x7fff) >= 0x3fff + 63) {
        fpu.status |= x87::c2;
        return false;
    }
    return true;
}

/// FPTAN and FSINCOS: is the register free into which the second result is pushed?
bool room_to_push(FpuState& fpu) {
    if (is_empty(fpu, 7) || is_empty(fpu, 0)) return true;
    fpu.status |= x87::ie | x87::stack_fault;
    if (is_masked(fpu, x87::ie)) {
        st(fpu, 0) = default_nan;
        push(fpu, default_nan);
    }
    set_c1(fpu, true);
    return false;
}

/// An instruction with two results that got none: the masked response pushes what it put into ST(0).
void push_copy_of_default(FpuState& fpu, std::uint16_t status_before) {
    const auto raised = static_cast<std::uint16_t>(fpu.status & ~status_before & x87::exceptions);
    const bool unmasked = (raised & ~fpu.control) != 0;
    const bool out_of_range = (fpu.status & x87::c2) != 0;
    if (!unmasked && !out_of_range) push(fpu, st(fpu, 0));
}

// ---- two operands
// -----------------------------------------------------------------------------------------------

/// FPATAN, FYL2X, FYL2XP1: both are numbers? Otherwise the instruction ends here.
bool operands_are_numbers(FpuState& fpu) {
    const Kind x = kind_of(fpu, 0), y = kind_of(fpu, 1);
    if (x == Kind::empty || y == Kind::empty) {
        const bool masked = raise_before(fpu, x87::ie);
        fpu.status |= x87::stack_fault;
        if (masked) {
            st(fpu, 1) = default_nan;
            fpu.empty = static_cast<std::uint8_t>(fpu.empty & ~(1U << x87_register(fpu, 1)));
            pop(fpu);
        }
        return false;
    }
    if (x == Kind::nan_or_unsupported || y == Kind::nan_or_unsupported) {
        const Outcome80 sum = host_binary(fpu, faddp, st(fpu, 1), st(fpu, 0));
        set_c1(fpu, false);
        fpu.status |= sum.raised;
        if ((sum.raised & ~fpu.control) == 0) {
            st(fpu, 1) = sum.value;
            pop(fpu);
        }
        return false;
    }
    return true;
}
bool denormals_allow(FpuState& fpu) {
    if (kind_of(fpu, 0) != Kind::denormal && kind_of(fpu, 1) != Kind::denormal) return true;
    return raise_before(fpu, x87::de);
}
void invalid_pop(FpuState& fpu) {
    if (!raise_before(fpu, x87::ie)) return;
    st(fpu, 1) = default_nan;
    pop(fpu);
}
void deliver_pop(FpuState& fpu, const Outcome80& result) {
    deliver(fpu, 1, result);
    pop(fpu);
}

bool is_zero(const FpuState& fpu, unsigned i) {
    return kind_of(fpu, i) == Kind::zero;
}
bool is_infinite(const FpuState& fpu, unsigned i) {
    return kind_of(fpu, i) == Kind::infinity;
}

/// y times a logarithm that is not zero.
Outcome80 times(const FpuState& fpu, const Float80& y, Quad logarithm) {
    const Quad product = to_quad(y) * logarithm;
    const unsigned exponent = truncate(product).value.sign_exponent & 0x7fff;
    if (exponent > 70 && exponent < 0x7ffe) return rounded(fpu, product);
    // Near the ends of the range: the host's multiplication has the right exceptions.
    return host_binary(fpu, fmulp, y, truncate(logarithm).value);
}

/// log2 of a positive finite number.
Quad log2_of(const Float80& x) {
    Quad value = to_quad(x);
    int exponent = 0;
    if ((x.sign_exponent & 0x7fff) == 0) {
        const int shift = std::countl_zero(x.significand);
        value = to_quad({.significand = x.significand << shift, .sign_exponent = 0x3fff});
        exponent = 1 - shift - 0x3fff;
    } else {
        value = to_quad({.significand = x.significand, .sign_exponent = 0x3fff});
        exponent = (x.sign_exponent & 0x7fff) - 0x3fff;
    }
    // From 1 to 2; above sqrt(2) take half.
    if (x.significand << std::countl_zero(x.significand) > 0xb504'f333'f9de'6484) {
        value /= 2;
        ++exponent;
    }
    return exponent + log2_of_1_plus(value - 1);
}

/// A multiple of pi/4 with a sign.
Outcome80 eighths(const FpuState& fpu, unsigned count, bool negative) {
    const Quad angle = pi() * static_cast<Quad>(count) / 4;
    return rounded(fpu, negative ? -angle : angle);
}

Outcome80 arctangent_of(const FpuState& fpu, const Float80& y, const Float80& x) {
    const bool negative = is_negative(y);
    const int distance = (y.sign_exponent & 0x7fff) - (x.sign_exponent & 0x7fff);
    constexpr int far = 130;
    if (distance < -far && !is_negative(x)) return host_binary(fpu, fdivp, y, x);
    if (distance < -far) return eighths(fpu, 4, negative);
    if (distance > far) return eighths(fpu, 2, negative);
    // Both scaled to the middle of the range, so that nothing over- or underflows.
    const auto scaled = [](const Float80& value, int exponent) {
        const int shift = std::countl_zero(value.significand);
        return to_quad({.significand = value.significand << shift,
                        .sign_exponent = static_cast<std::uint16_t>(0x3fff + exponent - shift)});
    };
    const Quad b = scaled(x, 0), a = scaled(y, distance);
    Quad angle = a <= b ? arctangent(a / b) : pi() / 2 - arctangent(b / a);
    if (is_negative(x)) angle = pi() - angle;
    return rounded(fpu, negative ? -angle : angle);
}

}  // namespace

void f2xm1(FpuState& fpu) {
    if (!operand_is_number(fpu)) return;
    const Float80 x = st(fpu, 0);
    set_c1(fpu, false);
    if (is_zero(fpu, 0)) return;
    if (is_infinite(fpu, 0)) {
        if (is_negative(x)) st(fpu, 0) = with_sign(one, true);
        return;
    }
    const unsigned exponent = x.sign_exponent & 0x7fff;
    if (exponent >= 0x3fff) {
        // 1 gives 1, -1 gives -1/2; beyond them the manual leaves the result open: the operand stays.
        if (x == with_sign(one, true)) st(fpu, 0).sign_exponent = 0xbffe;
        return;
    }
    deliver(fpu, 0, rounded(fpu, exponential_minus_1(to_quad(x) * ln_2())));
}

void fyl2x(FpuState& fpu) {
    if (!operands_are_numbers(fpu)) return;
    const Float80 x = st(fpu, 0), y = st(fpu, 1);
    const bool negative = is_negative(y);
    if (is_negative(x) && !is_zero(fpu, 0)) return invalid_pop(fpu);
    if (is_zero(fpu, 0)) {
        if (is_zero(fpu, 1)) return invalid_pop(fpu);
        if (is_infinite(fpu, 1)) return deliver_pop(fpu, exactly(infinity(!negative)));
        if (!denormals_allow(fpu)) return;
        if (!raise_before(fpu, x87::ze)) return;
        return deliver_pop(fpu, exactly(infinity(!negative)));
    }
    if (x == one) {
        if (is_infinite(fpu, 1)) return invalid_pop(fpu);
        if (!denormals_allow(fpu)) return;
        return deliver_pop(fpu, exactly(zero(negative)));
    }
    const bool below_one = (x.sign_exponent & 0x7fff) < 0x3fff;
    if (is_infinite(fpu, 0)) {
        if (is_zero(fpu, 1)) return invalid_pop(fpu);
        if (!denormals_allow(fpu)) return;
        return deliver_pop(fpu, exactly(infinity(negative)));
    }
    if (!denormals_allow(fpu)) return;
    if (is_infinite(fpu, 1)) return deliver_pop(fpu, exactly(infinity(negative != below_one)));
    if (is_zero(fpu, 1)) return deliver_pop(fpu, exactly(zero(negative != below_one)));
    // A power of two has an exact logarithm: the product is the host's multiplication.
    const bool power_of_two = (x.significand & (x.significand - 1)) == 0;
    const Quad logarithm = log2_of(x);
    deliver_pop(
        fpu, power_of_two ? host_binary(fpu, fmulp, y, truncate(logarithm).value) : times(fpu, y, logarithm));
}

void fyl2xp1(FpuState& fpu) {
    if (!operands_are_numbers(fpu)) return;
    const Float80 x = st(fpu, 0), y = st(fpu, 1);
    const bool negative = is_negative(x) != is_negative(y);
    if (is_zero(fpu, 0)) {
        if (is_infinite(fpu, 1)) return invalid_pop(fpu);
        if (!denormals_allow(fpu)) return;
        return deliver_pop(fpu, exactly(zero(negative)));
    }
    const unsigned exponent = x.sign_exponent & 0x7fff;
    // At -1 and below there is no logarithm.
    if (is_negative(x) && exponent >= 0x3fff) return invalid_pop(fpu);
    if (is_infinite(fpu, 0)) {
        if (is_zero(fpu, 1)) return invalid_pop(fpu);
        return deliver_pop(fpu, exactly(infinity(negative)));
    }
    if (!denormals_allow(fpu)) return;
    if (is_infinite(fpu, 1)) return deliver_pop(fpu, exactly(infinity(negative)));
    if (is_zero(fpu, 1)) return deliver_pop(fpu, exactly(zero(negative)));
    // Outside the range that the manual gives (1 - sqrt(1/2)) the sum itself is taken; there it loses
    // nothing.
    const Quad z = to_quad(x);
    const bool in_range = exponent < 0x3ffd || (exponent == 0x3ffd && x.significand < 0x95f6'1998'0c43'36f7);
    if (in_range) return deliver_pop(fpu, times(fpu, y, log2_of_1_plus(z)));
    deliver_pop(fpu, times(fpu, y, log2_of(truncate(1 + z).value)));
}

void fpatan(FpuState& fpu) {
    if (!operands_are_numbers(fpu)) return;
    const Float80 x = st(fpu, 0), y = st(fpu, 1);
    const bool negative = is_negative(y);
    if (!denormals_allow(fpu)) return;
    if (is_infinite(fpu, 1)) {
        const unsigned count = !is_infinite(fpu, 0) ? 2 : is_negative(x) ? 3 : 1;
        return deliver_pop(fpu, eighths(fpu, count, negative));
    }
    if (is_zero(fpu, 1) || is_infinite(fpu, 0)) {
        if (is_negative(x)) return deliver_pop(fpu, eighths(fpu, 4, negative));
        return deliver_pop(fpu, exactly(zero(negative)));
    }
    if (is_zero(fpu, 0)) return deliver_pop(fpu, eighths(fpu, 2, negative));
    deliver_pop(fpu, arctangent_of(fpu, y, x));
}

void fsin(FpuState& fpu) {
    if (!angle_is_in_range(fpu)) return;
    set_c1(fpu, false);
    if (is_zero(fpu, 0)) return;
    deliver(fpu, 0, rounded(fpu, sine_of(reduce(st(fpu, 0)))));
}

void fcos(FpuState& fpu) {
    if (!angle_is_in_range(fpu)) return;
    if (is_zero(fpu, 0)) return deliver(fpu, 0, exactly(one));
    deliver(fpu, 0, rounded(fpu, cosine_of(reduce(st(fpu, 0)))));
}

void fsincos(FpuState& fpu) {
    if (!room_to_push(fpu)) return;
    const std::uint16_t before = fpu.status;
    fpu.status = static_cast<std::uint16_t>(before & ~x87::exceptions);
    if (!angle_is_in_range(fpu)) {
        push_copy_of_default(fpu, 0);
    } else if (is_zero(fpu, 0)) {
        push(fpu, one);
        set_c1(fpu, false);
    } else {
        const Angle angle = reduce(st(fpu, 0));
        deliver(fpu, 0, rounded(fpu, sine_of(angle)));
        push(fpu, {});
        deliver(fpu, 0, rounded(fpu, cosine_of(angle)));
    }
    fpu.status |= before & x87::exceptions;
}

void fptan(FpuState& fpu) {
    if (!room_to_push(fpu)) return;
    const std::uint16_t before = fpu.status;
    fpu.status = static_cast<std::uint16_t>(before & ~x87::exceptions);
    if (!angle_is_in_range(fpu)) {
        push_copy_of_default(fpu, 0);
    } else {
        if (is_zero(fpu, 0)) {
            set_c1(fpu, false);
        } else {
            const Angle angle = reduce(st(fpu, 0));
            deliver(fpu, 0, rounded(fpu, sine_of(angle) / cosine_of(angle)));
        }
        push(fpu, one);
    }
    fpu.status |= before & x87::exceptions;
}

}  // namespace hyperstep::cpu
