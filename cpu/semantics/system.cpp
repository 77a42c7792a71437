#include <Zydis/Mnemonic.h>

#include "cpu/control_registers.hpp"
#include "cpu/families.hpp"
#include "cpu/operands.hpp"
#include "cpu/privilege.hpp"
#include "cpu/smm.hpp"

// Control and debug registers, caches and translations.
namespace hyperstep::cpu {
namespace {

/// The registers of MOV to and from CR and DR have 64 bits in 64-bit mode and 32 elsewhere, whatever the
/// prefixes.
std::uint64_t read_native(const Cpu& cpu, std::uint8_t number) {
    return cpu.mode == Mode::long_64 ? cpu.state.gpr[number] : cpu.state.gpr[number] & 0xffff'ffff;
}
void write_native(Cpu& cpu, std::uint8_t number, std::uint64_t value) {
    cpu.state.gpr[number] = cpu.mode == Mode::long_64 ? value : value & 0xffff'ffff;
}

std::uint64_t cr0_as_read(Cpu& cpu) {
    return cpu.intercepts == nullptr ? cpu.state.cr0 : cpu.intercepts->cr0_as_read(cpu, cpu.state.cr0);
}
std::uint64_t cr0_as_written(Cpu& cpu, std::uint64_t source) {
    return cpu.intercepts == nullptr ? source : cpu.intercepts->cr0_as_written(cpu, source);
}

// ---- MOV to and from CR -----------------------------------------------------------------------------------

Outcome move_to_control(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    const std::uint64_t value = read_native(cpu, op.reg[1]);
    const InterceptDetails details{.op = &op, .value = value};
    switch (op.reg[0]) {
        case 0:
            HS_TRY(intercept(cpu, InterceptPoint::mov_to_cr0, details));
            return write_cr0(cpu, cr0_as_written(cpu, value));
        case 2: cpu.state.cr2 = value; return {};
        case 3: HS_TRY(intercept(cpu, InterceptPoint::mov_to_cr3, details)); return write_cr3(cpu, value);
        case 4:
            HS_TRY(intercept(cpu, InterceptPoint::mov_to_cr4, details));
            return write_cr4(cpu,
                             cpu.intercepts == nullptr ? value : cpu.intercepts->cr4_as_written(cpu, value));
        case 8:
            HS_TRY(intercept(cpu, InterceptPoint::mov_to_cr8, details));
            if (value > 15) return general_protection();
            cpu.board.set_task_priority_class(static_cast<std::uint8_t>(value));
            look_at_boundary(cpu);
            return {};
        default: return undefined_opcode();
    }
}

Outcome move_from_control(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    const InterceptDetails details{.op = &op, .is_read = true};
    switch (op.reg[1]) {
        case 0: write_native(cpu, op.reg[0], cr0_as_read(cpu)); return {};
        case 2: write_native(cpu, op.reg[0], cpu.state.cr2); return {};
        case 3:
            HS_TRY(intercept(cpu, InterceptPoint::mov_from_cr3, details));
            write_native(cpu, op.reg[0], cpu.state.cr3);
            return {};
        case 4:
            write_native(
                cpu,
                op.reg[0],
                cpu.intercepts == nullptr ? cpu.state.cr4 : cpu.intercepts->cr4_as_read(cpu, cpu.state.cr4));
            return {};
        case 8:
            HS_TRY(intercept(cpu, InterceptPoint::mov_from_cr8, details));
            write_native(cpu, op.reg[0], cpu.board.task_priority_class());
            return {};
        default: return undefined_opcode();
    }
}

// ---- MOV to and from DR -----------------------------------------------------------------------------------

constexpr std::uint64_t dr6_ones = 0xffff'0ff0, dr6_writable = 0xe00f;
constexpr std::uint64_t dr7_ones = 0x400, dr7_writable = 0xffff'23ff;
constexpr std::uint64_t general_detect = 1 << 13;  ///< GD of DR7; BD of DR6

/// What comes after the intercept: the order is that of SDM "MOV - Move to/from Debug Registers". Gives the
/// register that is meant: DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE makes them undefined.
Expected<unsigned> checked_debug_register(Cpu& cpu, unsigned number) {
    const bool alias = number == 4 || number == 5;
    if (alias && cpu.cr4()[Cr4::de]) return undefined_opcode();
    HS_TRY(require_most_privileged(cpu));
    if ((cpu.state.dr7 & general_detect) != 0)
        return tl::unexpected{
            Fault{.vector = Vector::db, .error_code = static_cast<std::uint32_t>(general_detect)}};
    return alias ? number + 2 : number;
}

Outcome move_to_debug(Cpu& cpu, const Op& op) {
    HS_TRY(intercept(cpu, InterceptPoint::mov_dr, {.op = &op, .index = op.reg[0]}));
    const auto number = checked_debug_register(cpu, op.reg[0]);
    if (!number) return tl::unexpected{number.error()};
    const std::uint64_t value = read_native(cpu, op.reg[1]);
    if (*number < 4) {
        cpu.state.dr[*number] = value;
    } else {
        if (value >> 32 != 0) return general_protection();
        if (*number == 6)
            cpu.state.dr6 = dr6_ones | (value & dr6_writable);
        else
            cpu.state.dr7 = dr7_ones | (value & dr7_writable);
    }
    refresh(cpu);
    return {};
}

Outcome move_from_debug(Cpu& cpu, const Op& op) {
    HS_TRY(intercept(cpu, InterceptPoint::mov_dr, {.op = &op, .index = op.reg[1], .is_read = true}));
    const auto number = checked_debug_register(cpu, op.reg[1]);
    if (!number) return tl::unexpected{number.error()};
    const State& state = cpu.state;
    write_native(cpu, op.reg[0], *number < 4 ? state.dr[*number] : *number == 6 ? state.dr6 : state.dr7);
    return {};
}

Handler select_mov(const Form& form) {
    using enum OperandKind;
    if (form.is(control, gpr)) return move_to_control;
    if (form.is(gpr, control)) return move_from_control;
    if (form.is(debug, gpr)) return move_to_debug;
    if (form.is(gpr, debug)) return move_from_debug;
    return nullptr;
}

// ---- the machine status word ------------------------------------------------------------------------------

Outcome clear_task_switched(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::clts, {.op = &op}));
    return write_cr0(cpu, cr0_as_written(cpu, cr0_as_read(cpu) & ~Cr0::ts.mask));
}

