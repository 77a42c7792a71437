#include "cpu/smm.hpp"

#include "cpu/control_registers.hpp"
#include "mmu/physical_view.hpp"
#include "mmu/x86_paging.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t handler_offset = 0x8000;
constexpr std::uint32_t revision = 0x2'0100;  ///< SMBASE relocation
constexpr unsigned revision_slot = 0x7efc, smbase_slot = 0x7ef8, halt_restart_slot = 0x7f02;
constexpr std::uint64_t was_halted = 1;

/// What goes with the state but is kept in other forms there.
struct Folded {
    std::uint64_t shadows = 0;  ///< blocking by STI, MOV SS, NMI as bits 0, 1, 2
    std::uint32_t gdt_low = 0, gdt_high = 0, idt_low = 0, idt_high = 0, ldt_low = 0, ldt_high = 0;
};

/// Calls `slot(offset, bytes, value)` for each place of the map; offsets count from SMBASE + 8000H.
template <class Slot>
void registers(State& state, Slot&& slot) {
    slot(0x7ff8, 8, state.cr0);
    slot(0x7ff0, 8, state.cr3);
    slot(0x7fe8, 8, state.rflags);
    slot(0x7fe0, 8, state.msr.efer);
    slot(0x7fd8, 8, state.rip);
    slot(0x7fd0, 8, state.dr6);
    slot(0x7fc8, 8, state.dr7);
    slot(0x7e40, 8, state.cr4);
    constexpr Gpr downwards[] = {rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax};
    unsigned place = 0x7f94;
    for (const Gpr name : downwards) {
        slot(place, 8, state.gpr[name]);
        place -= 8;
    }
    for (unsigned number = r8; number <= r15; ++number) {
        slot(place, 8, state.gpr[number]);
        place -= 8;
    }
}

template <class Slot>
void selectors(State& state, Slot&& slot) {
    slot(0x7fc4, 4, state.tr.selector);
    slot(0x7fc0, 4, state.ldtr.selector);
    constexpr SegmentName downwards[] = {gs, fs, ds, ss, cs, es};
    unsigned place = 0x7fbc;
    for (const SegmentName name : downwards) {
        slot(place, 4, state.segment[name].selector);
        place -= 4;
    }
}

template <class Slot>
void tables(Folded& folded, Slot&& slot) {
    slot(0x7e9c, 4, folded.ldt_low);
    slot(0x7e94, 4, folded.idt_low);
    slot(0x7e8c, 4, folded.gdt_low);
    slot(0x7dd8, 4, folded.idt_high);
    slot(0x7dd4, 4, folded.ldt_high);
    slot(0x7dd0, 4, folded.gdt_high);
}

/// In bytes that the map reserves.
template <class Slot>
void hidden(State& state, Folded& folded, Slot&& slot) {
    unsigned place = 0x7c00;
    const auto segment = [&](Segment& each) {
        slot(place, 8, each.base);
        slot(place + 8, 4, each.limit);
        slot(place + 12, 4, each.rights.raw);
        place += 16;
    };
    for (Segment& each : state.segment) segment(each);
    segment(state.tr);
    segment(state.ldtr);
    slot(0x7c80, 2, state.gdtr.limit);
    slot(0x7c82, 2, state.idtr.limit);
    slot(0x7c88, 8, folded.shadows);
    slot(0x7c90, 8, state.pending_debug);
}

template <class Slot>
void whole_map(State& state, Folded& folded, Slot&& slot) {
    registers(state, slot);
    selectors(state, slot);
    tables(folded, slot);
    hidden(state, folded, slot);
}

Hpa place_of(std::uint64_t smbase, unsigned offset) {
    return Hpa{smbase + handler_offset + offset};
}

