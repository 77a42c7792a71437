#include <Zydis/Mnemonic.h>

#include "cpu/boundary.hpp"
#include "cpu/delivery.hpp"
#include "cpu/families.hpp"
#include "cpu/far_return.hpp"
#include "cpu/far_transfer.hpp"
#include "cpu/operands.hpp"

// Transfers to other code segments, and software interrupts.
namespace hyperstep::cpu {
namespace {

using Transfer = Outcome (*)(Cpu&, const FarPointer&, unsigned);

template <Transfer transfer>
Outcome direct(Cpu& cpu, const Op& op) {
    const FarPointer target{.selector = static_cast<std::uint16_t>(op.displacement),
                            .offset = op.immediate & mask_of_bytes(op.operand_bytes)};
    return transfer(cpu, target, op.operand_bytes);
}

template <Transfer transfer>
struct Indirect {
    template <class T>
    struct Sized {
        static Outcome run(Cpu& cpu, const Op& op) {
            const std::uint64_t place = effective_offset(cpu, op);
            const auto offset = load<T>(cpu, op.segment, place);
            if (!offset) return tl::unexpected{offset.error()};
            const auto selector =
                load<std::uint16_t>(cpu, op.segment, (place + sizeof(T)) & mask_of_bytes(op.address_bytes));
            if (!selector) return tl::unexpected{selector.error()};
            return transfer(cpu, {.selector = *selector, .offset = *offset}, sizeof(T));
        }
    };
};

/// FF /3 is CALL, FF /5 is JMP to a far pointer in memory.
template <Transfer transfer, unsigned extension>
Handler select_transfer(const Form& form) {
    if (form.is(OperandKind::far_pointer)) return direct<transfer>;
    const bool is_indirect =
        form.opcode == 0xff && (form.modrm >> 3 & 7) == extension && form.is(OperandKind::memory);
    return is_indirect ? by_operand_size<Indirect<transfer>::template Sized>(form) : nullptr;
}

Outcome ret(Cpu& cpu, const Op& op) {
    return far_return(cpu, op.operand_bytes, 0);
}
Outcome ret_immediate(Cpu& cpu, const Op& op) {
    return far_return(cpu, op.operand_bytes, static_cast<std::uint16_t>(op.immediate));
}
Handler select_ret(const Form& form) {
    return form.opcode == 0xcb ? ret : form.opcode == 0xca ? ret_immediate : nullptr;
}

Outcome iret(Cpu& cpu, const Op& op) {
    return interrupt_return(cpu, op.operand_bytes);
}

// ---- software interrupts

Outcome deliver_software_event(Cpu& cpu, const Op& op, EventKind kind, std::uint8_t vector) {
    const Event event{.kind = kind, .vector = vector, .instruction_bytes = op.length};
    if (cpu.intercepts != nullptr && cpu.intercepts->event(cpu, event, nullptr) == Verdict::intervene)
        return intercepted();
    const Outcome entered = enter_handler(cpu, event);
    if (!entered) {
        cpu.failed_software_event = event;
        return entered;
    }
    cpu.next_rip = cpu.state.rip;
    cpu.single_step = false;  // TF was cleared on the way
    look_at_boundary(cpu);
    return {};
}

Outcome int_n(Cpu& cpu, const Op& op) {
    if (cpu.mode == Mode::virtual_8086 && cpu.rflags()[Rflags::iopl] < 3) return general_protection();
    return deliver_software_event(
        cpu, op, EventKind::software_interrupt, static_cast<std::uint8_t>(op.immediate));
}
Outcome int3(Cpu& cpu, const Op& op) {
    return deliver_software_event(
        cpu, op, EventKind::software_exception, static_cast<std::uint8_t>(Vector::bp));
}
Outcome into(Cpu& cpu, const Op& op) {
    if (!cpu.rflags()[Rflags::of]) return {};
    return deliver_software_event(
        cpu, op, EventKind::software_exception, static_cast<std::uint8_t>(Vector::of));
}
/// DR6 stays as it is.
Outcome int1(Cpu& cpu, const Op& op) {
    return deliver_software_event(
        cpu, op, EventKind::privileged_software_exception, static_cast<std::uint8_t>(Vector::db));
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_JMP, Feature::always, select_transfer<far_jump, 5>, Flow::ends},
    {ZYDIS_MNEMONIC_CALL, Feature::always, select_transfer<far_call, 3>, Flow::ends},
    {ZYDIS_MNEMONIC_RET, Feature::always, select_ret, Flow::ends},
    {ZYDIS_MNEMONIC_IRET, Feature::always, only<iret>, Flow::ends},
    {ZYDIS_MNEMONIC_IRETD, Feature::always, only<iret>, Flow::ends},
    {ZYDIS_MNEMONIC_IRETQ, Feature::always, only<iret>, Flow::ends},
    {ZYDIS_MNEMONIC_INT, Feature::always, only<int_n>, Flow::ends},
    {ZYDIS_MNEMONIC_INT3, Feature::always, only<int3>, Flow::ends},
    {ZYDIS_MNEMONIC_INTO, Feature::always, only<into>, Flow::ends},
    {ZYDIS_MNEMONIC_INT1, Feature::always, only<int1>, Flow::ends},
};

}  // namespace

std::span<const Row> far_transfers_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
