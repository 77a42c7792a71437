#include <Zydis/Mnemonic.h>

#include "cpu/packed_forms.hpp"

// Loads and stores of chosen lanes: VMASKMOV, VPMASKMOV, and gathering. What is not chosen cannot fault.
namespace hyperstep::cpu {
namespace {

constexpr Encoding vex = Encoding::vex;

template <class T>
constexpr bool is_chosen(T mask) {
    return mask >> (sizeof(T) * 8 - 1) != 0;
}

/// One lane, for which alignment is not checked. SDM "Exceptions Type 6", "Exceptions Type 12": no #AC.
template <class T>
Expected<T> load_lane(Cpu& cpu, const Op& op, std::uint64_t offset) {
    const std::uint64_t linear = cpu.quick_base[op.segment] + offset;
    if (linear % sizeof(T) == 0) return load<T>(cpu, op.segment, offset);
    T lane = 0;
    for (unsigned i = 0; i < sizeof(T); ++i) {
        const auto byte = load<std::uint8_t>(cpu, op.segment, (offset + i) & mask_of_bytes(op.address_bytes));
        if (!byte) return tl::unexpected{byte.error()};
        lane |= static_cast<T>(*byte) << (8 * i);
    }
    return lane;
}

template <class T, unsigned bytes>
Outcome masked_load(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto mask = lanes_of<T>(vector_register<bytes>(cpu.state, op.reg[1]));
    const std::uint64_t start = effective_offset(cpu, op);
    Lanes<T, bytes> result{};
    for (std::size_t i = 0; i < result.size(); ++i) {
        if (!is_chosen(mask[i])) continue;
        const auto lane = load_lane<T>(cpu, op, (start + i * sizeof(T)) & mask_of_bytes(op.address_bytes));
        if (!lane) return tl::unexpected{lane.error()};
        result[i] = *lane;
    }
    set_vector<vex, bytes>(cpu.state, op.reg[0], pack(result));
    return {};
}

template <class T, unsigned bytes>
Outcome masked_store(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    const auto mask = lanes_of<T>(vector_register<bytes>(cpu.state, op.reg[1]));
    const auto value = lanes_of<std::uint8_t>(vector_register<bytes>(cpu.state, op.reg[2]));
    const std::uint64_t start = effective_offset(cpu, op);
    std::array<Place, bytes> places{};
    for (std::size_t i = 0; i < bytes; ++i) {
        if (!is_chosen(mask[i / sizeof(T)])) continue;
        const auto place =
            prepare_store<std::uint8_t>(cpu, op.segment, (start + i) & mask_of_bytes(op.address_bytes));
        if (!place) return tl::unexpected{place.error()};
        places[i] = *place;
    }
    for (std::size_t i = 0; i < bytes; ++i)
        if (is_chosen(mask[i / sizeof(T)])) write<std::uint8_t>(cpu, places[i], value[i]);
    return {};
}

template <class T>
Handler select_masked(const Form& form) {
    const bool store = form.kind[0] == OperandKind::memory;
    if (on_ymm(form)) return store ? masked_store<T, 32> : masked_load<T, 32>;
    return store ? masked_store<T, 16> : masked_load<T, 16>;
}

/// VGATHER, VPGATHER: each lane from its own address, lowest first. A lane that is there is taken out of the
/// mask at once: after a fault the instruction goes on with the lanes that are left.
template <class T, class Index, unsigned bytes>
Outcome gather(Cpu& cpu, const Op& op) {
    HS_TRY(check_vex(cpu));
    constexpr std::size_t count = bytes / std::max(sizeof(T), sizeof(Index));
    constexpr bool is_ymm = count * sizeof(T) == 32;
    auto lanes = lanes_of<T>(vector_register<32>(cpu.state, op.reg[0]));
    auto mask = lanes_of<T>(vector_register<32>(cpu.state, op.reg[2]));
    const auto indices = lanes_of<Index>(vector_register<32>(cpu.state, op.index));
    std::uint64_t base = static_cast<std::uint64_t>(static_cast<std::int64_t>(op.displacement));
    if (op.base < 16) base += cpu.state.gpr[op.base];
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_chosen(mask[i])) {
            mask[i] = 0;
            continue;
        }
        const auto index = static_cast<std::uint64_t>(std::int64_t{indices[i]}) << op.scale;
        const auto lane = load_lane<T>(cpu, op, (base + index) & mask_of_bytes(op.address_bytes));
        if (!lane) {
            cpu.state.vector[op.reg[0]] = pack(lanes);
            cpu.state.vector[op.reg[2]] = pack(mask);
            return tl::unexpected{lane.error()};
        }
        lanes[i] = *lane;
        mask[i] = 0;
    }
    if constexpr (!is_ymm)
        for (std::size_t i = count; i < lanes.size(); ++i) lanes[i] = 0;
    cpu.state.vector[op.reg[0]] = pack(lanes);
    cpu.state.vector[op.reg[2]] = {};
    return {};
}
/// VEX.L says how wide the wider of lanes and indices are, all together.
template <class T, class Index>
Handler select_gather(const Form& form) {
    return (form.flags & op_flag::vector_256) != 0 ? gather<T, Index, 32> : gather<T, Index, 16>;
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_VMASKMOVPS, Feature::avx, select_masked<std::uint32_t>},
    {ZYDIS_MNEMONIC_VMASKMOVPD, Feature::avx, select_masked<std::uint64_t>},
    {ZYDIS_MNEMONIC_VPMASKMOVD, Feature::avx2, select_masked<std::uint32_t>},
    {ZYDIS_MNEMONIC_VPMASKMOVQ, Feature::avx2, select_masked<std::uint64_t>},
    {ZYDIS_MNEMONIC_VPGATHERDD, Feature::avx2, select_gather<std::uint32_t, std::int32_t>},
    {ZYDIS_MNEMONIC_VPGATHERDQ, Feature::avx2, select_gather<std::uint64_t, std::int32_t>},
    {ZYDIS_MNEMONIC_VPGATHERQD, Feature::avx2, select_gather<std::uint32_t, std::int64_t>},
    {ZYDIS_MNEMONIC_VPGATHERQQ, Feature::avx2, select_gather<std::uint64_t, std::int64_t>},
    {ZYDIS_MNEMONIC_VGATHERDPS, Feature::avx2, select_gather<std::uint32_t, std::int32_t>},
    {ZYDIS_MNEMONIC_VGATHERDPD, Feature::avx2, select_gather<std::uint64_t, std::int32_t>},
    {ZYDIS_MNEMONIC_VGATHERQPS, Feature::avx2, select_gather<std::uint32_t, std::int64_t>},
    {ZYDIS_MNEMONIC_VGATHERQPD, Feature::avx2, select_gather<std::uint64_t, std::int64_t>},
};

}  // namespace

std::span<const Row> avx_masked_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
