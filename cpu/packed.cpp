#include "cpu/packed.hpp"

namespace hyperstep::cpu {

Outcome check_alignment(Cpu& cpu, const Op& op, unsigned bytes, mmu::Access access) {
    const std::uint64_t offset = effective_offset(cpu, op);
    const std::uint64_t linear = (cpu.quick_base[op.segment] + offset) & cpu.linear_mask;
    if ((linear & (bytes - 1)) == 0) return {};
    if (const auto located = linear_address(cpu, op.segment, offset, bytes, access); !located)
        return tl::unexpected{located.error()};
    return general_protection();
}

}  // namespace hyperstep::cpu
