#include "cpu/access.hpp"

#include <algorithm>
#include <array>

#include "cpu/data_breakpoints.hpp"
#include "cpu/translation.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t page_bytes = 4096;

tl::unexpected<Fault> segment_fault(unsigned segment) {
    return raise(segment == ss ? Vector::ss : Vector::gp, 0);
}

/// SDM "Type Checking": what the access rights of a usable segment allow in protected mode. A fetch: whether
/// there is anything to execute or read.
bool rights_allow(AccessRights rights, mmu::Access access) {
    const bool write = access == mmu::Access::write;
    if (access == mmu::Access::fetch) return true;
    if (rights[AccessRights::code]) return !write && rights[AccessRights::writable];
    return !write || rights[AccessRights::writable];
}

/// #AC: the access is of the program, at CPL 3, and not aligned as its data type demands (SDM "Alignment
/// Requirements by Data Type"). Accesses of more than 8 bytes have rules of their own (SSE: #GP) and are
/// aligned to 8 here at most.
bool misaligned(const Cpu& cpu, std::uint64_t linear, unsigned bytes) {
    if (!(cpu.cr0()[Cr0::am] && cpu.rflags()[Rflags::ac] && cpu.cpl == 3)) return false;
    switch (bytes) {
        case 2:
        case 4:
        case 8: return (linear & (bytes - 1)) != 0;
        case 10:
        case 16: return (linear & 7) != 0;
        // The x87 environment and save area, in their 16-bit and 32-bit formats.
        case 14:
        case 94: return (linear & 1) != 0;
        case 28:
        case 108: return (linear & 3) != 0;
        default: return false;
    }
}

/// The greatest power of two that an access at `address` may have: aligned, within `left`.
unsigned piece_of(std::uint64_t address, unsigned left) {
    unsigned piece = 8;
    while (piece > left || (address & (piece - 1)) != 0) piece /= 2;
    return piece;
}

/// Physical pieces of a place, in order: `use(address, bytes, place in the value)`.
template <class Use>
void for_each_piece(const Place& place, Use&& use) {
    unsigned done = 0;
    const auto part = [&](Hpa address, unsigned bytes) {
        while (bytes != 0) {
            // An unaligned access within a page reaches a device whole if its size is a power of two.
            const bool whole = bytes == place.bytes && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
            const unsigned piece = whole ? bytes : piece_of(address.raw(), bytes);
            use(address, piece, done);
            address += piece;
            bytes -= piece;
            done += piece;
        }
    };
    part(place.first, place.first_bytes);
    part(place.second, place.bytes - place.first_bytes);
}

}  // namespace

bool within_limit(const Segment& segment, std::uint64_t offset, unsigned bytes) {
    const std::uint64_t last = offset + bytes - 1;
    const bool expands_down = !segment.rights[AccessRights::code] && (segment.rights.raw & 4) != 0;
    if (!expands_down) return last <= segment.limit;
    const std::uint64_t upper = segment.rights[AccessRights::db] ? 0xffff'ffff : 0xffff;
    return offset > segment.limit && last <= upper;
}

Expected<std::uint64_t> linear_address(
    Cpu& cpu, unsigned segment, std::uint64_t offset, unsigned bytes, mmu::Access access) {
    if (cpu.mode == Mode::long_64) {
        const std::uint64_t linear = cpu.quick_base[segment] + offset;
        if (!is_canonical(cpu, linear) || !is_canonical(cpu, linear + bytes - 1))
            return segment_fault(segment);
        return linear;
    }
    const Segment& used = cpu.state.segment[segment];
    if (cpu.protected_mode()) {
        if (used.rights[AccessRights::unusable] || !rights_allow(used.rights, access))
            return segment_fault(segment);
    }
    if (!within_limit(used, offset, bytes)) return segment_fault(segment);
    return (used.base + offset) & 0xffff'ffff;
}

Expected<Place> translate(
    Cpu& cpu, std::uint64_t linear, unsigned bytes, mmu::Access access, Accessor accessor) {
    if (accessor == Accessor::program && misaligned(cpu, linear, bytes)) return raise(Vector::ac, 0);
    const auto first = translate_page(cpu, linear, access, accessor);
    if (!first) return tl::unexpected{first.error()};
    const std::uint64_t offset = linear % page_bytes;
    Place place{.host = first->host == nullptr ? nullptr : first->host + offset,
                .first = first->frame + offset,
                .first_bytes = static_cast<std::uint16_t>(bytes),
                .bytes = static_cast<std::uint16_t>(bytes)};
    if (offset + bytes > page_bytes) {
        place.first_bytes = static_cast<std::uint16_t>(page_bytes - offset);
        place.host = nullptr;
        // The tables of IA-32e mode, and the stacks of its handlers, are beyond 4 GiB in every submode.
        const bool is_wide = accessor != Accessor::program && cpu.efer()[Efer::lma];
        const std::uint64_t mask = is_wide ? ~0ULL : cpu.linear_mask;
        const auto second = translate_page(cpu, (linear + place.first_bytes) & mask, access, accessor);
        if (!second) return tl::unexpected{second.error()};
        place.second = second->frame;
    }
    if (accessor != Accessor::system) note_data_access(cpu, linear, bytes, access);
    return place;
}

Expected<Place> locate(Cpu& cpu, unsigned segment, std::uint64_t offset, unsigned bytes, mmu::Access access) {
    const auto linear = linear_address(cpu, segment, offset, bytes, access);
    if (!linear) return tl::unexpected{linear.error()};
    return translate(cpu, *linear, bytes, access, Accessor::program);
}

void read_place_slow(Cpu& cpu, const Place& place, void* to) {
    auto* bytes = static_cast<std::byte*>(to);
    for_each_piece(place, [&](Hpa address, unsigned count, unsigned done) {
        const std::uint64_t value = cpu.memory.read(address, count);
        std::memcpy(bytes + done, &value, count);
    });
    // A device may have changed what is due: a line, a deadline.
    look_at_boundary(cpu);
}

void write_place_slow(Cpu& cpu, const Place& place, const void* from) {
    const auto* bytes = static_cast<const std::byte*>(from);
    for_each_piece(place, [&](Hpa address, unsigned count, unsigned done) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes + done, count);
        cpu.memory.write(address, count, value);
    });
    look_at_boundary(cpu);
}

}  // namespace hyperstep::cpu
