#include "cpu/descriptors.hpp"

#include "cpu/access.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t usable_data = 0x93;          ///< present, read/write, accessed
constexpr std::uint64_t virtual_8086_rights = 0xf3;  ///< the same, of DPL 3

/// The linear address of `bytes` of a table at `index`, or nothing if they are beyond its limit.
Expected<std::uint64_t> address_in_table(
    Cpu& cpu, std::uint16_t selector, unsigned first, unsigned bytes, Vector beyond) {
    const State& state = cpu.state;
    const bool local = (selector & 4) != 0;
    const std::uint64_t limit = local ? state.ldtr.limit : state.gdtr.limit;
    const std::uint64_t base = local ? state.ldtr.base : state.gdtr.base;
    const std::uint64_t offset = (selector & 0xfff8U) + first;
    if (local && state.ldtr.rights[AccessRights::unusable]) return raise(beyond, error_code_of(selector));
    if (offset + bytes - 1 > limit) return raise(beyond, error_code_of(selector));
    const std::uint64_t address = base + offset;
    if (!cpu.efer()[Efer::lma]) return address & 0xffff'ffff;
    if (!is_canonical(cpu, address)) return raise(beyond, error_code_of(selector));
    return address;
}

}  // namespace

std::uint32_t Descriptor::base() const {
    return static_cast<std::uint32_t>((raw >> 16 & 0xff'ffff) | (raw >> 32 & 0xff00'0000));
}

std::uint32_t Descriptor::limit() const {
    const auto units = static_cast<std::uint32_t>((raw & 0xffff) | (raw >> 32 & 0xf'0000));
    return (*this)[g] ? units << 12 | 0xfff : units;
}

Expected<TableEntry> read_descriptor(Cpu& cpu, std::uint16_t selector, Vector beyond) {
    const auto address = address_in_table(cpu, selector, 0, 8, beyond);
    if (!address) return tl::unexpected{address.error()};
    const auto raw = load_system<std::uint64_t>(cpu, *address);
    if (!raw) return tl::unexpected{raw.error()};
    return TableEntry{.descriptor = {{*raw}}, .address = *address};
}

Expected<std::uint64_t> read_upper_descriptor(Cpu& cpu, std::uint16_t selector, Vector beyond) {
    const auto address = address_in_table(cpu, selector, 8, 8, beyond);
    if (!address) return tl::unexpected{address.error()};
    return load_system<std::uint64_t>(cpu, *address);
}

Outcome mark_accessed(Cpu& cpu, TableEntry& entry) {
    if (entry.descriptor[Descriptor::accessed]) return {};
    entry.descriptor = entry.descriptor.with(Descriptor::accessed, true);
    const auto type_byte = static_cast<std::uint8_t>(entry.descriptor.raw >> 40);
    return store_system<std::uint8_t>(cpu, entry.address + 5, type_byte);
}

Segment segment_of(std::uint16_t selector, Descriptor descriptor) {
    return {.selector = selector,
            .base = descriptor.base(),
            .limit = descriptor.limit(),
            .rights = descriptor.rights()};
}

Segment null_segment(std::uint16_t selector, unsigned dpl) {
    const AccessRights rights = AccessRights{}.with(AccessRights::unusable, true);
    return {.selector = selector, .base = 0, .limit = 0, .rights = rights.with(AccessRights::dpl, dpl)};
}

Segment segment_of_virtual_8086(std::uint16_t selector) {
    return {.selector = selector,
            .base = static_cast<std::uint64_t>(selector) << 4,
            .limit = 0xffff,
            .rights = {{virtual_8086_rights}}};
}

void load_real_mode_segment(Segment& segment, std::uint16_t selector) {
    segment.selector = selector;
    segment.base = static_cast<std::uint64_t>(selector) << 4;
    if (segment.rights[AccessRights::unusable]) segment.rights = {{usable_data}};
}

}  // namespace hyperstep::cpu