Folded fold(const State& state) {
    const auto low = [](std::uint64_t base) { return static_cast<std::uint32_t>(base); };
    const auto high = [](std::uint64_t base) { return static_cast<std::uint32_t>(base >> 32); };
    const Blocking& blocking = state.blocking;
    return {.shadows = (blocking.sti ? 1U : 0U) | (blocking.mov_ss ? 2U : 0U) | (blocking.nmi ? 4U : 0U),
            .gdt_low = low(state.gdtr.base),
            .gdt_high = high(state.gdtr.base),
            .idt_low = low(state.idtr.base),
            .idt_high = high(state.idtr.base),
            .ldt_low = low(state.ldtr.base),
            .ldt_high = high(state.ldtr.base)};
}

void unfold(State& state, const Folded& folded) {
    const auto whole = [](std::uint32_t high, std::uint32_t low) {
        return static_cast<std::uint64_t>(high) << 32 | low;
    };
    state.gdtr.base = whole(folded.gdt_high, folded.gdt_low);
    state.idtr.base = whole(folded.idt_high, folded.idt_low);
    state.ldtr.base = whole(folded.ldt_high, folded.ldt_low);
    state.blocking = {.sti = (folded.shadows & 1) != 0,
                      .mov_ss = (folded.shadows & 2) != 0,
                      .nmi = (folded.shadows & 4) != 0,
                      .smi = false};
}

