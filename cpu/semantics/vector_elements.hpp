#pragma once
#include "cpu/packed.hpp"

// Single elements of packed values, to and from general registers and memory.
namespace hyperstep::cpu {

/// A T from visible operand `place`: a general register's low part, or memory.
template <class T>
Expected<T> element_source(Cpu& cpu, const Op& op, unsigned place) {
    if (op.has(op_flag::has_memory)) return load_operand<T>(cpu, op);
    return static_cast<T>(cpu.state.gpr[op.reg[place] & 15U]);
}

/// The highest bit of each lane of T, the lowest lane's in bit 0.
template <class T, std::size_t words>
std::uint32_t sign_bits(const std::array<std::uint64_t, words>& value) {
    const auto lanes = lanes_of<T>(value);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < lanes.size(); ++i)
        bits |= static_cast<std::uint32_t>(lanes[i] >> (sizeof(T) * 8 - 1) & 1U) << i;
    return bits;
}

/// Stores the bytes whose byte of `mask` has its highest bit set to DS:rDI (or the segment that overrides
/// DS). SDM "MASKMOVDQU". The faults are those of a store of all bytes, even if none is selected: the manual
/// leaves that to the processor.
template <unsigned bytes>
Outcome store_selected_bytes(Cpu& cpu, const Op& op, const Packed<bytes>& value, const Packed<bytes>& mask) {
    const auto from = lanes_of<std::uint8_t>(value);
    const std::uint32_t selected = sign_bits<std::uint8_t>(mask);
    const std::uint64_t start = cpu.state.gpr[rdi];
    const auto whole =
        prepare_store<ByteArray<bytes>>(cpu, op.segment, start & mask_of_bytes(op.address_bytes));
    if (!whole) return tl::unexpected{whole.error()};
    std::array<Place, bytes> places{};
    for (unsigned i = 0; i < bytes; ++i) {
        if ((selected >> i & 1U) == 0) continue;
        const auto place =
            prepare_store<std::uint8_t>(cpu, op.segment, (start + i) & mask_of_bytes(op.address_bytes));
        if (!place) return tl::unexpected{place.error()};
        places[i] = *place;
    }
    for (unsigned i = 0; i < bytes; ++i)
        if ((selected >> i & 1U) != 0) write<std::uint8_t>(cpu, places[i], from[i]);
    return {};
}

}  // namespace hyperstep::cpu
