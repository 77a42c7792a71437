#include <algorithm>

#include "cpu/cpu.hpp"

namespace hyperstep::cpu {
namespace {

/// The classes of accesses that have context numbers of their own. A number is base * 4 + class.
enum ContextClass : std::uint16_t { user, supervisor, supervisor_ac, implicit_supervisor };

/// Never given to a translation: what is compared with it takes the slow way.
constexpr mmu::ContextNumber no_match = 0xfff;

Mode mode_of(const State& state) {
    if (!Cr0{{state.cr0}}[Cr0::pe]) return Mode::real;
    if (Rflags{{state.rflags}}[Rflags::vm]) return Mode::virtual_8086;
    if (!Efer{{state.msr.efer}}[Efer::lma]) return Mode::protected_;
    return state.segment[cs].rights[AccessRights::l] ? Mode::long_64 : Mode::compatibility;
}

mmu::PagingMode paging_mode_of(const State& state) {
    const Cr4 cr4{{state.cr4}};
    if (!Cr0{{state.cr0}}[Cr0::pg]) return mmu::PagingMode::none;
    if (Efer{{state.msr.efer}}[Efer::lma])
        return cr4[Cr4::la57] ? mmu::PagingMode::level_5 : mmu::PagingMode::level_4;
    return cr4[Cr4::pae] ? mmu::PagingMode::pae : mmu::PagingMode::bits_32;
}

mmu::X86Paging paging_of(const Cpu& cpu) {
    const Cr4 cr4 = cpu.cr4();
    mmu::X86Paging paging{};
    paging.mode = paging_mode_of(cpu.state);
    paging.cr3 = cpu.state.cr3;
    if (paging.mode == mmu::PagingMode::pae) paging.pdpte = cpu.state.pdpte;
    paging.pse = cr4[Cr4::pse];
    paging.wp = cpu.cr0()[Cr0::wp];
    paging.smep = cr4[Cr4::smep];
    paging.smap = cr4[Cr4::smap];
    paging.nxe = cpu.efer()[Efer::nxe];
    const bool has_keys = cpu.efer()[Efer::lma];
    paging.pke = has_keys && cr4[Cr4::pke];
    paging.pks = has_keys && cr4[Cr4::pks];
    paging.shadow_stack = cr4[Cr4::cet];
    paging.pkru = paging.pke ? cpu.state.pkru : 0;
    paging.pkrs = paging.pks ? static_cast<std::uint32_t>(cpu.state.msr.pkrs) : 0;
    paging.physical_width = cpu.model.physical_width;
    paging.pages_1g = cpu.model.has(Feature::pages_1g);
    paging.pse36 = cpu.model.has(Feature::pse36);
    return paging;
}

/// Whether any offset may be read or written without a check: a usable, flat, expand-up segment of 4 GiB.
/// Outside protected mode the types do not matter.
std::uint8_t quick_rights_of(const Cpu& cpu, const Segment& segment) {
    if (cpu.mode == Mode::long_64) return 3;
    const AccessRights rights = segment.rights;
    if (rights[AccessRights::unusable] || segment.limit != 0xffff'ffff) return 0;
    // Only then is an access that wraps past the last offset one that crosses a page, which takes the slow
    // way.
    if (segment.base % 4096 != 0) return 0;
    if (!cpu.protected_mode()) return 3;
    if (rights[AccessRights::code]) return rights[AccessRights::writable] ? 1 : 0;
    const bool expands_down = (rights.raw & 4) != 0;
    if (expands_down) return 0;
    return rights[AccessRights::writable] ? 3 : 1;
}

void refresh_mode(Cpu& cpu) {
    const State& state = cpu.state;
    cpu.mode = mode_of(state);
    cpu.cpl = cpu.mode == Mode::real ? 0
              : cpu.mode == Mode::virtual_8086
                  ? 3
                  : static_cast<std::uint8_t>(state.segment[ss].rights[AccessRights::dpl]);
    const bool long_64 = cpu.mode == Mode::long_64;
    cpu.code_bytes = long_64 ? 8 : state.segment[cs].rights[AccessRights::db] ? 4 : 2;
    cpu.stack_bytes = long_64 ? 8 : state.segment[ss].rights[AccessRights::db] ? 4 : 2;
    cpu.linear_mask = long_64 ? ~0ULL : 0xffff'ffffULL;
    for (unsigned i = 0; i < cpu.quick_base.size(); ++i) {
        cpu.quick_base[i] = long_64 && i < fs ? 0 : state.segment[i].base;
        cpu.quick_rights[i] = quick_rights_of(cpu, state.segment[i]);
    }
}

/// Accesses that need a look of their own: an alignment check, a data breakpoint.
bool needs_care(const Cpu& cpu) {
    const bool alignment = cpu.cr0()[Cr0::am] && cpu.rflags()[Rflags::ac] && cpu.cpl == 3;
    bool breakpoint = false;
    for (unsigned i = 0; i < 4; ++i) {
        const bool enabled = (cpu.state.dr7 >> (2 * i) & 3) != 0;
        const unsigned kind = cpu.state.dr7 >> (16 + 4 * i) & 3;
        breakpoint = breakpoint || (enabled && (kind == 1 || kind == 3));
    }
    return alignment || breakpoint;
}

void refresh_contexts(Cpu& cpu) {
    const bool ac = cpu.rflags()[Rflags::ac];
    const ContextClass program = cpu.cpl == 3 ? user : ac ? supervisor_ac : supervisor;
    const mmu::ContextNumber base = cpu.contexts.number_of(cpu.paging, cpu.second_stage, cpu.tlb);
    cpu.data_context = static_cast<mmu::ContextNumber>(base + program);
    cpu.fetch_context = static_cast<mmu::ContextNumber>(base + (cpu.cpl == 3 ? user : supervisor));
    cpu.inner_stack_context = static_cast<mmu::ContextNumber>(base + (ac ? supervisor_ac : supervisor));
    cpu.system_context = static_cast<mmu::ContextNumber>(base + implicit_supervisor);
    cpu.quick_context = needs_care(cpu) ? no_match : cpu.data_context;
}

}  // namespace

mmu::ContextNumber Contexts::number_of(const mmu::X86Paging& paging,
                                       const void* second_stage,
                                       mmu::Tlb& tlb) {
    const auto same = [&](const Known& known) {
        return known.paging == paging && known.second_stage == second_stage;
    };
    if (latest_ < known_.size() && same(known_[latest_])) return known_[latest_].number;
    const auto found = std::find_if(known_.begin(), known_.end(), same);
    if (found != known_.end()) {
        latest_ = static_cast<std::size_t>(found - known_.begin());
        return found->number;
    }
    if (next_number_ + 4 >= no_match) {
        tlb.flush();
        known_.clear();
        next_number_ = 4;
    }
    if (known_.size() == most) known_.erase(known_.begin());
    known_.push_back({.paging = paging, .second_stage = second_stage, .number = next_number_});
    latest_ = known_.size() - 1;
    next_number_ = static_cast<mmu::ContextNumber>(next_number_ + 4);
    return known_.back().number;
}

void Contexts::forget() {
    known_.clear();
    latest_ = 0;
}

Cpu::Cpu(const Wiring& wiring, std::uint32_t processor_number)
    : memory{wiring.memory},
      time{wiring.time},
      board{wiring.board},
      blocks{wiring.blocks},
      model{wiring.model},
      topology{wiring.topology},
      number{processor_number},
      tlb{wiring.memory} {
    state = state_after_reset(model.signature);
    refresh(*this);
}

void refresh(Cpu& cpu) {
    refresh_mode(cpu);
    cpu.paging = paging_of(cpu);
    refresh_contexts(cpu);
    // A state that was loaded may have an armed monitor.
    if (cpu.state.monitor.armed)
        cpu.memory.watch(cpu.state.monitor.address.page_start(), mmu::Watch::monitor);
    ++cpu.derived_epoch;
    look_at_boundary(cpu);
}

bool is_canonical(const Cpu& cpu, std::uint64_t linear) {
    const unsigned width = cpu.cr4()[Cr4::la57] ? 57 : 48;
    const auto shifted = static_cast<std::int64_t>(linear << (64 - width)) >> (64 - width);
    return static_cast<std::uint64_t>(shifted) == linear;
}

}  // namespace hyperstep::cpu
