#include "cpu/x87.hpp"

#include <Zydis/Mnemonic.h>
#include <array>
#include <cstring>

#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"
#include "cpu/semantics/x87_control.hpp"
#include "cpu/x87_host.hpp"
#include "cpu/x87_transcendental.hpp"

// The x87 instructions. Arithmetic runs on the host's x87 unit with the guest's control word; the exceptions,
// masked or not, are then those of the guest. SDM volume 2, the instructions by name.
namespace hyperstep::cpu {
namespace {

/// An operand in memory: at most ten bytes.
using Operand = std::array<std::uint8_t, 16>;

/// The lower 11 bits of the instruction's opcode: of the escape byte and all of ModRM.
std::uint16_t fop(const Op& op, unsigned opcode) {
    return static_cast<std::uint16_t>((opcode & 7) << 8 | (op.immediate & 0xff));
}

/// Condition codes that an instruction leaves undefined keep their value, so that every host gives the same.
template <unsigned opcode, unsigned modrm>
constexpr std::uint16_t undefined_conditions() {
    using namespace x87;
    const unsigned reg = modrm >> 3 & 7;
    const bool memory = modrm < 0xc0;
    const bool compares_in_memory = memory && (opcode & 1) == 0 && opcode != 0xdf && opcode != 0xd9 &&
                                    (opcode == 0xd8 || opcode == 0xda || opcode == 0xdc || opcode == 0xde) &&
                                    (reg == 2 || reg == 3);
    const bool compares =
        !memory &&
        ((opcode == 0xd8 && (reg == 2 || reg == 3)) || (opcode == 0xdc && (reg == 2 || reg == 3)) ||
         (opcode == 0xdd && (reg == 4 || reg == 5)) || (opcode == 0xda && modrm == 0xe9) ||
         (opcode == 0xde && (reg == 2 || reg == 3)) || (opcode == 0xd9 && (modrm == 0xe4 || modrm == 0xe5)));
    const bool remainder = opcode == 0xd9 && (modrm == 0xf5 || modrm == 0xf8);
    if (compares || compares_in_memory || remainder) return 0;
    return c0 | c2 | c3;
}

/// Runs the instruction on the host with the guest's registers; the guest then has its results. Returns the
/// exceptions that it raised. Those that were there before stay out of it: a pending unmasked one, which
/// CR0.NE = 0 lets through, would be the host's.
template <unsigned opcode, unsigned modrm>
std::uint16_t run_on_host(FpuState& fpu, void* operand, std::uint8_t& ah) {
    constexpr std::uint16_t kept = undefined_conditions<opcode, modrm>();
    const std::uint16_t before = fpu.status;
    fpu.status = static_cast<std::uint16_t>(before & ~(x87::exceptions | x87::summary | x87::busy));
    FsaveImage image = fsave_image(fpu);
    static const HostX87 run = host_x87(opcode, modrm);
    run(image, operand, ah);
    load_fsave_image(fpu, image);
    const auto raised = static_cast<std::uint16_t>(fpu.status & x87::exceptions);
    fpu.status =
        static_cast<std::uint16_t>((fpu.status & ~kept) | (before & kept) | (before & x87::exceptions));
    update_summary(fpu);
    return raised;
}

template <unsigned opcode, unsigned modrm>
Outcome on_registers(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    constexpr bool reads_flags = (opcode == 0xda || opcode == 0xdb) && modrm < 0xe0;  // FCMOVcc
    constexpr bool writes_flags =
        (opcode == 0xdb || opcode == 0xdf) && modrm >= 0xe8 && modrm < 0xf8;  // FCOMI
    auto ah = static_cast<std::uint8_t>(reads_flags ? cpu.state.rflags : 0);
    const std::uint16_t raised = run_on_host<opcode, modrm>(cpu.state.fpu, nullptr, ah);
    const bool invalid_unmasked = (raised & ~cpu.state.fpu.control & x87::ie) != 0;
    if (writes_flags && !invalid_unmasked)
        cpu.state.rflags = with_status(cpu.state.rflags, ah & (flag::zf | flag::pf | flag::cf));
    note_x87_instruction(cpu, op, fop(op, opcode));
    return {};
}

template <unsigned opcode, unsigned modrm, unsigned bytes>
Outcome from_memory(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    const auto value = load_operand<std::array<std::uint8_t, bytes>>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    Operand operand{};
    std::memcpy(operand.data(), value->data(), bytes);
    std::uint8_t ah = 0;
    run_on_host<opcode, modrm>(cpu.state.fpu, operand.data(), ah);
    note_x87_instruction(cpu, op, fop(op, opcode));
    return {};
}

/// Whether the exceptions that the store raised kept it from storing: unmasked invalid operation; of floats,
/// overflow and underflow too.
constexpr bool stores(std::uint16_t raised, std::uint16_t control) {
    return (raised & ~control & (x87::ie | x87::oe | x87::ue)) == 0;
}

template <unsigned opcode, unsigned modrm, unsigned bytes>
Outcome to_memory(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    const auto place = prepare_operand<std::array<std::uint8_t, bytes>>(cpu, op);
    if (!place) return tl::unexpected{place.error()};
    FpuState& fpu = cpu.state.fpu;
    Operand operand{};
    std::uint8_t ah = 0;
    const std::uint16_t raised = run_on_host<opcode, modrm>(fpu, operand.data(), ah);
    if (stores(raised, fpu.control)) {
        std::array<std::uint8_t, bytes> value{};
        std::memcpy(value.data(), operand.data(), bytes);
        write(cpu, *place, value);
    }
    note_x87_instruction(cpu, op, fop(op, opcode));
    return {};
}

template <auto compute>
Outcome transcendental(Cpu& cpu, const Op& op) {
    HS_TRY(require_x87_waiting(cpu));
    compute(cpu.state.fpu);
    update_summary(cpu.state.fpu);
    note_x87_instruction(cpu, op, fop(op, 0xd9));
    return {};
}

// ---- choosing
// ---------------------------------------------------------------------------------------------------

template <unsigned opcode, unsigned reg>
Handler memory_form(unsigned bits) {
    constexpr unsigned modrm = reg << 3 | 2;
    constexpr bool is_store =
        (opcode & 1) != 0 && ((reg >= 1 && reg <= 3) || (opcode != 0xd9 && (reg == 6 || reg == 7)));
    const auto with = [&]<unsigned bytes>() -> Handler {
        if constexpr (is_store) return to_memory<opcode, modrm, bytes>;
        return from_memory<opcode, modrm, bytes>;
    };
    switch (bits) {
        case 16: return with.template operator()<2>();
        case 32: return with.template operator()<4>();
        case 64: return with.template operator()<8>();
        default: return with.template operator()<10>();
    }
}

template <std::size_t... place>
constexpr std::array<Handler, sizeof...(place)> register_handlers(std::index_sequence<place...> /*places*/) {
    return {on_registers<0xd8 + place / 64, 0xc0 + place % 64>...};
}

using MemoryChoice = Handler (*)(unsigned bits);
template <std::size_t... place>
constexpr std::array<MemoryChoice, sizeof...(place)> memory_choices(
    std::index_sequence<place...> /*places*/) {
    return {memory_form<0xd8 + place / 8, place % 8>...};
}

Handler on_host(const Form& form) {
    static constexpr auto registers = register_handlers(std::make_index_sequence<8 * 64>{});
    static constexpr auto memory = memory_choices(std::make_index_sequence<8 * 8>{});
    if (form.opcode < 0xd8 || form.opcode > 0xdf || host_x87(form.opcode, form.modrm) == nullptr)
        return nullptr;
    const unsigned group = form.opcode - 0xd8U;
    if (form.modrm >= 0xc0) return registers[group * 64 + (form.modrm - 0xc0U)];
    return memory[group * 8 + (form.modrm >> 3 & 7U)](form.bits[0]);
}

constexpr Row rows[] = {
#define ON_HOST(name) {ZYDIS_MNEMONIC_##name, Feature::fpu, on_host},
    ON_HOST(FABS) ON_HOST(FADD) ON_HOST(FADDP) ON_HOST(FBLD) ON_HOST(FBSTP) ON_HOST(FCHS) ON_HOST(FCOM)
        ON_HOST(FCOMP) ON_HOST(FCOMPP) ON_HOST(FDECSTP) ON_HOST(FDIV) ON_HOST(FDIVP) ON_HOST(FDIVR) ON_HOST(
            FDIVRP) ON_HOST(FFREE) ON_HOST(FFREEP) ON_HOST(FIADD) ON_HOST(FICOM) ON_HOST(FICOMP)
            ON_HOST(FIDIV) ON_HOST(FIDIVR) ON_HOST(FILD) ON_HOST(FIMUL) ON_HOST(FINCSTP) ON_HOST(FIST)
                ON_HOST(FISTP) ON_HOST(FISUB) ON_HOST(FISUBR) ON_HOST(FLD) ON_HOST(FLD1) ON_HOST(FLDL2E)
                    ON_HOST(FLDL2T) ON_HOST(FLDLG2) ON_HOST(FLDLN2) ON_HOST(FLDPI) ON_HOST(FLDZ) ON_HOST(FMUL)
                        ON_HOST(FMULP) ON_HOST(FNOP) ON_HOST(FPREM) ON_HOST(FPREM1) ON_HOST(FRNDINT)
                            ON_HOST(FSCALE) ON_HOST(FSQRT) ON_HOST(FST) ON_HOST(FSTP) ON_HOST(FSTPNCE)
                                ON_HOST(FSUB) ON_HOST(FSUBP) ON_HOST(FSUBR) ON_HOST(FSUBRP) ON_HOST(FTST)
                                    ON_HOST(FUCOM) ON_HOST(FUCOMP) ON_HOST(FUCOMPP) ON_HOST(FXAM)
                                        ON_HOST(FXCH) ON_HOST(FXTRACT)
#undef ON_HOST
#define WITH_CMOV(name) {ZYDIS_MNEMONIC_##name, Feature::cmov, on_host},
                                            WITH_CMOV(FCMOVB) WITH_CMOV(FCMOVBE) WITH_CMOV(FCMOVE)
                                                WITH_CMOV(FCMOVNB) WITH_CMOV(FCMOVNBE) WITH_CMOV(FCMOVNE)
                                                    WITH_CMOV(FCMOVNU) WITH_CMOV(FCMOVU) WITH_CMOV(FCOMI)
                                                        WITH_CMOV(FCOMIP) WITH_CMOV(FUCOMI) WITH_CMOV(FUCOMIP)
#undef WITH_CMOV
                                                            {ZYDIS_MNEMONIC_FISTTP, Feature::sse3, on_host},
    {ZYDIS_MNEMONIC_F2XM1, Feature::fpu, only<transcendental<f2xm1>>},
    {ZYDIS_MNEMONIC_FYL2X, Feature::fpu, only<transcendental<fyl2x>>},
    {ZYDIS_MNEMONIC_FYL2XP1, Feature::fpu, only<transcendental<fyl2xp1>>},
    {ZYDIS_MNEMONIC_FPTAN, Feature::fpu, only<transcendental<fptan>>},
    {ZYDIS_MNEMONIC_FPATAN, Feature::fpu, only<transcendental<fpatan>>},
    {ZYDIS_MNEMONIC_FSIN, Feature::fpu, only<transcendental<fsin>>},
    {ZYDIS_MNEMONIC_FCOS, Feature::fpu, only<transcendental<fcos>>},
    {ZYDIS_MNEMONIC_FSINCOS, Feature::fpu, only<transcendental<fsincos>>},
    {ZYDIS_MNEMONIC_FNCLEX, Feature::fpu, only<x87_control::fnclex>},
    {ZYDIS_MNEMONIC_FNINIT, Feature::fpu, only<x87_control::fninit>},
    {ZYDIS_MNEMONIC_FNSTCW, Feature::fpu, only<x87_control::fnstcw>},
    {ZYDIS_MNEMONIC_FLDCW, Feature::fpu, only<x87_control::fldcw>},
    {ZYDIS_MNEMONIC_FNSTSW, Feature::fpu, x87_control::select_fnstsw},
    {ZYDIS_MNEMONIC_FNSTENV, Feature::fpu, only<x87_control::fnstenv>},
    {ZYDIS_MNEMONIC_FLDENV, Feature::fpu, only<x87_control::fldenv>},
    {ZYDIS_MNEMONIC_FNSAVE, Feature::fpu, only<x87_control::fnsave>},
    {ZYDIS_MNEMONIC_FRSTOR, Feature::fpu, only<x87_control::frstor>},
    {ZYDIS_MNEMONIC_FWAIT, Feature::always, only<x87_control::fwait>},
    {ZYDIS_MNEMONIC_FENI8087_NOP, Feature::fpu, only<x87_control::older_nop>},
    {ZYDIS_MNEMONIC_FDISI8087_NOP, Feature::fpu, only<x87_control::older_nop>},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, Feature::fpu, only<x87_control::older_nop>},
};

}  // namespace

std::span<const Row> x87_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
