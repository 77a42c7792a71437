#include "cpu/task_switch.hpp"

#include <array>
#include <variant>

#include "cpu/access.hpp"
#include "cpu/code_segments.hpp"
#include "cpu/debug_status.hpp"
#include "cpu/segment_loads.hpp"
#include "cpu/task_state.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::uint64_t busy = 2;  ///< of the type of a TSS

bool nests(TaskSwitchSource source) {
    return source == TaskSwitchSource::call || source == TaskSwitchSource::gate;
}

TaskState current_task_state(const Cpu& cpu, std::uint64_t saved_flags) {
    const State& state = cpu.state;
    TaskState task;
    task.eip = static_cast<std::uint32_t>(cpu.next_rip);
    task.eflags = static_cast<std::uint32_t>(saved_flags);
    for (unsigned i = 0; i < task.gpr.size(); ++i) task.gpr[i] = static_cast<std::uint32_t>(state.gpr[i]);
    for (unsigned i = 0; i < task.selector.size(); ++i) task.selector[i] = state.segment[i].selector;
    return task;
}

/// CR3 of a task, and the PDPTE registers that it references.
struct PageTables {
    std::uint64_t cr3 = 0;
    std::array<std::uint64_t, 4> pdpte{};
};

/// Without paging, and with a TSS of 16 bits, they stay as they are. #GP(0): a PDPTE has reserved bits.
Expected<PageTables> page_tables_of_task(Cpu& cpu, const TaskState& task, TssSize size) {
    PageTables tables{.cr3 = cpu.state.cr3, .pdpte = cpu.state.pdpte};
    if (!cpu.cr0()[Cr0::pg] || size == TssSize::bits_16) return tables;
    tables.cr3 = task.cr3;
    if (cpu.paging.mode != mmu::PagingMode::pae) return tables;
    mmu::PhysicalView view{cpu.memory, cpu.second_stage};
    const auto loaded = mmu::load_pdptes(task.cr3, view, cpu.model.physical_width);
    if (loaded) {
        tables.pdpte = *loaded;
        return tables;
    }
    if (std::holds_alternative<mmu::ReservedPdpteBits>(loaded.error())) return general_protection();
    return intercepted();
}

/// Sets or clears the busy bit of a descriptor in memory.
Outcome mark_busy(Cpu& cpu, const TableEntry& entry, bool is_busy) {
    const std::uint64_t type_byte = entry.descriptor.raw >> 40 & ~busy & 0xff;
    return store_system(cpu, entry.address + 5, static_cast<std::uint8_t>(type_byte | (is_busy ? busy : 0)));
}

/// The fault is of the new task.
Outcome load_task_code(Cpu& cpu, std::uint16_t selector, unsigned cpl) {
    const std::uint32_t error_code = error_code_of(selector);
    if (is_null(selector)) return raise(Vector::ts, error_code);
    auto entry = read_descriptor(cpu, selector, Vector::ts);
    if (!entry) return tl::unexpected{entry.error()};
    const Descriptor code = entry->descriptor;
    const auto dpl = code[Descriptor::dpl];
    const bool is_permitted = code.is_conforming() ? dpl <= cpl : dpl == cpl;
    if (!code.is_code() || !is_permitted) return raise(Vector::ts, error_code);
    if (!code[Descriptor::p]) return raise(Vector::np, error_code);
    HS_TRY(mark_accessed(cpu, *entry));
    load_code_segment(cpu, selector, entry->descriptor, cpl);
    return {};
}

/// What checked_segment() calls #GP is #TS when a task is switched to.
tl::unexpected<Fault> as_invalid_tss(Fault fault) {
    if (fault.kind == Fault::Kind::exception && fault.vector == Vector::gp) fault.vector = Vector::ts;
    return tl::unexpected{fault};
}

