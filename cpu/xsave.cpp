#include "cpu/xsave.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/fpu_image.hpp"

namespace hyperstep::cpu {
namespace {

template <class T>
void put(std::span<std::byte> area, std::size_t offset, T value) {
    std::memcpy(area.data() + offset, &value, sizeof value);
}
template <class T>
T get(std::span<const std::byte> area, std::size_t offset) {
    T value{};
    std::memcpy(&value, area.data() + offset, sizeof value);
    return value;
}

/// Offsets of the x87 state in the legacy region.
namespace x87_at {
constexpr std::size_t control = 0, status = 2, tags = 4, opcode = 6, instruction = 8,
                      instruction_selector = 12, operand = 16, operand_selector = 20;
}

std::size_t vector_registers(const Cpu& cpu) {
    return cpu.mode == Mode::long_64 ? 16 : 8;
}

/// One half of each vector register: the lower of SSE, the upper of AVX.
enum class Half : std::uint8_t { lower, upper };
std::uint64_t* half_of(VectorRegister& reg, Half half) {
    return reg.data() + (half == Half::upper ? 2 : 0);
}
const std::uint64_t* half_of(const VectorRegister& reg, Half half) {
    return reg.data() + (half == Half::upper ? 2 : 0);
}
void put_halves(const Cpu& cpu, std::span<std::byte> at, Half half) {
    for (std::size_t i = 0; i < vector_registers(cpu); ++i)
        std::memcpy(at.data() + 16 * i, half_of(cpu.state.vector[i], half), 16);
}
void take_halves(Cpu& cpu, std::span<const std::byte> at, Half half) {
    for (std::size_t i = 0; i < vector_registers(cpu); ++i)
        std::memcpy(half_of(cpu.state.vector[i], half), at.data() + 16 * i, 16);
}
void clear_halves(Cpu& cpu, Half half) {
    for (std::size_t i = 0; i < vector_registers(cpu); ++i)
        std::fill_n(half_of(cpu.state.vector[i], half), 2, std::uint64_t{0});
}
bool any_in(const State& state, Half half) {
    return std::any_of(state.vector.begin(), state.vector.end(), [&](const VectorRegister& each) {
        const std::uint64_t* parts = half_of(each, half);
        return (parts[0] | parts[1]) != 0;
    });
}

}  // namespace

std::uint64_t components_in_use(const State& state) {
    std::uint64_t in_use = 0;
    if (state.fpu != initial_fpu()) in_use |= 1U << component::x87;
    if (any_in(state, Half::lower)) in_use |= 1U << component::sse;
    if (any_in(state, Half::upper)) in_use |= 1U << component::avx;
    if (state.pkru != 0) in_use |= 1U << component::pkru;
    return in_use;
}

void put_x87(const Cpu& cpu, std::span<std::byte> area, FpuPointers pointers) {
    const FpuState& fpu = cpu.state.fpu;
    std::memset(area.data(), 0, legacy::mxcsr);
    put(area, x87_at::control, fpu.control);
    put(area, x87_at::status, fpu.status);
    put(area, x87_at::tags, abridged_tags(fpu));
    put(area, x87_at::opcode, fpu.last_opcode);
    if (pointers == FpuPointers::offsets_64) {
        put(area, x87_at::instruction, fpu.last_instruction);
        put(area, x87_at::operand, fpu.last_operand);
    } else {
        const bool selectors = !cpu.model.has(Feature::fcs_fds_deprecated);
        put(area, x87_at::instruction, static_cast<std::uint32_t>(fpu.last_instruction));
        put(area, x87_at::operand, static_cast<std::uint32_t>(fpu.last_operand));
        if (selectors) put(area, x87_at::instruction_selector, fpu.last_instruction_selector);
        if (selectors) put(area, x87_at::operand_selector, fpu.last_operand_selector);
    }
    for (unsigned i = 0; i < 8; ++i) {
        const Float80& value = fpu.registers[physical_register(fpu, i)];
        const std::size_t at = legacy::st + 16 * i;
        put(area, at, value.significand);
        put(area, at + 8, static_cast<std::uint64_t>(value.sign_exponent));
    }
}

void put_mxcsr(const Cpu& cpu, std::span<std::byte> area) {
    put(area, legacy::mxcsr, cpu.state.mxcsr);
    put(area, legacy::mxcsr + 4, mxcsr_mask);
}

void put_xmm(const Cpu& cpu, std::span<std::byte> area) {
    put_halves(cpu, area.subspan(legacy::xmm), Half::lower);
}

void put_component(const Cpu& cpu, std::span<std::byte> at, unsigned number) {
    if (number == component::avx) put_halves(cpu, at, Half::upper);
    if (number == component::pkru) put(at, 0, static_cast<std::uint64_t>(cpu.state.pkru));
}

void take_x87(Cpu& cpu, std::span<const std::byte> area, FpuPointers pointers) {
    FpuState& fpu = cpu.state.fpu;
    set_control_and_status(
        fpu, get<std::uint16_t>(area, x87_at::control), get<std::uint16_t>(area, x87_at::status));
    set_abridged_tags(fpu, get<std::uint8_t>(area, x87_at::tags));
    fpu.last_opcode = get<std::uint16_t>(area, x87_at::opcode) & 0x7ff;
    if (pointers == FpuPointers::offsets_64) {
        fpu.last_instruction = get<std::uint64_t>(area, x87_at::instruction);
        fpu.last_operand = get<std::uint64_t>(area, x87_at::operand);
        fpu.last_instruction_selector = 0;
        fpu.last_operand_selector = 0;
    } else {
        const bool selectors = !cpu.model.has(Feature::fcs_fds_deprecated);
        fpu.last_instruction = get<std::uint32_t>(area, x87_at::instruction);
        fpu.last_operand = get<std::uint32_t>(area, x87_at::operand);
        fpu.last_instruction_selector =
            selectors ? get<std::uint16_t>(area, x87_at::instruction_selector) : std::uint16_t{0};
        fpu.last_operand_selector =
            selectors ? get<std::uint16_t>(area, x87_at::operand_selector) : std::uint16_t{0};
    }
    for (unsigned i = 0; i < 8; ++i) {
        Float80& value = fpu.registers[physical_register(fpu, i)];
        const std::size_t at = legacy::st + 16 * i;
        value.significand = get<std::uint64_t>(area, at);
        value.sign_exponent = get<std::uint16_t>(area, at + 8);
    }
}

void take_xmm(Cpu& cpu, std::span<const std::byte> area) {
    take_halves(cpu, area.subspan(legacy::xmm), Half::lower);
}

void take_component(Cpu& cpu, std::span<const std::byte> at, unsigned number) {
    if (number == component::avx) take_halves(cpu, at, Half::upper);
    if (number == component::pkru) cpu.state.pkru = get<std::uint32_t>(at, 0);
}

std::uint32_t mxcsr_in(std::span<const std::byte> area) {
    return get<std::uint32_t>(area, legacy::mxcsr);
}

void initialize_component(Cpu& cpu, unsigned number) {
    switch (number) {
        case component::x87: cpu.state.fpu = initial_fpu(); break;
        case component::sse: clear_halves(cpu, Half::lower); break;
        case component::avx: clear_halves(cpu, Half::upper); break;
        case component::pkru: cpu.state.pkru = 0; break;
        default: break;
    }
}

}  // namespace hyperstep::cpu