/// Loads PE, MP, EM and TS; PE cannot be cleared.
Outcome load_machine_status(Cpu& cpu, const Op& op) {
    constexpr std::uint64_t pe = Cr0::pe.mask;
    constexpr std::uint64_t loaded = pe | Cr0::mp.mask | Cr0::em.mask | Cr0::ts.mask;
    HS_TRY(require_most_privileged(cpu));
    std::uint16_t source = read_gpr<std::uint16_t>(cpu.state, op.reg[0]);
    InterceptDetails details{.op = &op};
    if (op.has(op_flag::has_memory)) {
        const auto value = load_operand<std::uint16_t>(cpu, op);
        if (!value) return tl::unexpected{value.error()};
        source = *value;
        details.address = effective_offset(cpu, op);
    }
    details.value = source;
    HS_TRY(intercept(cpu, InterceptPoint::lmsw, details));
    const std::uint64_t before = cr0_as_read(cpu);
    return write_cr0(cpu, cr0_as_written(cpu, (before & ~loaded) | (before & pe) | (source & loaded)));
}

Outcome store_machine_status(Cpu& cpu, const Op& op) {
    if (cpu.cr4()[Cr4::umip]) HS_TRY(require_most_privileged(cpu));
    const std::uint64_t value = cr0_as_read(cpu);
    if (op.has(op_flag::has_memory)) return store_operand(cpu, op, static_cast<std::uint16_t>(value));
    write_sized(cpu.state, op.reg[0], op.operand_bytes, value);
    return {};
}

// ---- translations and caches ------------------------------------------------------------------------------

Outcome invalidate_page(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    const std::uint64_t linear = (cpu.quick_base[op.segment] + effective_offset(cpu, op)) & cpu.linear_mask;
    HS_TRY(intercept(cpu, InterceptPoint::invlpg, {.op = &op, .address = linear}));
    if (is_canonical(cpu, linear)) cpu.tlb.flush_page(Gva{linear});
    return {};
}

