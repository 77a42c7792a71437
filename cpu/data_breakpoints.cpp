#include "cpu/data_breakpoints.hpp"

namespace hyperstep::cpu {
namespace {

enum BreakpointKind : unsigned { on_execution, on_write, on_port, on_read_or_write };

struct Breakpoint {
    std::uint64_t address = 0;
    unsigned bytes = 1;
    bool enabled = false;
    BreakpointKind kind = on_execution;
};

/// SDM "Debug Control Register (DR7)": L, G, R/W and LEN of one breakpoint. The address is aligned to the
/// length.
Breakpoint breakpoint(const State& state, unsigned number) {
    constexpr unsigned lengths[] = {1, 2, 8, 4};
    Breakpoint result;
    result.enabled = (state.dr7 >> (2 * number) & 3) != 0;
    result.kind = static_cast<BreakpointKind>(state.dr7 >> (16 + 4 * number) & 3);
    result.bytes = lengths[state.dr7 >> (18 + 4 * number) & 3];
    result.address = state.dr[number] & ~static_cast<std::uint64_t>(result.bytes - 1);
    return result;
}

template <class Matches>
unsigned matching(const Cpu& cpu, std::uint64_t address, unsigned bytes, Matches&& kind_matches) {
    unsigned found = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const Breakpoint each = breakpoint(cpu.state, i);
        if (!each.enabled || !kind_matches(each.kind)) continue;
        // Unsigned differences, so that a range at the top of the address space compares right.
        if (address - each.address < each.bytes || each.address - address < bytes) found |= 1U << i;
    }
    return found;
}

}  // namespace

void note_data_access(Cpu& cpu, std::uint64_t linear, unsigned bytes, mmu::Access access) {
    if ((cpu.state.dr7 & 0xff) == 0) [[likely]]
        return;
    const unsigned found = matching(cpu, linear, bytes, [&](BreakpointKind kind) {
        return kind == on_read_or_write || (kind == on_write && access == mmu::Access::write);
    });
    if (found == 0) return;
    cpu.state.pending_debug |= found;
    look_at_boundary(cpu);
}

void note_port_access(Cpu& cpu, std::uint16_t port, unsigned bytes) {
    if ((cpu.state.dr7 & 0xff) == 0 || !cpu.cr4()[Cr4::de]) return;
    const unsigned found = matching(cpu, port, bytes, [](BreakpointKind kind) { return kind == on_port; });
    if (found == 0) return;
    cpu.state.pending_debug |= found;
    look_at_boundary(cpu);
}

unsigned instruction_breakpoints_at(const Cpu& cpu, std::uint64_t linear) {
    if ((cpu.state.dr7 & 0xff) == 0) return 0;
    return matching(cpu, linear, 1, [](BreakpointKind kind) { return kind == on_execution; });
}

bool has_instruction_breakpoints(const Cpu& cpu) {
    if ((cpu.state.dr7 & 0xff) == 0) return false;
    for (unsigned i = 0; i < 4; ++i) {
        const Breakpoint each = breakpoint(cpu.state, i);
        if (each.enabled && each.kind == on_execution) return true;
    }
    return false;
}

}  // namespace hyperstep::cpu
