#include <Zydis/Mnemonic.h>

#include "cpu/data_breakpoints.hpp"
#include "cpu/families.hpp"
#include "cpu/flags.hpp"
#include "cpu/operands.hpp"

// IN, OUT, INS, OUTS.
namespace hyperstep::cpu {
namespace {

/// Whether the TSS's bitmap has a 0 for each port. #GP(0) if not, or if the TSS has no bitmap so far. Two
/// bytes are read, though a port range may lie in one. SDM "I/O Permission Bit Map".
Outcome check_port_bitmap(Cpu& cpu, std::uint16_t port, unsigned bytes) {
    constexpr std::uint64_t bits_32 = 8;  // of the type of a TSS
    constexpr unsigned map_base_offset = 0x66;
    const Segment& tr = cpu.state.tr;
    const bool is_32 = (tr.rights[AccessRights::type] & bits_32) != 0;
    if (tr.rights[AccessRights::unusable] || !is_32 || tr.limit < map_base_offset + 1)
        return general_protection();
    // In compatibility mode too the base of a TSS has 64 bits.
    const std::uint64_t mask_of_base = cpu.efer()[Efer::lma] ? ~0ULL : 0xffff'ffff;
    const auto at = [&](std::uint64_t offset) { return (tr.base + offset) & mask_of_base; };
    if (!is_canonical(cpu, at(0)) || !is_canonical(cpu, at(0x1'2001))) return general_protection();
    const auto map_base = load_system<std::uint16_t>(cpu, at(map_base_offset));
    if (!map_base) return tl::unexpected{map_base.error()};
    const std::uint64_t offset = static_cast<std::uint64_t>(*map_base) + port / 8;
    if (offset + 1 > tr.limit) return general_protection();
    const auto map = load_system<std::uint16_t>(cpu, at(offset));
    if (!map) return tl::unexpected{map.error()};
    const unsigned mask = ((1U << bytes) - 1) << port % 8;
    if ((*map & mask) != 0) return general_protection();
    return {};
}

/// SDM "I/O Privilege Level": in virtual-8086 mode the bitmap alone decides.
Outcome check_port_permission(Cpu& cpu, std::uint16_t port, unsigned bytes) {
    const bool privileged = cpu.mode != Mode::virtual_8086 && cpu.cpl <= cpu.rflags()[Rflags::iopl];
    return privileged ? Outcome{} : check_port_bitmap(cpu, port, bytes);
}

/// The bus cycle itself. A device may have changed what is due.
std::uint32_t read_port(Cpu& cpu, std::uint16_t port, unsigned bytes) {
    const std::uint32_t value = cpu.board.read_port(port, bytes);
    note_port_access(cpu, port, bytes);
    look_at_boundary(cpu);
    return value;
}
void write_port(Cpu& cpu, std::uint16_t port, unsigned bytes, std::uint32_t value) {
    cpu.board.write_port(port, bytes, value);
    note_port_access(cpu, port, bytes);
    look_at_boundary(cpu);
}

// ---- IN and OUT -------------------------------------------------------------------------------------------

enum class PortOperand : std::uint8_t { immediate, dx };

template <PortOperand operand>
std::uint16_t port_of(const Cpu& cpu, const Op& op) {
    return static_cast<std::uint16_t>(operand == PortOperand::dx ? cpu.state.gpr[rdx] : op.immediate & 0xff);
}

template <class T>
struct Port {
    template <PortOperand operand>
    static Outcome in(Cpu& cpu, const Op& op) {
        const std::uint16_t port = port_of<operand>(cpu, op);
        HS_TRY(check_port_permission(cpu, port, sizeof(T)));
        HS_TRY(intercept(
            cpu, InterceptPoint::in_out, {.op = &op, .index = port, .bytes = sizeof(T), .is_read = true}));
        write_gpr<T>(cpu.state, rax, static_cast<T>(read_port(cpu, port, sizeof(T))));
        return {};
    }
    template <PortOperand operand>
    static Outcome out(Cpu& cpu, const Op& op) {
        const std::uint16_t port = port_of<operand>(cpu, op);
        HS_TRY(check_port_permission(cpu, port, sizeof(T)));
        HS_TRY(intercept(cpu, InterceptPoint::in_out, {.op = &op, .index = port, .bytes = sizeof(T)}));
        write_port(cpu, port, sizeof(T), read_gpr<T>(cpu.state, rax));
        return {};
    }
    static Handler select(const Form& form) {
        const bool from_dx = (form.opcode & 8) != 0;  // EC to EF; E4 to E7 have the port's number
        const bool is_out = (form.opcode & 2) != 0;
        if (from_dx) return is_out ? out<PortOperand::dx> : in<PortOperand::dx>;
        return is_out ? out<PortOperand::immediate> : in<PortOperand::immediate>;
    }
};

Handler select_in_out(const Form& form) {
    const bool one_byte = (form.opcode & 1) == 0;
    if (one_byte) return Port<std::uint8_t>::select(form);
    return form.operand_bytes == 2 ? Port<std::uint16_t>::select(form) : Port<std::uint32_t>::select(form);
}

// ---- INS and OUTS -----------------------------------------------------------------------------------------

template <class T>
struct PortString {
    static std::uint64_t linear(const Cpu& cpu, unsigned segment, std::uint64_t offset) {
        return (cpu.quick_base[segment] + offset) & cpu.linear_mask;
    }
    static void advance(Cpu& cpu, const Op& op, Gpr index) {
        const std::uint64_t step = cpu.rflags()[Rflags::df] ? 0 - sizeof(T) : sizeof(T);
        write_sized(cpu.state, index, op.address_bytes, cpu.state.gpr[index] + step);
    }

    static Outcome in_once(Cpu& cpu, const Op& op) {
        const auto port = static_cast<std::uint16_t>(cpu.state.gpr[rdx]);
        const std::uint64_t offset = read_sized(cpu.state, rdi, op.address_bytes);
        HS_TRY(check_port_permission(cpu, port, sizeof(T)));
        HS_TRY(intercept(cpu,
                         InterceptPoint::ins_outs,
                         {.op = &op,
                          .address = linear(cpu, es, offset),
                          .index = port,
                          .bytes = sizeof(T),
                          .is_read = true}));
        const auto place = prepare_store<T>(cpu, es, offset);
        if (!place) return tl::unexpected{place.error()};
        write<T>(cpu, *place, static_cast<T>(read_port(cpu, port, sizeof(T))));
        advance(cpu, op, rdi);
        return {};
    }

    static Outcome out_once(Cpu& cpu, const Op& op) {
        const auto port = static_cast<std::uint16_t>(cpu.state.gpr[rdx]);
        const std::uint64_t offset = read_sized(cpu.state, rsi, op.address_bytes);
        HS_TRY(check_port_permission(cpu, port, sizeof(T)));
        HS_TRY(intercept(
            cpu,
            InterceptPoint::ins_outs,
            {.op = &op, .address = linear(cpu, op.segment, offset), .index = port, .bytes = sizeof(T)}));
        const auto value = load<T>(cpu, op.segment, offset);
        if (!value) return tl::unexpected{value.error()};
        write_port(cpu, port, sizeof(T), *value);
        advance(cpu, op, rsi);
        return {};
    }

    template <Handler once>
    static Outcome repeated(Cpu& cpu, const Op& op) {
        if (!op.has(op_flag::rep | op_flag::repne)) return once(cpu, op);
        // The permission is asked for even if there is no iteration, as processors do.
        HS_TRY(check_port_permission(cpu, static_cast<std::uint16_t>(cpu.state.gpr[rdx]), sizeof(T)));
        while (read_sized(cpu.state, rcx, op.address_bytes) != 0) {
            HS_TRY(once(cpu, op));
            const std::uint64_t left = read_sized(cpu.state, rcx, op.address_bytes) - 1;
            write_sized(cpu.state, rcx, op.address_bytes, left);
            if (left == 0) break;
            ++cpu.time.now;
            if (cpu.time.now >= cpu.time.stop_at || cpu.attention) return suspended();
        }
        return {};
    }
    static Handler select_in(const Form& /*form*/) { return repeated<in_once>; }
    static Handler select_out(const Form& /*form*/) { return repeated<out_once>; }
};

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_IN, Feature::always, select_in_out},
    {ZYDIS_MNEMONIC_OUT, Feature::always, select_in_out},
    {ZYDIS_MNEMONIC_INSB, Feature::always, PortString<std::uint8_t>::select_in},
    {ZYDIS_MNEMONIC_INSW, Feature::always, PortString<std::uint16_t>::select_in},
    {ZYDIS_MNEMONIC_INSD, Feature::always, PortString<std::uint32_t>::select_in},
    {ZYDIS_MNEMONIC_OUTSB, Feature::always, PortString<std::uint8_t>::select_out},
    {ZYDIS_MNEMONIC_OUTSW, Feature::always, PortString<std::uint16_t>::select_out},
    {ZYDIS_MNEMONIC_OUTSD, Feature::always, PortString<std::uint32_t>::select_out},
};

}  // namespace

std::span<const Row> input_output_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
