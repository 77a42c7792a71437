#include "cpu/control_registers.hpp"

#include "mmu/physical_view.hpp"
#include "mmu/x86_paging.hpp"

namespace hyperstep::cpu {
namespace {

/// The bits of CR0 that mean something; the others of the low half are ignored when written.
constexpr std::uint64_t cr0_bits = Cr0::pe.mask | Cr0::mp.mask | Cr0::em.mask | Cr0::ts.mask | Cr0::et.mask |
                                   Cr0::ne.mask | Cr0::wp.mask | Cr0::am.mask | Cr0::nw.mask | Cr0::cd.mask |
                                   Cr0::pg.mask;
constexpr std::uint64_t keep_translations = 1ULL << 63;  ///< in the source of MOV to CR3, with CR4.PCIDE

struct Cr4Bit {
    std::uint64_t mask = 0;
    Feature feature = Feature::always;
};
/// Which feature gives which bit of CR4.
constexpr Cr4Bit cr4_features[] = {
    {Cr4::vme.mask | Cr4::pvi.mask, Feature::vme},
    {Cr4::tsd.mask, Feature::tsc},
    {Cr4::de.mask, Feature::de},
    {Cr4::pse.mask, Feature::pse},
    {Cr4::pae.mask, Feature::pae},
    {Cr4::mce.mask, Feature::mce},
    {Cr4::pge.mask, Feature::pge},
    {Cr4::pce.mask, Feature::always},
    {Cr4::osfxsr.mask, Feature::fxsr},
    {Cr4::osxmmexcpt.mask, Feature::sse},
    {Cr4::umip.mask, Feature::umip},
    {Cr4::la57.mask, Feature::la57},
    {Cr4::vmxe.mask, Feature::vmx},
    {Cr4::fsgsbase.mask, Feature::fsgsbase},
    {Cr4::pcide.mask, Feature::pcid},
    {Cr4::osxsave.mask, Feature::xsave},
    {Cr4::smep.mask, Feature::smep},
    {Cr4::smap.mask, Feature::smap},
    {Cr4::pke.mask, Feature::pku},
    {Cr4::cet.mask, Feature::cet_ss},
    {Cr4::cet.mask, Feature::cet_ibt},
    {Cr4::pks.mask, Feature::pks},
};

/// The PDPTE registers as `cr3` would load them.
Expected<std::array<std::uint64_t, 4>> pdptes_at(Cpu& cpu, std::uint64_t cr3) {
    mmu::PhysicalView view{cpu.memory, cpu.second_stage};
    if (!cpu.board.a20_enabled()) view.mask_addresses(~(1ULL << 20));
    const auto entries = mmu::load_pdptes(cr3, view, cpu.model.physical_width);
    if (entries) return *entries;
    if (std::holds_alternative<mmu::ReservedPdpteBits>(entries.error())) return general_protection();
    return intercepted();
}

/// What changes with CR0 besides CR0.
struct Cr0Change {
    Cr0 before, after;
    bool activates(const Cpu& cpu) const {
        return after[Cr0::pg] && !before[Cr0::pg] && cpu.efer()[Efer::lme];
    }
    bool deactivates(const Cpu& cpu) const {
        return !after[Cr0::pg] && before[Cr0::pg] && cpu.efer()[Efer::lma];
    }
};

/// SDM "Initializing IA-32e Mode": the checks when paging turns it on.
bool may_activate(const Cpu& cpu) {
    constexpr std::uint64_t bits_32 = 8;  // of the type of a TSS
    const bool tss_16 = (cpu.state.tr.rights[AccessRights::type] & bits_32) == 0;
    return cpu.cr4()[Cr4::pae] && !cpu.state.segment[cs].rights[AccessRights::l] && !tss_16;
}

bool cr0_allowed(const Cpu& cpu, const Cr0Change& change) {
    const Cr0 after = change.after;
    if (after[Cr0::pg] && !after[Cr0::pe]) return false;
    if (after[Cr0::nw] && !after[Cr0::cd]) return false;
    if (!after[Cr0::wp] && cpu.cr4()[Cr4::cet]) return false;
    if (change.activates(cpu) && !may_activate(cpu)) return false;
    const bool leaves_from_64 = cpu.mode == Mode::long_64 || cpu.cr4()[Cr4::pcide];
    return !(change.deactivates(cpu) && leaves_from_64);
}

bool cr4_allowed(const Cpu& cpu, Cr4 after) {
    const Cr4 before = cpu.cr4();
    const bool ia32e = cpu.efer()[Efer::lma];
    if ((after.raw & ~cr4_bits(cpu.model)) != 0) return false;
    if (ia32e && !after[Cr4::pae]) return false;
    if (ia32e && after[Cr4::la57] != before[Cr4::la57]) return false;
    if (after[Cr4::cet] && !cpu.cr0()[Cr0::wp]) return false;
    const bool sets_pcide = after[Cr4::pcide] && !before[Cr4::pcide];
    return !sets_pcide || (ia32e && (cpu.state.cr3 & 0xfff) == 0);
}

}  // namespace

std::uint64_t cr4_bits(const Model& model) {
    std::uint64_t bits = 0;
    for (const Cr4Bit& each : cr4_features)
        if (model.has(each.feature)) bits |= each.mask;
    return bits;
}

std::uint64_t efer_bits(const Model& model) {
    std::uint64_t bits = 0;
    if (model.has(Feature::syscall)) bits |= Efer::sce.mask;
    if (model.has(Feature::intel64)) bits |= Efer::lme.mask;
    if (model.has(Feature::nx)) bits |= Efer::nxe.mask;
    return bits;
}

std::uint64_t xcr0_bits(const Model& model) {
    if (!model.has(Feature::xsave)) return 0;
    std::uint64_t bits = 1 | 2;
    if (model.has(Feature::avx)) bits |= 1 << 2;
    if (model.has(Feature::pku)) bits |= 1 << 9;
    return bits;
}

Outcome write_cr0(Cpu& cpu, std::uint64_t value) {
    if (value >> 32 != 0) return general_protection();
    const Cr0Change change{.before = cpu.cr0(), .after = Cr0{{(value & cr0_bits) | Cr0::et.mask}}};
    if (!cr0_allowed(cpu, change)) return general_protection();
    const bool activates = change.activates(cpu);
    const bool deactivates = change.deactivates(cpu);
    const bool pae = change.after[Cr0::pg] && cpu.cr4()[Cr4::pae] && !activates && !cpu.efer()[Efer::lma];
    constexpr std::uint64_t loads = Cr0::pg.mask | Cr0::cd.mask | Cr0::nw.mask;
    if (pae && ((change.before.raw ^ change.after.raw) & loads) != 0) {
        const auto entries = pdptes_at(cpu, cpu.state.cr3);
        if (!entries) return tl::unexpected{entries.error()};
        cpu.state.pdpte = *entries;
    }
    if (activates || deactivates) cpu.state.msr.efer = cpu.efer().with(Efer::lma, activates).raw;
    cpu.state.cr0 = change.after.raw;
    refresh(cpu);
    return {};
}

Outcome write_cr3(Cpu& cpu, std::uint64_t value) {
    if (cpu.cr4()[Cr4::pcide]) value &= ~keep_translations;
    if (value >> cpu.model.physical_width != 0) return general_protection();
    if (cpu.paging.mode == mmu::PagingMode::pae) {
        const auto entries = pdptes_at(cpu, value);
        if (!entries) return tl::unexpected{entries.error()};
        cpu.state.pdpte = *entries;
    }
    cpu.state.cr3 = value;
    refresh(cpu);
    return {};
}

Outcome write_cr4(Cpu& cpu, std::uint64_t value) {
    const Cr4 after{{value}};
    if (!cr4_allowed(cpu, after)) return general_protection();
    const bool pae = cpu.cr0()[Cr0::pg] && after[Cr4::pae] && !cpu.efer()[Efer::lma];
    constexpr std::uint64_t loads = Cr4::pae.mask | Cr4::pge.mask | Cr4::pse.mask | Cr4::smep.mask;
    if (pae && ((cpu.state.cr4 ^ value) & loads) != 0) {
        const auto entries = pdptes_at(cpu, cpu.state.cr3);
        if (!entries) return tl::unexpected{entries.error()};
        cpu.state.pdpte = *entries;
    }
    cpu.state.cr4 = value;
    refresh(cpu);
    return {};
}

Outcome write_efer(Cpu& cpu, std::uint64_t value) {
    constexpr std::uint64_t lma = Efer::lma.mask;
    constexpr std::uint64_t xd_disable = 1ULL << 34;  // IA32_MISC_ENABLE: as if there were no NXE
    std::uint64_t allowed = efer_bits(cpu.model) | lma;
    if ((cpu.state.msr.misc_enable & xd_disable) != 0) allowed &= ~Efer::nxe.mask;
    if ((value & ~allowed) != 0) return general_protection();
    const Efer after{{(value & ~lma) | (cpu.state.msr.efer & lma)}};
    if (cpu.cr0()[Cr0::pg] && after[Efer::lme] != cpu.efer()[Efer::lme]) return general_protection();
    cpu.state.msr.efer = after.raw;
    refresh(cpu);
    return {};
}

Outcome write_xcr0(Cpu& cpu, std::uint64_t value) {
    constexpr std::uint64_t x87 = 1, sse = 2, avx = 4;
    if ((value & ~xcr0_bits(cpu.model)) != 0 || (value & x87) == 0) return general_protection();
    if ((value & avx) != 0 && (value & sse) == 0) return general_protection();
    cpu.state.xcr0 = value;
    refresh(cpu);
    return {};
}

}  // namespace hyperstep::cpu