/// The descriptor of INVPCID. SDM "INVPCID Descriptor".
struct InvpcidDescriptor {
    std::uint64_t pcid = 0;
    std::uint64_t linear = 0;
};
enum class InvpcidType : std::uint8_t { address, context, all, all_but_global };

bool invpcid_allowed(const Cpu& cpu, std::uint64_t type, const InvpcidDescriptor& descriptor) {
    if (type > static_cast<std::uint64_t>(InvpcidType::all_but_global)) return false;
    if ((descriptor.pcid & ~0xfffULL) != 0) return false;
    const bool of_one_context = type <= static_cast<std::uint64_t>(InvpcidType::context);
    if (of_one_context && !cpu.cr4()[Cr4::pcide] && descriptor.pcid != 0) return false;
    const bool of_one_address = type == static_cast<std::uint64_t>(InvpcidType::address);
    return !of_one_address || is_canonical(cpu, descriptor.linear);
}

Outcome invalidate_context(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    HS_TRY(intercept(cpu, InterceptPoint::invpcid, {.op = &op, .address = effective_offset(cpu, op)}));
    const auto descriptor = load_operand<InvpcidDescriptor>(cpu, op);
    if (!descriptor) return tl::unexpected{descriptor.error()};
    const std::uint64_t type = read_native(cpu, op.reg[0]);
    if (!invpcid_allowed(cpu, type, *descriptor)) return general_protection();
    if (type == static_cast<std::uint64_t>(InvpcidType::address))
        cpu.tlb.flush_page(Gva{descriptor->linear});
    else
        cpu.tlb.flush();
    return {};
}

/// Model: there are no caches, so that nothing is lost or written back.
Outcome invalidate_caches(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    return intercept(cpu, InterceptPoint::invd, {.op = &op});
}
/// WBINVD and, with an F3 before it, WBNOINVD: an older processor takes the latter for the former.
Outcome write_back_caches(Cpu& cpu, const Op& op) {
    HS_TRY(require_most_privileged(cpu));
    return intercept(cpu, InterceptPoint::wbinvd, {.op = &op});
}
/// CLFLUSH and its like are reads as far as segments and pages are concerned.
Outcome flush_line(Cpu& cpu, const Op& op) {
    const auto place = locate(cpu, op.segment, effective_offset(cpu, op), 1, mmu::Access::read);
    if (!place) return tl::unexpected{place.error()};
    return {};
}

Outcome resume_from_smm(Cpu& cpu, const Op& op) {
    if (!cpu.state.blocking.smi) return undefined_opcode();
    HS_TRY(intercept(cpu, InterceptPoint::rsm, {.op = &op}));
    return leave_smm(cpu);
}

Outcome serialize(Cpu& /*cpu*/, const Op& /*op*/) {
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOV, Feature::always, select_mov, Flow::ends},
    {ZYDIS_MNEMONIC_CLTS, Feature::always, only<clear_task_switched>, Flow::ends},
    {ZYDIS_MNEMONIC_LMSW, Feature::always, only<load_machine_status>, Flow::ends},
    {ZYDIS_MNEMONIC_SMSW, Feature::always, only<store_machine_status>},
    {ZYDIS_MNEMONIC_INVLPG, Feature::always, only<invalidate_page>, Flow::ends},
    {ZYDIS_MNEMONIC_INVPCID, Feature::invpcid, only<invalidate_context>, Flow::ends},
    {ZYDIS_MNEMONIC_INVD, Feature::always, only<invalidate_caches>},
    {ZYDIS_MNEMONIC_WBINVD, Feature::always, only<write_back_caches>},
    {ZYDIS_MNEMONIC_CLFLUSH, Feature::clfsh, only<flush_line>},
    {ZYDIS_MNEMONIC_CLFLUSHOPT, Feature::clflushopt, only<flush_line>},
    {ZYDIS_MNEMONIC_CLWB, Feature::clwb, only<flush_line>},
    {ZYDIS_MNEMONIC_RSM, Feature::always, only<resume_from_smm>, Flow::ends},
    {ZYDIS_MNEMONIC_SERIALIZE, Feature::serialize, only<serialize>, Flow::ends},
};

}  // namespace

std::span<const Row> system_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
