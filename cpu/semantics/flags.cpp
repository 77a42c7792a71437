#include "cpu/flags.hpp"

#include <Zydis/Mnemonic.h>

#include "cpu/families.hpp"
#include "cpu/operands.hpp"

// Instructions whose operand is RFLAGS: SDM "Flag Control (EFLAGS) Instructions".
namespace hyperstep::cpu {
namespace {

template <std::uint64_t flag>
Outcome set_flag(Cpu& cpu, const Op& /*op*/) {
    cpu.state.rflags |= flag;
    return {};
}
template <std::uint64_t flag>
Outcome clear_flag(Cpu& cpu, const Op& /*op*/) {
    cpu.state.rflags &= ~flag;
    return {};
}
Outcome complement_carry(Cpu& cpu, const Op& /*op*/) {
    cpu.state.rflags ^= Rflags::cf.mask;
    return {};
}

/// In virtual-8086 mode CPL is 3.
bool may_change_if(const Cpu& cpu) {
    return cpu.cpl <= cpu.rflags()[Rflags::iopl];
}

Outcome cli(Cpu& cpu, const Op& /*op*/) {
    if (!may_change_if(cpu)) return general_protection();
    cpu.state.rflags &= ~Rflags::if_.mask;
    return {};
}

Outcome sti(Cpu& cpu, const Op& /*op*/) {
    if (!may_change_if(cpu)) return general_protection();
    if (cpu.rflags()[Rflags::if_]) return {};
    cpu.state.rflags |= Rflags::if_.mask;
    cpu.state.blocking.sti = true;
    look_at_boundary(cpu);
    return {};
}

/// In virtual-8086 mode PUSHF and POPF are sensitive to IOPL.
bool is_trapped_in_virtual_8086(const Cpu& cpu) {
    return cpu.mode == Mode::virtual_8086 && cpu.rflags()[Rflags::iopl] < 3;
}

/// Which flags POPF changes. SDM "POPF".
std::uint64_t changeable_flags(const Cpu& cpu) {
    std::uint64_t mask = flag::status | Rflags::tf.mask | Rflags::df.mask | Rflags::nt.mask |
                         Rflags::ac.mask | Rflags::id.mask;
    if (may_change_if(cpu)) mask |= Rflags::if_.mask;
    if (cpu.cpl == 0) mask |= Rflags::iopl.mask;
    return mask;
}

template <class T>
struct Popf {
    static Outcome run(Cpu& cpu, const Op& /*op*/) {
        if (is_trapped_in_virtual_8086(cpu)) return general_protection();
        const auto popped = peek<T>(cpu);
        if (!popped) return tl::unexpected{popped.error()};
        drop(cpu, sizeof(T));
        const std::uint64_t width = static_cast<T>(~T{});
        const std::uint64_t mask = changeable_flags(cpu) & width;
        const std::uint64_t before = cpu.state.rflags;
        cpu.state.rflags = ((before & ~mask) | (*popped & mask)) & ~Rflags::rf.mask;
        if (((before ^ cpu.state.rflags) & Rflags::ac.mask) != 0)
            refresh(cpu);
        else
            look_at_boundary(cpu);
        return {};
    }
};

template <class T>
struct Pushf {
    static Outcome run(Cpu& cpu, const Op& /*op*/) {
        if (is_trapped_in_virtual_8086(cpu)) return general_protection();
        return push(cpu, static_cast<T>(cpu.state.rflags & ~(Rflags::vm.mask | Rflags::rf.mask)));
    }
};

enum class AccessControl : std::uint8_t { clear, set };
/// CLAC and STAC.
template <AccessControl what>
Outcome change_ac(Cpu& cpu, const Op& /*op*/) {
    if (cpu.cpl > 0) return undefined_opcode();
    const Rflags changed = cpu.rflags().with(Rflags::ac, what == AccessControl::set);
    if (changed == cpu.rflags()) return {};
    cpu.state.rflags = changed.raw;
    refresh(cpu);
    return {};
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_CLC, Feature::always, only<clear_flag<Rflags::cf.mask>>},
    {ZYDIS_MNEMONIC_STC, Feature::always, only<set_flag<Rflags::cf.mask>>},
    {ZYDIS_MNEMONIC_CMC, Feature::always, only<complement_carry>},
    {ZYDIS_MNEMONIC_CLD, Feature::always, only<clear_flag<Rflags::df.mask>>},
    {ZYDIS_MNEMONIC_STD, Feature::always, only<set_flag<Rflags::df.mask>>},
    {ZYDIS_MNEMONIC_CLI, Feature::always, only<cli>},
    {ZYDIS_MNEMONIC_STI, Feature::always, only<sti>, Flow::ends},
    {ZYDIS_MNEMONIC_PUSHF, Feature::always, only<Pushf<std::uint16_t>::run>},
    {ZYDIS_MNEMONIC_PUSHFD, Feature::always, only<Pushf<std::uint32_t>::run>},
    {ZYDIS_MNEMONIC_PUSHFQ, Feature::always, only<Pushf<std::uint64_t>::run>},
    {ZYDIS_MNEMONIC_POPF, Feature::always, only<Popf<std::uint16_t>::run>, Flow::ends},
    {ZYDIS_MNEMONIC_POPFD, Feature::always, only<Popf<std::uint32_t>::run>, Flow::ends},
    {ZYDIS_MNEMONIC_POPFQ, Feature::always, only<Popf<std::uint64_t>::run>, Flow::ends},
    {ZYDIS_MNEMONIC_CLAC, Feature::smap, only<change_ac<AccessControl::clear>>, Flow::ends},
    {ZYDIS_MNEMONIC_STAC, Feature::smap, only<change_ac<AccessControl::set>>, Flow::ends},
};

}  // namespace

std::span<const Row> flags_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
