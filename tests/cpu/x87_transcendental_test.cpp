#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

#include "cpu/x87.hpp"
#include "tests/cpu/bare_machine.hpp"

// SDM volume 2, the tables of results of the instructions by name; volume 1 "Transcendental Instruction
// Accuracy". Decimal constants are published ones, which the compiler rounds to 64 bits.
namespace hyperstep::cpu {
namespace {

enum Opcode : std::uint8_t {
    f2xm1 = 0xf0,
    fyl2x = 0xf1,
    fptan = 0xf2,
    fpatan = 0xf3,
    fyl2xp1 = 0xf9,
    fsincos = 0xfb,
    fsin = 0xfe,
    fcos = 0xff
};

constexpr long double inf = std::numeric_limits<long double>::infinity();
constexpr long double pi = 3.14159265358979323846264338327950288419716939937511L;
constexpr Float80 default_nan{.significand = 0xc000'0000'0000'0000, .sign_exponent = 0xffff};
constexpr Float80 signalling{.significand = 0xa000'0000'0000'0000, .sign_exponent = 0x7fff};
constexpr Float80 quiet{.significand = 0xe000'0000'0000'0000, .sign_exponent = 0x7fff};

Float80 bits_of(long double value) {
    Float80 bits;
    std::memcpy(&bits.significand, &value, 8);
    std::memcpy(&bits.sign_exponent, reinterpret_cast<const char*>(&value) + 8, 2);
    return bits;
}
long double value_of(const Float80& bits) {
    long double value = 0;
    std::memcpy(&value, &bits.significand, 8);
    std::memcpy(reinterpret_cast<char*>(&value) + 8, &bits.sign_exponent, 2);
    return value;
}

/// What an instruction leaves when it finds these operands, and nothing else on the stack.
class Left {
public:
    Left(Opcode opcode,
         Float80 st0,
         std::optional<Float80> st1 = std::nullopt,
         std::uint16_t control = 0x37f) {
        machine_.enter_long_mode();
        FpuState& fpu = machine_.cpu.state.fpu;
        fpu = {};
        fpu.control = control;
        fpu.status = 3 << 11;
        fpu.registers[3] = st0;
        fpu.empty = 0xf7;
        if (st1) {
            fpu.registers[4] = *st1;
            fpu.empty = 0xe7;
        }
        EXPECT_TRUE(machine_.run_code({0xd9, opcode}));
    }
    Left(Opcode opcode, long double st0, std::uint16_t control = 0x37f)
        : Left(opcode, bits_of(st0), std::nullopt, control) {}
    Left(Opcode opcode, long double st0, long double st1, std::uint16_t control = 0x37f)
        : Left(opcode, bits_of(st0), bits_of(st1), control) {}

    const FpuState& fpu() const { return machine_.cpu.state.fpu; }
    unsigned top() const { return x87_top(fpu()); }
    Float80 st(unsigned i) const { return fpu().registers[x87_register(fpu(), i)]; }
    long double value(unsigned i = 0) const { return value_of(st(i)); }
    unsigned exceptions() const { return fpu().status & x87::exceptions; }
    bool has(std::uint16_t bit) const { return (fpu().status & bit) != 0; }

private:
    BareMachine machine_;
};

/// Equal, and zeros of the same sign.
void expect_same(long double value, long double expected, const char* what) {
    EXPECT_EQ(bits_of(value), bits_of(expected)) << what << ": " << value << ", not " << expected;
}

// ---- special operands -------------------------------------------------------------------------------------

TEST(X87Fpatan, SpecialOperands) {
    constexpr long double x[] = {-inf, -2, -0.0L, 0.0L, 2, inf};
    constexpr long double y[] = {0.0L, 2, inf};
    constexpr long double open = 99;  ///< depends on the operands
    constexpr long double of_zero[] = {pi, pi, pi, 0, 0, 0};
    constexpr long double of_finite[] = {pi, open, pi / 2, pi / 2, open, 0};
    constexpr long double of_infinity[] = {3 * pi / 4, pi / 2, pi / 2, pi / 2, pi / 2, pi / 4};
    const long double* const rows[] = {of_zero, of_finite, of_infinity};
    for (unsigned row = 0; row < 3; ++row)
        for (unsigned column = 0; column < 6; ++column)
            for (const bool negative : {false, true}) {
                const long double expected = rows[row][column];
                if (expected == open) continue;
                const Left left{fpatan, x[column], negative ? -y[row] : y[row]};
                expect_same(left.value(), negative ? -expected : expected, "FPATAN");
                EXPECT_EQ(left.exceptions(), expected == 0 ? 0U : x87::pe);
                EXPECT_EQ(left.top(), 4U);
                EXPECT_EQ(left.fpu().empty, 0xef);
            }
}

/// A cell of a table: a result, the invalid operation, or division by zero.
struct Cell {
    long double result = 0;
    std::uint16_t raised = 0;
};
constexpr Cell invalid{.raised = x87::ie};

void expect_cell(Opcode opcode, long double x, long double y, const Cell& cell, bool finite_result) {
    const Left left{opcode, x, y};
    SCOPED_TRACE(testing::Message() << "x " << x << " y " << y);
    EXPECT_EQ(left.top(), 4U);
    EXPECT_EQ(left.fpu().empty, 0xef);
    EXPECT_EQ(left.exceptions() & ~unsigned{x87::pe}, cell.raised);
    if (cell.raised == x87::ie) {
        EXPECT_EQ(left.st(0), default_nan);
    } else if (finite_result) {
        EXPECT_EQ(std::signbit(left.value()), std::signbit(cell.result));
        EXPECT_TRUE(std::isfinite(left.value()) && left.value() != 0);
    } else {
        expect_same(left.value(), cell.result, "result");
    }
}

TEST(X87Fyl2x, SpecialOperands) {
    constexpr long double x[] = {-inf, -2, -0.0L, 0.0L, 0.3L, 1, 3, inf};
    constexpr Cell of_zero[] = {invalid, invalid, invalid, invalid, {-0.0L}, {0.0L}, {0.0L}, invalid};
    constexpr Cell of_finite[] = {
        invalid, invalid, {-inf, x87::ze}, {-inf, x87::ze}, {-7}, {0.0L}, {7}, {inf}};
    constexpr Cell of_infinity[] = {invalid, invalid, {-inf}, {-inf}, {-inf}, invalid, {inf}, {inf}};
    for (unsigned i = 0; i < 8; ++i)
        for (const long double sign : {1.0L, -1.0L}) {
            const auto signed_cell = [&](Cell cell) { return Cell{sign * cell.result, cell.raised}; };
            expect_cell(fyl2x, x[i], sign * 0.0L, signed_cell(of_zero[i]), false);
            expect_cell(fyl2x, x[i], sign * 5, signed_cell(of_finite[i]), i == 4 || i == 6);
            expect_cell(fyl2x, x[i], sign * inf, signed_cell(of_infinity[i]), false);
        }
}

TEST(X87Fyl2xp1, SpecialOperands) {
    constexpr long double x[] = {-0.2L, -0.0L, 0.0L, 0.2L};
    constexpr Cell of_zero[] = {{-0.0L}, {-0.0L}, {0.0L}, {0.0L}};
    constexpr Cell of_finite[] = {{-7}, {-0.0L}, {0.0L}, {7}};
    constexpr Cell of_infinity[] = {{-inf}, invalid, invalid, {inf}};
    for (unsigned i = 0; i < 4; ++i)
        for (const long double sign : {1.0L, -1.0L}) {
            const auto signed_cell = [&](Cell cell) { return Cell{sign * cell.result, cell.raised}; };
            expect_cell(fyl2xp1, x[i], sign * 0.0L, signed_cell(of_zero[i]), false);
            expect_cell(fyl2xp1, x[i], sign * 5, signed_cell(of_finite[i]), i == 0 || i == 3);
            expect_cell(fyl2xp1, x[i], sign * inf, signed_cell(of_infinity[i]), false);
        }
}

TEST(X87Angles, ZeroAndInfinity) {
    for (const long double zero : {0.0L, -0.0L}) {
        expect_same(Left(fsin, zero).value(), zero, "FSIN");
        expect_same(Left(fcos, zero).value(), 1, "FCOS");
        const Left tangent{fptan, zero};
        expect_same(tangent.value(0), 1, "FPTAN");
        expect_same(tangent.value(1), zero, "FPTAN");
        const Left both{fsincos, zero};
        expect_same(both.value(0), 1, "FSINCOS");
        expect_same(both.value(1), zero, "FSINCOS");
        for (const Left* left : {&tangent, &both}) {
            EXPECT_EQ(left->top(), 2U);
            EXPECT_EQ(left->exceptions(), 0U);
        }
    }
    for (const Opcode opcode : {fsin, fcos, fptan, fsincos})
        for (const long double infinite : {inf, -inf}) {
            const Left left{opcode, infinite};
            EXPECT_EQ(left.exceptions(), x87::ie);
            EXPECT_EQ(left.st(0), default_nan);
            EXPECT_FALSE(left.has(x87::c2));
        }
}

TEST(X87F2xm1, SpecialOperands) {
    expect_same(Left(f2xm1, 0.0L).value(), 0.0L, "+0");
    expect_same(Left(f2xm1, -0.0L).value(), -0.0L, "-0");
    expect_same(Left(f2xm1, 1.0L).value(), 1, "1");
    expect_same(Left(f2xm1, -1.0L).value(), -0.5L, "-1");
}

TEST(X87Angles, OutOfRangeSetsC2AndLeavesTheStack) {
    const long double first = std::ldexp(1.0L, 63);
    for (const Opcode opcode : {fsin, fcos, fptan, fsincos})
        for (const long double angle : {first, -first, std::ldexp(1.0L, 16000)}) {
            const Left left{opcode, angle};
            EXPECT_TRUE(left.has(x87::c2));
            EXPECT_EQ(left.exceptions(), 0U);
            EXPECT_EQ(left.top(), 3U);
            expect_same(left.value(), angle, "operand");
        }
    for (const Opcode opcode : {fsin, fcos, fptan, fsincos})
        EXPECT_FALSE(Left(opcode, std::nextafter(first, 0.0L)).has(x87::c2));
}

TEST(X87Transcendental, NansPassQuietAndSignallingOnesAreInvalid) {
    for (const Opcode opcode : {f2xm1, fsin, fcos, fptan, fsincos, fyl2x, fyl2xp1, fpatan}) {
        const bool has_two = opcode == fyl2x || opcode == fyl2xp1 || opcode == fpatan;
        const std::optional<Float80> other = has_two ? std::optional{bits_of(0.1L)} : std::nullopt;
        const Left calm{opcode, quiet, other};
        EXPECT_EQ(calm.st(0), quiet) << int{opcode};
        EXPECT_EQ(calm.exceptions(), 0U);
        const Left loud{opcode, signalling, other};
        EXPECT_EQ(loud.st(0).significand, signalling.significand | 1ULL << 62) << int{opcode};
        EXPECT_EQ(loud.exceptions(), x87::ie);
        const Left kept{opcode, signalling, other, 0x37e};
        EXPECT_EQ(kept.st(0), signalling);
        EXPECT_EQ(kept.top(), 3U);
        EXPECT_TRUE(kept.has(x87::summary));
    }
}

TEST(X87Transcendental, AnEmptyOperandIsAStackUnderflow) {
    for (const Opcode opcode : {fyl2x, fyl2xp1, fpatan}) {
        const Left masked{opcode, bits_of(0.1L)};
        EXPECT_EQ(masked.fpu().status & (x87::ie | x87::stack_fault | x87::c1), x87::ie | x87::stack_fault);
        EXPECT_EQ(masked.st(0), default_nan);
        EXPECT_EQ(masked.top(), 4U);
        const Left unmasked{opcode, bits_of(0.1L), std::nullopt, 0x37e};
        EXPECT_EQ(unmasked.top(), 3U);
        EXPECT_TRUE(unmasked.has(x87::summary));
    }
}

// ---- values -----------------------------------------------------------------------------------------------

TEST(X87Transcendental, PublishedValues) {
    expect_same(Left(fsin, 1.0L).value(), 0.841470984807896506652502321630298999622563060798371L, "sin 1");
    expect_same(Left(fcos, 1.0L).value(), 0.540302305868139717400936607442976603732310420617922L, "cos 1");
    expect_same(Left(fsin, 0.5L).value(), 0.479425538604203000273287935215571388081803367940600L, "sin 1/2");
    expect_same(
        Left(fcos, -0.5L).value(), 0.877582561890372716116281582603829651991645197109744L, "cos -1/2");
    expect_same(Left(fptan, 1.0L).value(1), 1.55740772465490223050697480745836017308725077238152L, "tan 1");
    expect_same(Left(fpatan, 1.0L, 1.0L).value(), pi / 4, "atan 1");
    expect_same(
        Left(fpatan, 1.0L, 2.0L).value(), 1.10714871779409050301706546017853704007004764540143L, "atan 2");
    expect_same(
        Left(fyl2x, 10.0L, 1.0L).value(), 3.32192809488736234787031942948939017586483139302458L, "log2 10");
    expect_same(Left(fyl2xp1, 0.25L, 1.0L).value(),
                0.32192809488736234787031942948939017586483139302458L,
                "log2 1.25");
    expect_same(
        Left(f2xm1, 0.5L).value(), 0.414213562373095048801688724209698078569671875376948L, "2^0.5 - 1");
    expect_same(
        Left(f2xm1, -0.5L).value(), -0.29289321881345247559915563789515096071516406231153L, "2^-0.5 - 1");
    expect_same(Left(fyl2x, 8.0L, 3.0L).value(), 9, "3 log2 8");
}

/// Steps between neighbours of 64 bits.
long double units_between(const Float80& left, const Float80& right) {
    const auto place = [](const Float80& bits) {
        const auto exponent = static_cast<long double>(bits.sign_exponent & 0x7fff);
        const long double magnitude =
            exponent * 0x1p63L + static_cast<long double>(bits.significand & ~(1ULL << 63));
        return bits.sign_exponent >> 15 != 0 ? -magnitude : magnitude;
    };
    // Of near numbers the difference is exact enough.
    if (left.sign_exponent == right.sign_exponent)
        return std::fabs(
            static_cast<long double>(static_cast<std::int64_t>(left.significand - right.significand)));
    return std::fabs(place(left) - place(right));
}

long double on_host(Opcode opcode, long double x, long double y) {
    long double result = 0, other = 0;
    switch (opcode) {
        case f2xm1: asm("f2xm1" : "=t"(result) : "0"(x)); break;
        case fsin: asm("fsin" : "=t"(result) : "0"(x)); break;
        case fcos: asm("fcos" : "=t"(result) : "0"(x)); break;
        case fptan: asm("fptan" : "=t"(other), "=u"(result) : "0"(x)); break;
        case fyl2x: asm("fyl2x" : "=t"(result) : "0"(x), "u"(y) : "st(1)"); break;
        case fyl2xp1: asm("fyl2xp1" : "=t"(result) : "0"(x), "u"(y) : "st(1)"); break;
        case fpatan: asm("fpatan" : "=t"(result) : "0"(x), "u"(y) : "st(1)"); break;
        case fsincos: asm("fsincos" : "=t"(other), "=u"(result) : "0"(x)); break;
    }
    return result;
}

/// From -1 to 1, of all magnitudes down to 2^-40.
long double operand(unsigned i) {
    std::uint64_t bits = (i + 1) * 0x9e37'79b9'7f4a'7c15ULL;
    bits ^= bits >> 29;
    const long double fraction = static_cast<long double>(bits | 1ULL << 63) * 0x1p-64L;
    const long double value = std::ldexp(fraction, -static_cast<int>(i % 41));
    return i % 2 == 0 ? value : -value;
}

TEST(X87Transcendental, NearTheHostsResults) {
    for (const Opcode opcode : {f2xm1, fsin, fcos, fptan, fsincos, fyl2x, fyl2xp1, fpatan}) {
        const bool has_two = opcode == fyl2x || opcode == fyl2xp1 || opcode == fpatan;
        const bool pushes = opcode == fptan || opcode == fsincos;
        for (unsigned i = 0; i < 400; ++i) {
            long double x = operand(i);
            if (opcode == fyl2x) x = std::ldexp(std::fabs(x), static_cast<int>(i % 90));
            if (opcode == fyl2xp1) x *= 0.28L;
            const long double y = has_two ? std::ldexp(operand(3 * i + 1), 5) : 0;
            const Left left = has_two ? Left{opcode, x, y} : Left{opcode, x};
            const Float80 ours = left.st(pushes ? 1 : 0);
            EXPECT_LE(units_between(ours, bits_of(on_host(opcode, x, y))), 2)
                << int{opcode} << " x " << x << " y " << y;
        }
    }
}

TEST(X87Angles, AreReducedWithPiOf66Bits) {
    // The published example: the FSIN of the double nearest to pi.
    const long double result = Left(fsin, static_cast<long double>(3.14159265358979323846)).value();
    EXPECT_EQ(static_cast<double>(result), 1.2246063538223773e-16);
}

TEST(X87Transcendental, RoundingModesBracketTheNearest) {
    constexpr std::uint16_t nearest = 0x37f, down = 0x77f, up = 0xb7f, chop = 0xf7f;
    for (const Opcode opcode : {f2xm1, fsin, fcos, fptan, fyl2x, fyl2xp1, fpatan})
        for (unsigned i = 0; i < 60; ++i) {
            const bool has_two = opcode == fyl2x || opcode == fyl2xp1 || opcode == fpatan;
            long double x = operand(7 * i + 2);
            if (opcode == fyl2x) x = std::fabs(x);
            if (opcode == fyl2xp1) x *= 0.28L;
            const unsigned place = opcode == fptan ? 1 : 0;
            const auto with = [&](std::uint16_t control) {
                return has_two ? Left{opcode, x, operand(i), control} : Left{opcode, x, control};
            };
            const Left low = with(down), high = with(up), middle = with(nearest), cut = with(chop);
            SCOPED_TRACE(testing::Message() << int{opcode} << " x " << x);
            EXPECT_EQ(std::nextafter(low.value(place), inf), high.value(place));
            EXPECT_TRUE(middle.value(place) == low.value(place) || middle.value(place) == high.value(place));
            const bool negative = std::signbit(middle.value(place));
            EXPECT_EQ(cut.value(place), negative ? high.value(place) : low.value(place));
            EXPECT_EQ(middle.exceptions(), x87::pe);
            if (place != 0) continue;
            EXPECT_EQ(middle.has(x87::c1), middle.value() != cut.value());
            EXPECT_FALSE(cut.has(x87::c1));
        }
}

TEST(X87Transcendental, DenormalOperands) {
    constexpr Float80 smallest{.significand = 1, .sign_exponent = 0};
    for (const Opcode opcode : {f2xm1, fsin, fcos, fptan}) {
        const Left masked{opcode, smallest};
        EXPECT_TRUE(masked.has(x87::de)) << int{opcode};
        const Left unmasked{opcode, smallest, std::nullopt, 0x37d};
        EXPECT_EQ(unmasked.st(0), smallest);
        EXPECT_EQ(unmasked.top(), 3U);
        EXPECT_EQ(unmasked.exceptions(), x87::de);
        EXPECT_TRUE(unmasked.has(x87::summary));
    }
}

}  // namespace
}  // namespace hyperstep::cpu
