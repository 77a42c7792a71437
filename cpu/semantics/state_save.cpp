#include <Zydis/Mnemonic.h>
#include <array>
#include <cstring>
#include <span>

#include "cpu/control_registers.hpp"
#include "cpu/families.hpp"
#include "cpu/operands.hpp"
#include "cpu/privilege.hpp"
#include "cpu/xsave.hpp"

// FXSAVE, the XSAVE family, and MXCSR.
namespace hyperstep::cpu {
namespace {

constexpr std::size_t greatest_area = 2752;
constexpr std::size_t header_at = 512, compaction_at = 520, reserved_at = 528;
constexpr std::uint64_t compacted_format = 1ULL << 63;
constexpr std::uint64_t x87 = 1U << component::x87, sse = 1U << component::sse, avx = 1U << component::avx;
constexpr unsigned extended_components[] = {component::avx, component::pkru};
static_assert(standard_size(sse | avx | 1U << component::pkru) <= greatest_area);

/// The memory operand as a whole, with the place from which it came.
struct Area {
    std::array<std::byte, greatest_area> bytes{};
    Place place;

    std::span<std::byte> all() { return bytes; }
    std::uint64_t word(std::size_t at) const {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes.data() + at, sizeof value);
        return value;
    }
    void set_word(std::size_t at, std::uint64_t value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    void read(Cpu& cpu) {
        if (place.host != nullptr)
            std::memcpy(bytes.data(), place.host, place.bytes);
        else
            read_place_slow(cpu, place, bytes.data());
    }
    /// Bytes that the instruction does not write are written as they were read.
    void write_back(Cpu& cpu) {
        if (place.host != nullptr)
            std::memcpy(place.host, bytes.data(), place.bytes);
        else
            write_place_slow(cpu, place, bytes.data());
    }
};

/// Finds and reads the first `bytes` of the operand. #GP(0) if it is not aligned.
Outcome open(Cpu& cpu, const Op& op, unsigned alignment, std::size_t bytes, mmu::Access access, Area& area) {
    const auto size = static_cast<unsigned>(bytes);
    const auto linear = linear_address(cpu, op.segment, effective_offset(cpu, op), size, access);
    if (!linear) return tl::unexpected{linear.error()};
    if (*linear % alignment != 0) return general_protection();
    const auto place = translate(cpu, *linear, size, access, Accessor::program);
    if (!place) return tl::unexpected{place.error()};
    area.place = *place;
    area.read(cpu);
    return {};
}

FpuPointers pointers_of(const Op& op) {
    return op.has(op_flag::rex_w) ? FpuPointers::offsets_64 : FpuPointers::with_selectors;
}

// ---- FXSAVE and FXRSTOR -----------------------------------------------------------------------------------

Outcome require_fpu(const Cpu& cpu) {
    if (cpu.cr0()[Cr0::em] || cpu.cr0()[Cr0::ts]) return raise(Vector::nm);
    return {};
}

/// Model: XMM and MXCSR are saved and restored whatever CR4.OSFXSR (the manual leaves it open).
Outcome fxsave(Cpu& cpu, const Op& op) {
    HS_TRY(require_fpu(cpu));
    Area area;
    HS_TRY(open(cpu, op, 16, legacy::bytes, mmu::Access::write, area));
    put_x87(cpu, area.all(), pointers_of(op));
    put_mxcsr(cpu, area.all());
    put_xmm(cpu, area.all());
    area.write_back(cpu);
    return {};
}

Outcome fxrstor(Cpu& cpu, const Op& op) {
    HS_TRY(require_fpu(cpu));
    Area area;
    HS_TRY(open(cpu, op, 16, legacy::bytes, mmu::Access::read, area));
    const std::uint32_t mxcsr = mxcsr_in(area.all());
    if ((mxcsr & ~mxcsr_mask) != 0) return general_protection();
    take_x87(cpu, area.all(), pointers_of(op));
    take_xmm(cpu, area.all());
    cpu.state.mxcsr = mxcsr;
    return {};
}

// ---- saving -----------------------------------------------------------------------------------------------

Outcome require_xsave(const Cpu& cpu) {
    if (!cpu.cr4()[Cr4::osxsave]) return undefined_opcode();
    return {};
}
Outcome require_task_not_switched(const Cpu& cpu) {
    if (cpu.cr0()[Cr0::ts]) return raise(Vector::nm);
    return {};
}

/// The mask operand.
std::uint64_t instruction_mask(const State& state) {
    return (state.gpr[rdx] & 0xffff'ffff) << 32 | (state.gpr[rax] & 0xffff'ffff);
}

/// Writes the components of `which`; those of `layout` have a place in the compacted format, 0 is the
/// standard one.
void save_components(Cpu& cpu, Area& area, std::uint64_t which, std::uint64_t layout, FpuPointers pointers) {
    if ((which & x87) != 0) put_x87(cpu, area.all(), pointers);
    if ((which & sse) != 0) put_xmm(cpu, area.all());
    for (const unsigned number : extended_components) {
        if ((which >> number & 1) == 0) continue;
        const std::uint32_t offset =
            layout == 0 ? state_component(number).offset : compacted_offset(layout, number);
        put_component(cpu, area.all().subspan(offset), number);
    }
}

/// XSAVE writes every requested component; XSAVEOPT leaves out those in their initial configuration. Model:
/// XSAVEOPT and XSAVES have no modified optimization.
enum class Initial : std::uint8_t { written, left_out };

template <Initial initial>
Outcome save_standard(Cpu& cpu, const Op& op) {
    HS_TRY(require_xsave(cpu));
    HS_TRY(require_task_not_switched(cpu));
    const std::uint64_t requested = cpu.state.xcr0 & instruction_mask(cpu.state);
    Area area;
    HS_TRY(open(cpu, op, 64, standard_size(requested), mmu::Access::write, area));
    const std::uint64_t in_use = components_in_use(cpu.state);
    save_components(
        cpu, area, initial == Initial::written ? requested : requested & in_use, 0, pointers_of(op));
    if ((requested & (sse | avx)) != 0) put_mxcsr(cpu, area.all());
    area.set_word(header_at, (area.word(header_at) & ~requested) | (requested & in_use));
    area.write_back(cpu);
    return {};
}

/// XSAVEC and XSAVES.
Outcome save_compacted(Cpu& cpu, const Op& op, std::uint64_t requested) {
    HS_TRY(require_task_not_switched(cpu));
    Area area;
    HS_TRY(open(cpu, op, 64, compacted_size(requested), mmu::Access::write, area));
    std::uint64_t saved = requested & components_in_use(cpu.state);
    if (cpu.state.mxcsr != initial_mxcsr) saved |= requested & sse;
    save_components(cpu, area, saved, requested, pointers_of(op));
    if ((saved & sse) != 0) put_mxcsr(cpu, area.all());
    area.set_word(header_at, saved);
    area.set_word(compaction_at, requested | compacted_format);
    area.write_back(cpu);
    return {};
}

Outcome xsavec(Cpu& cpu, const Op& op) {
    HS_TRY(require_xsave(cpu));
    return save_compacted(cpu, op, cpu.state.xcr0 & instruction_mask(cpu.state));
}

/// #UD and the privilege level come before the hypervisor, #NM and memory after it.
Outcome begin_supervisor_form(Cpu& cpu, const Op& op, InterceptPoint point) {
    HS_TRY(require_xsave(cpu));
    HS_TRY(require_most_privileged(cpu));
    return intercept(
        cpu, point, {.op = &op, .value = instruction_mask(cpu.state), .address = effective_offset(cpu, op)});
}

Outcome xsaves(Cpu& cpu, const Op& op) {
    HS_TRY(begin_supervisor_form(cpu, op, InterceptPoint::xsaves));
    const std::uint64_t enabled = cpu.state.xcr0 | cpu.state.msr.xss;
    return save_compacted(cpu, op, enabled & instruction_mask(cpu.state));
}

// ---- restoring --------------------------------------------------------------------------------------------

bool all_zero(const Area& area, std::size_t first, std::size_t end) {
    for (std::size_t at = first; at < end; at += 8)
        if (area.word(at) != 0) return false;
    return true;
}

/// SDM "Standard Form of XRSTOR", "Compacted Form of XRSTOR": what the header must fulfil.
bool header_allowed(const Area& area, std::uint64_t enabled) {
    const std::uint64_t present = area.word(header_at);
    const std::uint64_t compaction = area.word(compaction_at);
    if ((compaction & compacted_format) == 0)
        return (present & ~enabled) == 0 && compaction == 0 && area.word(reserved_at) == 0;
    const std::uint64_t layout = compaction & ~compacted_format;
    return (layout & ~enabled) == 0 && (present & ~layout) == 0 &&
           all_zero(area, reserved_at, legacy_and_header_bytes);
}

/// The value that MXCSR gets: in standard form from memory if SSE or AVX is requested; in compacted form it
/// goes with SSE.
std::uint32_t restored_mxcsr(const Cpu& cpu, Area& area, std::uint64_t requested, bool compacted) {
    const bool present = (area.word(header_at) & sse) != 0;
    if (!compacted) return (requested & (sse | avx)) != 0 ? mxcsr_in(area.all()) : cpu.state.mxcsr;
    if ((requested & sse) == 0) return cpu.state.mxcsr;
    return present ? mxcsr_in(area.all()) : initial_mxcsr;
}

void restore_components(
    Cpu& cpu, Area& area, std::uint64_t requested, std::uint64_t layout, FpuPointers pointers) {
    const std::uint64_t loaded = requested & area.word(header_at);
    for (const unsigned number : {component::x87, component::sse, component::avx, component::pkru})
        if (((requested & ~loaded) >> number & 1) != 0) initialize_component(cpu, number);
    if ((loaded & x87) != 0) take_x87(cpu, area.all(), pointers);
    if ((loaded & sse) != 0) take_xmm(cpu, area.all());
    for (const unsigned number : extended_components) {
        if ((loaded >> number & 1) == 0) continue;
        const std::uint32_t offset =
            layout == 0 ? state_component(number).offset : compacted_offset(layout, number);
        take_component(cpu, area.all().subspan(offset), number);
    }
}

enum class Format : std::uint8_t { either, standard_only, compacted_only };

Outcome restore(Cpu& cpu, const Op& op, std::uint64_t enabled, Format format) {
    HS_TRY(require_task_not_switched(cpu));
    const std::uint64_t requested = enabled & instruction_mask(cpu.state);
    Area area;
    HS_TRY(open(cpu, op, 64, legacy_and_header_bytes, mmu::Access::read, area));
    const std::uint64_t compaction = area.word(compaction_at);
    const bool compacted = (compaction & compacted_format) != 0;
    if (format == (compacted ? Format::standard_only : Format::compacted_only)) return general_protection();
    if (!header_allowed(area, enabled)) return general_protection();
    const std::uint64_t layout = compaction & ~compacted_format;
    const std::uint64_t loaded = requested & area.word(header_at);
    if ((loaded & ~(x87 | sse)) != 0) {
        const std::uint32_t size = compacted ? compacted_size(layout) : standard_size(loaded);
        HS_TRY(open(cpu, op, 64, size, mmu::Access::read, area));
    }
    const std::uint32_t mxcsr = restored_mxcsr(cpu, area, requested, compacted);
    if ((mxcsr & ~mxcsr_mask) != 0) return general_protection();
    restore_components(cpu, area, requested, compacted ? layout | compacted_format : 0, pointers_of(op));
    cpu.state.mxcsr = mxcsr;
    if ((requested >> component::pkru & 1) != 0) refresh(cpu);
    return {};
}

Outcome xrstor(Cpu& cpu, const Op& op) {
    HS_TRY(require_xsave(cpu));
    const bool has_compaction = cpu.model.has(Feature::xsavec);
    return restore(cpu, op, cpu.state.xcr0, has_compaction ? Format::either : Format::standard_only);
}

Outcome xrstors(Cpu& cpu, const Op& op) {
    HS_TRY(begin_supervisor_form(cpu, op, InterceptPoint::xrstors));
    return restore(cpu, op, cpu.state.xcr0 | cpu.state.msr.xss, Format::compacted_only);
}

// ---- MXCSR ------------------------------------------------------------------------------------------------

Outcome require_sse(const Cpu& cpu, const Op& op) {
    if (op.has(op_flag::vex)) {
        if (!cpu.cr4()[Cr4::osxsave] || (cpu.state.xcr0 & (sse | avx)) != (sse | avx))
            return undefined_opcode();
    } else if (cpu.cr0()[Cr0::em] || !cpu.cr4()[Cr4::osfxsr]) {
        return undefined_opcode();
    }
    return require_task_not_switched(cpu);
}

Outcome load_mxcsr(Cpu& cpu, const Op& op) {
    HS_TRY(require_sse(cpu, op));
    const auto value = load_operand<std::uint32_t>(cpu, op);
    if (!value) return tl::unexpected{value.error()};
    if ((*value & ~mxcsr_mask) != 0) return general_protection();
    cpu.state.mxcsr = *value;
    return {};
}

Outcome store_mxcsr(Cpu& cpu, const Op& op) {
    HS_TRY(require_sse(cpu, op));
    return store_operand(cpu, op, cpu.state.mxcsr);
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_FXSAVE, Feature::fxsr, only<fxsave>},
    {ZYDIS_MNEMONIC_FXSAVE64, Feature::fxsr, only<fxsave>},
    {ZYDIS_MNEMONIC_FXRSTOR, Feature::fxsr, only<fxrstor>},
    {ZYDIS_MNEMONIC_FXRSTOR64, Feature::fxsr, only<fxrstor>},
    {ZYDIS_MNEMONIC_XSAVE, Feature::xsave, only<save_standard<Initial::written>>},
    {ZYDIS_MNEMONIC_XSAVE64, Feature::xsave, only<save_standard<Initial::written>>},
    {ZYDIS_MNEMONIC_XSAVEOPT, Feature::xsaveopt, only<save_standard<Initial::left_out>>},
    {ZYDIS_MNEMONIC_XSAVEOPT64, Feature::xsaveopt, only<save_standard<Initial::left_out>>},
    {ZYDIS_MNEMONIC_XSAVEC, Feature::xsavec, only<xsavec>},
    {ZYDIS_MNEMONIC_XSAVEC64, Feature::xsavec, only<xsavec>},
    {ZYDIS_MNEMONIC_XSAVES, Feature::xsaves, only<xsaves>},
    {ZYDIS_MNEMONIC_XSAVES64, Feature::xsaves, only<xsaves>},
    {ZYDIS_MNEMONIC_XRSTOR, Feature::xsave, only<xrstor>, Flow::ends},
    {ZYDIS_MNEMONIC_XRSTOR64, Feature::xsave, only<xrstor>, Flow::ends},
    {ZYDIS_MNEMONIC_XRSTORS, Feature::xsaves, only<xrstors>, Flow::ends},
    {ZYDIS_MNEMONIC_XRSTORS64, Feature::xsaves, only<xrstors>, Flow::ends},
    {ZYDIS_MNEMONIC_LDMXCSR, Feature::sse, only<load_mxcsr>},
    {ZYDIS_MNEMONIC_STMXCSR, Feature::sse, only<store_mxcsr>},
    {ZYDIS_MNEMONIC_VLDMXCSR, Feature::avx, only<load_mxcsr>},
    {ZYDIS_MNEMONIC_VSTMXCSR, Feature::avx, only<store_mxcsr>},
};

}  // namespace

std::span<const Row> state_save_rows() {
    return rows;
}

}  // namespace hyperstep::cpu