/// SDM "SMM Handler Execution Environment".
void set_handler_environment(State& state) {
    constexpr std::uint64_t writable_data = 0x93, code = 0x9b, granular = 1 << 15;
    constexpr std::uint64_t cleared = Cr0::pe.mask | Cr0::em.mask | Cr0::ts.mask | Cr0::pg.mask;
    for (Segment& each : state.segment)
        each = {.selector = 0, .base = 0, .limit = 0xffff'ffff, .rights = {{writable_data | granular}}};
    state.segment[cs] = {.selector = static_cast<std::uint16_t>(state.msr.smbase >> 4),
                         .base = state.msr.smbase,
                         .limit = 0xffff'ffff,
                         .rights = {{code | granular}}};
    state.rip = handler_offset;
    state.rflags = 2;
    state.cr0 &= ~cleared;
    state.cr4 = 0;
    state.msr.efer = 0;
    state.dr7 = 0x400;
    state.pending_debug = 0;
    state.blocking = {.sti = false, .mov_ss = false, .nmi = true, .smi = true};
    state.activity = Activity::active;
    state.monitor = {};
}

// ---- RSM --------------------------------------------------------------------------------------------------

/// The handler may have written anything: bits that do not exist are dropped where a processor drops them.
void drop_bits_that_do_not_exist(State& state) {
    constexpr std::uint64_t flags = 0x3f'7fd5, rights = 0x1'f0ff;
    constexpr std::uint64_t cr0_bits = 0xe005'003f;
    state.rflags = (state.rflags & flags) | Rflags::always_1.mask;
    state.cr0 = (state.cr0 & cr0_bits) | Cr0::et.mask;
    state.dr6 = 0xffff'0ff0 | (state.dr6 & 0xe00f);
    state.dr7 = 0x400 | (state.dr7 & 0xffff'23ff);
    state.pending_debug &= 0xf00f;
    for (Segment& each : state.segment) each.rights.raw &= rights;
    state.tr.rights.raw &= rights;
    state.ldtr.rights.raw &= rights;
    for (const SegmentName name : {es, cs, ss, ds}) state.segment[name].base &= 0xffff'ffff;
}

bool control_registers_allowed(const Model& model, const State& state) {
    const Cr0 cr0{{state.cr0}};
    const Cr4 cr4{{state.cr4}};
    const Efer efer{{state.msr.efer}};
    if ((cr4.raw & ~cr4_bits(model)) != 0) return false;
    if ((efer.raw & ~(efer_bits(model) | Efer::lma.mask)) != 0) return false;
    if (cr0[Cr0::pg] && !cr0[Cr0::pe]) return false;
    if (cr0[Cr0::nw] && !cr0[Cr0::cd]) return false;
    if (efer[Efer::lma] != (cr0[Cr0::pg] && efer[Efer::lme])) return false;
    if (efer[Efer::lma] && (!cr4[Cr4::pae] || Rflags{{state.rflags}}[Rflags::vm])) return false;
    if (cr4[Cr4::pcide] && !efer[Efer::lma]) return false;
    return state.cr3 >> model.physical_width == 0;
}

bool bases_allowed(const State& state) {
    const unsigned width = Cr4{{state.cr4}}[Cr4::la57] ? 57 : 48;
    const auto canonical = [&](std::uint64_t address) {
        const auto extended = static_cast<std::int64_t>(address << (64 - width)) >> (64 - width);
        return static_cast<std::uint64_t>(extended) == address;
    };
    return canonical(state.segment[fs].base) && canonical(state.segment[gs].base) &&
           canonical(state.tr.base) && canonical(state.ldtr.base) && canonical(state.gdtr.base) &&
           canonical(state.idtr.base);
}

/// False: a PDPTE has a reserved bit, or cannot be read.
bool load_pdpte_registers(Cpu& cpu, State& state) {
    const bool pae =
        Cr0{{state.cr0}}[Cr0::pg] && Cr4{{state.cr4}}[Cr4::pae] && !Efer{{state.msr.efer}}[Efer::lma];
    if (!pae) return true;
    mmu::PhysicalView view{cpu.memory, cpu.second_stage};
    if (!cpu.board.a20_enabled()) view.mask_addresses(~(1ULL << 20));
    const auto entries = mmu::load_pdptes(state.cr3, view, cpu.model.physical_width);
    if (!entries) return false;
    state.pdpte = *entries;
    return true;
}

tl::unexpected<Fault> shut_down(Cpu& cpu) {
    cpu.state.activity = Activity::shutdown;
    cpu.board.signal_shutdown();
    look_at_boundary(cpu);
    return tl::unexpected{Fault{.kind = Fault::Kind::shutdown}};
}

}  // namespace

void enter_smm(Cpu& cpu) {
    State& state = cpu.state;
    const std::uint64_t smbase = state.msr.smbase;
    const auto save = [&](unsigned offset, unsigned bytes, const auto& value) {
        cpu.memory.write(place_of(smbase, offset), bytes, value);
    };
    Folded folded = fold(state);
    whole_map(state, folded, save);
    save(revision_slot, 4, revision);
    save(smbase_slot, 4, smbase & 0xffff'ffff);
    save(halt_restart_slot, 2, state.activity == Activity::halted ? was_halted : 0);
    save(0x7f00, 2, std::uint64_t{0});  // I/O instruction restart
    save(0x7fa4, 4, std::uint64_t{0});  // IO_MISC: no I/O instruction is named
    set_handler_environment(state);
    refresh(cpu);
}

Outcome leave_smm(Cpu& cpu) {
    const std::uint64_t smbase = cpu.state.msr.smbase;
    const auto read = [&](unsigned offset, unsigned bytes) {
        return cpu.memory.read(place_of(smbase, offset), bytes);
    };
    State state = cpu.state;
    Folded folded;
    whole_map(state, folded, [&](unsigned offset, unsigned bytes, auto& value) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(read(offset, bytes));
    });
    unfold(state, folded);
    drop_bits_that_do_not_exist(state);
    if (!control_registers_allowed(cpu.model, state) || !bases_allowed(state) ||
        !load_pdpte_registers(cpu, state))
        return shut_down(cpu);
    state.msr.smbase = read(smbase_slot, 4);
    if ((read(halt_restart_slot, 2) & was_halted) != 0) state.activity = Activity::halted;
    cpu.state = state;
    refresh(cpu);
    cpu.next_rip = state.rip & cpu.linear_mask;
    return {};
}

}  // namespace hyperstep::cpu
