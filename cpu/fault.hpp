#pragma once
#include <bit>
#include <cstdint>
#include <tl/expected.hpp>
#include <type_traits>

namespace hyperstep::cpu {

/// SDM "Exception and Interrupt Vectors".
enum class Vector : std::uint8_t {
    de = 0,   ///< divide error
    db = 1,   ///< debug
    nmi = 2,  ///< not an exception, but delivered like one
    bp = 3,   ///< breakpoint
    of = 4,   ///< overflow
    br = 5,   ///< BOUND range exceeded
    ud = 6,   ///< invalid opcode
    nm = 7,   ///< device not available
    df = 8,   ///< double fault
    ts = 10,  ///< invalid TSS
    np = 11,  ///< segment not present
    ss = 12,  ///< stack fault
    gp = 13,  ///< general protection
    pf = 14,  ///< page fault
    mf = 16,  ///< x87 floating-point error
    ac = 17,  ///< alignment check
    mc = 18,  ///< machine check
    xm = 19,  ///< SIMD floating-point exception
    ve = 20,  ///< virtualization exception
    cp = 21   ///< control protection
};

/// Why an instruction did not complete.
struct Fault {
    enum class Kind : std::uint16_t {
        exception,    ///< `vector`, to be delivered with the state as before the instruction
        intercepted,  ///< a hypervisor intervened (cpu/intercepts.hpp); it knows the rest
        shutdown,     ///< a fault while a double fault was delivered
        suspended,  ///< a repeated string instruction that is to go on after the boundary: its iterations are
                    ///< committed, RIP still points to it
        unimplemented  ///< an architectural case that the interpreter does not have
    };
    Kind kind = Kind::exception;
    Vector vector = Vector::ud;
    bool has_error_code = false;
    std::uint32_t error_code = 0;
    friend bool operator==(const Fault&, const Fault&) = default;
};
// Two registers hold any Expected of a word.
static_assert(sizeof(Fault) == 8 && std::has_unique_object_representations_v<Fault>);

template <class T>
using Expected = tl::expected<T, Fault>;

/// Whether an instruction completed, and if not, why. Used like a tl::expected<void, Fault>, but it is one
/// word: every handler returns one, in a register.
class Outcome {
public:
    constexpr Outcome() = default;
    // As a tl::expected does, from what raise() gives.
    constexpr Outcome(const tl::unexpected<Fault>& fault)  // NOLINT(google-explicit-constructor)
        : word_{~std::bit_cast<std::uint64_t>(fault.value())} {}
    constexpr bool has_value() const { return word_ == 0; }
    constexpr explicit operator bool() const { return has_value(); }
    /// Only if there is no value.
    constexpr Fault error() const { return std::bit_cast<Fault>(~word_); }

private:
    std::uint64_t word_ =
        0;  ///< 0: completed; otherwise the inverted bits of a Fault, which are never all ones
};

/// An exception without an error code.
inline tl::unexpected<Fault> raise(Vector vector) {
    return tl::unexpected{Fault{.vector = vector}};
}
/// An exception with an error code. The linear address of a page fault is in Cpu::fault_address.
inline tl::unexpected<Fault> raise(Vector vector, std::uint32_t error_code) {
    return tl::unexpected{Fault{.vector = vector, .has_error_code = true, .error_code = error_code}};
}
inline tl::unexpected<Fault> undefined_opcode() {
    return raise(Vector::ud);
}
inline tl::unexpected<Fault> general_protection(std::uint32_t error_code = 0) {
    return raise(Vector::gp, error_code);
}
inline tl::unexpected<Fault> intercepted() {
    return tl::unexpected{Fault{.kind = Fault::Kind::intercepted}};
}
inline tl::unexpected<Fault> suspended() {
    return tl::unexpected{Fault{.kind = Fault::Kind::suspended}};
}
inline tl::unexpected<Fault> unimplemented() {
    return tl::unexpected{Fault{.kind = Fault::Kind::unimplemented}};
}

}  // namespace hyperstep::cpu

/// Returns from the enclosing function with the fault of `expression`, if it has one.
#define HS_TRY(expression)                                                                          \
    do {                                                                                            \
        if (auto hs_outcome = (expression); !hs_outcome) return tl::unexpected{hs_outcome.error()}; \
    } while (false)
