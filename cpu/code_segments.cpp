#include "cpu/code_segments.hpp"

namespace hyperstep::cpu {

bool is_64_bit_code(const Cpu& cpu, Descriptor code) {
    return cpu.efer()[Efer::lma] && code[Descriptor::l];
}

bool has_valid_size(const Cpu& cpu, Descriptor code) {
    return !is_64_bit_code(cpu, code) || !code[Descriptor::db];
}

Outcome check_offset(const Cpu& cpu, Descriptor code, std::uint64_t offset) {
    const bool is_allowed = is_64_bit_code(cpu, code) ? is_canonical(cpu, offset) : offset <= code.limit();
    if (!is_allowed) return general_protection();
    return {};
}

void load_code_segment(Cpu& cpu, std::uint16_t selector, Descriptor code, unsigned cpl) {
    cpu.state.segment[cs] = segment_of(static_cast<std::uint16_t>((selector & 0xfffcU) | cpl), code);
}

}  // namespace hyperstep::cpu
