#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/cpu.hpp"

// Memory as instructions see it: segment, linear address, translation, bytes.
namespace hyperstep::cpu {

/// Where the bytes of a translated access lie. From its making to its use nothing can fault.
struct Place {
    std::byte* host = nullptr;  ///< all bytes, contiguous; null: through `first` and `second`
    Hpa first{};
    Hpa second{};  ///< of the bytes in the next page
    std::uint16_t first_bytes = 0;
    std::uint16_t bytes = 0;
};

/// Who makes an access.
enum class Accessor : std::uint8_t {
    program,      ///< at the current privilege level
    inner_stack,  ///< the same, at CPL 0 to 2 while the CPL is still 3: a stack that is being switched to
    system        ///< the processor itself, for GDT, IDT, LDT, TSS
};

/// Whether all bytes lie within the limit of the segment. SDM "Limit Checking".
bool within_limit(const Segment& segment, std::uint64_t offset, unsigned bytes);

/// The linear address of `bytes` at `segment`:`offset`. #GP(0), or #SS(0) when `segment` is SS, if the
/// segment does not allow it or an address is not canonical. SDM "Limit Checking", "Type Checking".
Expected<std::uint64_t> linear_address(
    Cpu& cpu, unsigned segment, std::uint64_t offset, unsigned bytes, mmu::Access access);
/// Translates every byte of the access. Sets accessed and dirty flags; announces writes. #PF, #AC(0); records
/// data breakpoints. In 64-bit mode the caller has checked that the address is canonical.
Expected<Place> translate(
    Cpu& cpu, std::uint64_t linear, unsigned bytes, mmu::Access access, Accessor accessor);
/// linear_address() and translate() in one.
Expected<Place> locate(Cpu& cpu, unsigned segment, std::uint64_t offset, unsigned bytes, mmu::Access access);

/// Reads or writes the place. Device registers are accessed here, once.
void read_place_slow(Cpu& cpu, const Place& place, void* to);
void write_place_slow(Cpu& cpu, const Place& place, const void* from);

template <class T>
T read(Cpu& cpu, const Place& place) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (place.host != nullptr) [[likely]]
        std::memcpy(&value, place.host, sizeof value);
    else
        read_place_slow(cpu, place, &value);
    return value;
}
template <class T>
void write(Cpu& cpu, const Place& place, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (place.host != nullptr) [[likely]]
        std::memcpy(place.host, &value, sizeof value);
    else
        write_place_slow(cpu, place, &value);
}

namespace access_detail {
/// The host bytes of a whole access in RAM that the TLB knows; null: the slow way.
template <unsigned bytes, mmu::Access access>
std::byte* quick(Cpu& cpu, unsigned segment, std::uint64_t offset) {
    constexpr std::uint8_t need = access == mmu::Access::write ? 2 : 1;
    if ((cpu.quick_rights[segment] & need) == 0) return nullptr;
    const std::uint64_t linear = (cpu.quick_base[segment] + offset) & cpu.linear_mask;
    const mmu::TlbEntry& entry = cpu.tlb.at(Gva{linear});
    const std::uint64_t tag = access == mmu::Access::write ? entry.write_tag : entry.read_tag;
    if (tag != mmu::Tlb::tag(Gva{linear}, cpu.quick_context)) return nullptr;
    if ((linear & 0xfff) > 0x1000 - bytes) return nullptr;
    return entry.host == nullptr ? nullptr : entry.host + (linear & 0xfff);
}
}  // namespace access_detail

/// Reads a value of the program's.
template <class T>
Expected<T> load(Cpu& cpu, unsigned segment, std::uint64_t offset) {
    if (const std::byte* host = access_detail::quick<sizeof(T), mmu::Access::read>(cpu, segment, offset))
        [[likely]] {
        T value;
        std::memcpy(&value, host, sizeof value);
        return value;
    }
    const auto place = locate(cpu, segment, offset, sizeof(T), mmu::Access::read);
    if (!place) return tl::unexpected{place.error()};
    return read<T>(cpu, *place);
}

/// Finds where a value will be written: for a store whose instruction can still fault, or that reads first.
template <class T>
Expected<Place> prepare_store(Cpu& cpu, unsigned segment, std::uint64_t offset) {
    if (std::byte* host = access_detail::quick<sizeof(T), mmu::Access::write>(cpu, segment, offset))
        [[likely]]
        return Place{.host = host, .first_bytes = sizeof(T), .bytes = sizeof(T)};
    return locate(cpu, segment, offset, sizeof(T), mmu::Access::write);
}

/// Writes a value of the program's.
template <class T>
Outcome store(Cpu& cpu, unsigned segment, std::uint64_t offset, const T& value) {
    if (std::byte* host = access_detail::quick<sizeof(T), mmu::Access::write>(cpu, segment, offset))
        [[likely]] {
        std::memcpy(host, &value, sizeof value);
        return {};
    }
    const auto place = locate(cpu, segment, offset, sizeof(T), mmu::Access::write);
    if (!place) return tl::unexpected{place.error()};
    write(cpu, *place, value);
    return {};
}

/// An access of the processor's own (SDM "Implicit supervisor-mode accesses"), at a linear address.
template <class T>
Expected<T> load_system(Cpu& cpu, std::uint64_t linear) {
    const auto place = translate(cpu, linear, sizeof(T), mmu::Access::read, Accessor::system);
    if (!place) return tl::unexpected{place.error()};
    return read<T>(cpu, *place);
}
template <class T>
Outcome store_system(Cpu& cpu, std::uint64_t linear, const T& value) {
    const auto place = translate(cpu, linear, sizeof(T), mmu::Access::write, Accessor::system);
    if (!place) return tl::unexpected{place.error()};
    write(cpu, *place, value);
    return {};
}

}  // namespace hyperstep::cpu
