#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/timeline.hpp"
#include "base/trace.hpp"
#include "cpu/board.hpp"
#include "cpu/intercepts.hpp"
#include "cpu/model.hpp"
#include "cpu/op.hpp"
#include "cpu/state.hpp"
#include "exec/block_cache.hpp"
#include "mmu/guest_memory.hpp"
#include "mmu/tlb.hpp"
#include "mmu/x86_paging.hpp"

namespace hyperstep::cpu {

/// SDM "Modes of Operation", with the two submodes of IA-32e mode.
enum class Mode : std::uint8_t { real, virtual_8086, protected_, compatibility, long_64 };

/// Gives context numbers (four at a time, one for each class of accesses) to the things on which translations
/// depend. A cache: its numbers mean nothing outside.
class Contexts {
public:
    mmu::ContextNumber number_of(const mmu::X86Paging& paging, const void* second_stage, mmu::Tlb& tlb);
    /// Every number given so far is used no more: what they stand for changed in a way that the key does not
    /// show.
    void forget();

private:
    static constexpr std::size_t most = 64;
    struct Known {
        mmu::X86Paging paging;
        const void* second_stage = nullptr;
        mmu::ContextNumber number = 0;
    };
    std::vector<Known> known_;
    std::size_t latest_ = 0;
    mmu::ContextNumber next_number_ = 4;
};

struct Cpu;

/// Disarms a processor's monitor when the page of its address is written, by whomever.
class StoreMonitor final : public mmu::PageWatcher {
public:
    explicit StoreMonitor(Cpu& cpu);
    ~StoreMonitor() override;
    void page_changes(Hpa page, std::uint8_t watches) override;
    void page_needs_announcing(Hpa /*page*/) override {}

private:
    Cpu& cpu_;
};

/// One logical processor: its state, what it is wired to, and what is derived from both. Behaviour is free
/// functions. Whoever changes a register on which derived values depend calls refresh() (cpu/derived.cpp).
struct Cpu {
    struct Wiring {
        mmu::GuestMemory& memory;
        Timeline& time;
        Board& board;
        exec::BlockCache<Op>& blocks;
        const Model& model;
        Topology topology{};
    };
    Cpu(const Wiring& wiring, std::uint32_t number);
    Cpu(const Cpu&) = delete;
    Cpu& operator=(const Cpu&) = delete;

    State state;

    mmu::GuestMemory& memory;
    Timeline& time;
    Board& board;
    exec::BlockCache<Op>& blocks;
    const Model& model;
    const Topology topology;
    const std::uint32_t number;        ///< of the processor within its machine, from 0: the x2APIC ID
    Intercepts* intercepts = nullptr;  ///< of a hypervisor, if there is one
    mmu::SecondStage* second_stage = nullptr;
    mmu::Tlb tlb;
    Contexts contexts;
    StoreMonitor store_monitor{*this};

    // ---- derived from `state` by refresh() ----
    Mode mode = Mode::real;
    std::uint8_t cpl = 0;
    std::uint8_t code_bytes = 2;   ///< 2, 4, 8: default size of the code segment
    std::uint8_t stack_bytes = 2;  ///< 2, 4, 8: which of SP, ESP, RSP the stack uses
    /// Base to add to an offset when quick_rights allow it: 0 for ES, CS, SS, DS in 64-bit mode.
    std::array<std::uint64_t, 6> quick_base{};
    /// Whether any offset may be read (1) or written (2) through the segment without a check. In 64-bit mode
    /// all may.
    std::array<std::uint8_t, 6> quick_rights{};
    std::uint64_t linear_mask = 0xffff'ffff;  ///< all ones in 64-bit mode
    mmu::X86Paging paging{};
    /// Data accesses of the program. Never matches when accesses need care (#AC, data breakpoints).
    mmu::ContextNumber quick_context = 0;
    mmu::ContextNumber data_context = 0;
    mmu::ContextNumber fetch_context = 0;
    mmu::ContextNumber inner_stack_context = 0;  ///< data accesses at CPL 0 to 2
    mmu::ContextNumber system_context = 0;       ///< implicit supervisor accesses: GDT, IDT, TSS ...
    std::uint64_t derived_epoch = 1;             ///< counts refresh()

    // ---- of the instruction that runs ----
    std::uint64_t next_rip = 0;
    std::uint64_t fault_address = 0;  ///< linear, of the last page fault
    bool leave_block = false;  ///< the block ends after this instruction: something about the world changed
    /// A single-step trap follows the instruction, which is executed with care: RFLAGS.TF was 1 at its start.
    bool single_step = false;
    /// The software event (INT n and its like) whose delivery failed, until the fault is delivered.
    std::optional<Event> failed_software_event;

    // ---- bookkeeping of the engine ----
    Trace trace;  ///< who hears of events and MSRs
    /// Something may have to be done at the next boundary: signals, interrupts, debug traps, shadows.
    bool attention = true;
    std::uint64_t decoded = 0;        ///< instructions decoded, for the benchmarks
    exec::Block<Op> transient_block;  ///< the last instruction that was decoded but not kept
    Op transient_op;
    bool use_blocks = true;  ///< off: every instruction is decoded anew; for the laws of the tests
    bool use_tlb = true;     ///< off: every access walks; likewise

    /// Changes whenever a translation of code or its decoding may have.
    std::uint64_t code_epoch() const { return tlb.epoch() + blocks.generation() + derived_epoch; }

    Rflags rflags() const { return Rflags{{state.rflags}}; }
    Cr0 cr0() const { return Cr0{{state.cr0}}; }
    Cr4 cr4() const { return Cr4{{state.cr4}}; }
    Efer efer() const { return Efer{{state.msr.efer}}; }
    bool protected_mode() const { return mode >= Mode::protected_; }  ///< CR0.PE = 1 and RFLAGS.VM = 0
};

/// Recomputes what is derived: to be called after CR0, CR3, CR4, EFER, PKRU, a segment register, RFLAGS.VM,
/// AC or IF, DR7 changed. The block ends after the instruction, and the boundary after it is looked at.
void refresh(Cpu& cpu);

/// The cheap form after RFLAGS.IF, TF, RF or a blocking state changed: only the boundary is looked at.
inline void look_at_boundary(Cpu& cpu) {
    cpu.attention = true;
    cpu.leave_block = true;
}

/// See intercept_slow(). Costs a comparison when there is no hypervisor.
inline Outcome intercept(Cpu& cpu, InterceptPoint point, const InterceptDetails& details) {
    if (cpu.intercepts == nullptr) [[likely]]
        return {};
    return intercept_slow(cpu, point, details);
}

/// Whether the address is canonical for the current paging mode (48 or 57 bits). SDM "Canonical Addressing".
bool is_canonical(const Cpu& cpu, std::uint64_t linear);

}  // namespace hyperstep::cpu