Outcome load_task_segments(Cpu& cpu, const TaskState& task) {
    const auto cpl = rpl_of(task.selector[cs]);
    const auto table = checked_ldtr(cpu, task.ldtr, Vector::ts, Vector::ts);
    if (!table) return tl::unexpected{table.error()};
    cpu.state.ldtr = *table;
    if (cpu.mode == Mode::virtual_8086) {
        for (const SegmentName name : {es, cs, ss, ds, fs, gs})
            cpu.state.segment[name] = segment_of_virtual_8086(task.selector[name]);
        return {};
    }
    HS_TRY(load_task_code(cpu, task.selector[cs], cpl));
    for (const SegmentName name : {ss, ds, es, fs, gs}) {
        const auto segment = checked_segment(cpu, name, task.selector[name]);
        if (!segment) return as_invalid_tss(segment.error());
        cpu.state.segment[name] = *segment;
    }
    return {};
}

/// The registers of the new task; its segment registers hold selectors only.
void load_task_registers(Cpu& cpu, const TaskState& task, const TaskSwitch& to) {
    State& state = cpu.state;
    for (unsigned i = 0; i < task.gpr.size(); ++i) state.gpr[i] = task.gpr[i];
    constexpr std::uint64_t loadable = 0x3f'7fd5;
    state.rflags = (task.eflags & loadable) | Rflags::always_1.mask;
    if (nests(to.source)) state.rflags |= Rflags::nt.mask;
    state.rip = task.eip;
    cpu.next_rip = task.eip;
    for (const SegmentName name : {es, cs, ss, ds, fs, gs})
        state.segment[name] = null_segment(task.selector[name], rpl_of(task.selector[cs]));
    state.ldtr = null_segment(task.ldtr);
    state.tr = segment_of(to.selector, to.descriptor.descriptor);
    state.tr.rights.raw |= busy;
    constexpr std::uint64_t local_enables = 0x155;
    state.dr7 &= ~local_enables;
    state.cr0 |= Cr0::ts.mask;
    refresh(cpu);
}

/// Saves the old task and links the two, in memory. Nothing is written if anything faults.
Outcome leave_task(Cpu& cpu, const TaskSwitch& to, std::uint64_t new_base) {
    const Segment old = cpu.state.tr;
    const TssSize old_size = tss_size(old.rights[AccessRights::type]);
    HS_TRY(probe_task_state(cpu, old.base, old_size));
    if (nests(to.source)) {
        HS_TRY(store_system(cpu, new_base, old.selector));
    } else {
        const auto entry = read_descriptor(cpu, old.selector, Vector::ts);
        if (!entry) return tl::unexpected{entry.error()};
        HS_TRY(mark_busy(cpu, *entry, false));
    }
    if (to.source != TaskSwitchSource::iret) HS_TRY(mark_busy(cpu, to.descriptor, true));
    return write_task_state(cpu, old.base, old_size, current_task_state(cpu, to.saved_flags));
}

}  // namespace

Outcome switch_task(Cpu& cpu, const TaskSwitch& to) {
    const TssSize size = tss_size(to.descriptor.descriptor[Descriptor::type]);
    const std::uint64_t base = to.descriptor.descriptor.base();
    if (to.descriptor.descriptor.limit() < least_tss_limit(size))
        return raise(Vector::ts, error_code_of(to.selector));
    if (cpu.intercepts != nullptr &&
        cpu.intercepts->task_switch(cpu, to.source, to.selector) == Verdict::intervene)
        return intercepted();

    // Everything that can fault while the old task is current, before anything changes.
    const auto task = read_task_state(cpu, base, size);
    if (!task) return tl::unexpected{task.error()};
    const auto tables = page_tables_of_task(cpu, *task, size);
    if (!tables) return tl::unexpected{tables.error()};
    HS_TRY(leave_task(cpu, to, base));

    cpu.state.cr3 = tables->cr3;
    cpu.state.pdpte = tables->pdpte;
    load_task_registers(cpu, *task, to);
    const Outcome loaded = load_task_segments(cpu, *task);
    refresh(cpu);
    HS_TRY(loaded);
    if (task->traps) cpu.state.pending_debug |= debug_status::task_switch;
    return {};
}

}  // namespace hyperstep::cpu
