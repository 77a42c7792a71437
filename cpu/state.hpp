#pragma once
#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/fields.hpp"
#include "base/x86_registers.hpp"

// The architectural state of one logical processor: all of it, and nothing else. Caches are not here.
namespace hyperstep::cpu {

using x86::AccessRights;
using x86::Cr0;
using x86::Cr4;
using x86::Efer;
using x86::Rflags;

/// Numbers of the general registers, as instructions encode them.
enum Gpr : std::uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
/// Numbers of the segment registers, as instructions encode them.
enum SegmentName : std::uint8_t { es, cs, ss, ds, fs, gs };

/// A segment register with the part that software does not see. Rights in the form of the VMCS ("Format of
/// Access Rights"): `unusable` after a null selector. The limit is in bytes, scaled already.
struct Segment {
    std::uint16_t selector = 0;
    std::uint64_t base = 0;
    std::uint32_t limit = 0xffff;
    AccessRights rights;
    friend bool operator==(const Segment&, const Segment&) = default;
    auto visit(auto& archive) {
        return archive(
            field("selector", selector), field("base", base), field("limit", limit), field("rights", rights));
    }
};

/// GDTR, IDTR.
struct TableRegister {
    std::uint64_t base = 0;
    std::uint16_t limit = 0xffff;
    friend bool operator==(const TableRegister&, const TableRegister&) = default;
    auto visit(auto& archive) { return archive(field("base", base), field("limit", limit)); }
};

/// An x87 register as 80 bits: sign and exponent above the significand.
struct Float80 {
    std::uint64_t significand = 0;
    std::uint16_t sign_exponent = 0;
    friend bool operator==(const Float80&, const Float80&) = default;
    auto visit(auto& archive) {
        return archive(field("significand", significand), field("sign_exponent", sign_exponent));
    }
};

/// The x87 FPU and MMX. SDM "x87 FPU Execution Environment".
struct FpuState {
    std::uint16_t control = 0x40;
    std::uint16_t status = 0;  ///< TOP is bits 13:11
    std::uint8_t empty = 0;  ///< bit i: physical register i is empty. RESET leaves tags valid (0x5555: zero)
    std::uint16_t last_opcode = 0;
    std::uint64_t last_instruction = 0;  ///< FIP
    std::uint16_t last_instruction_selector = 0;
    std::uint64_t last_operand = 0;  ///< FDP
    std::uint16_t last_operand_selector = 0;
    std::array<Float80, 8> registers;  ///< physical: R0 to R7
    friend bool operator==(const FpuState&, const FpuState&) = default;
    auto visit(auto& archive) {
        return archive(field("control", control),
                       field("status", status),
                       field("empty", empty),
                       field("last_opcode", last_opcode),
                       field("last_instruction", last_instruction),
                       field("last_instruction_selector", last_instruction_selector),
                       field("last_operand", last_operand),
                       field("last_operand_selector", last_operand_selector),
                       field("registers", registers));
    }
};

/// A YMM register as four quadwords, lowest first; XMM is the lower two.
using VectorRegister = std::array<std::uint64_t, 4>;

/// SDM "Activity state" of the VMCS; MWAIT waits like HLT but ends by other means too.
enum class Activity : std::uint8_t { active, halted, shutdown, wait_for_sipi, mwait, count };

/// What the last instruction or event blocks. SDM "Guest Non-Register State", interruptibility.
struct Blocking {
    bool sti = false;     ///< interrupts, until the next instruction has ended
    bool mov_ss = false;  ///< interrupts and debug traps, until the next instruction has ended
    bool nmi = false;     ///< NMIs, until IRET
    bool smi = false;     ///< SMIs: the processor is in system-management mode
    friend bool operator==(const Blocking&, const Blocking&) = default;
    auto visit(auto& archive) {
        return archive(field("sti", sti), field("mov_ss", mov_ss), field("nmi", nmi), field("smi", smi));
    }
};

/// Signals that have arrived and wait for an instruction boundary. The local APIC's interrupts are not here:
/// it is asked (Board::interrupt_pending).
struct PendingSignals {
    bool nmi = false;
    bool smi = false;
    bool init = false;
    bool sipi = false;
    std::uint8_t sipi_vector = 0;
    friend bool operator==(const PendingSignals&, const PendingSignals&) = default;
    auto visit(auto& archive) {
        return archive(field("nmi", nmi),
                       field("smi", smi),
                       field("init", init),
                       field("sipi", sipi),
                       field("sipi_vector", sipi_vector));
    }
};

/// The model-specific registers that hold state of this processor. What each takes and when it exists is in
/// cpu/msrs.def. SDM volume 4.
struct Msrs {
    std::uint64_t efer = 0;
    std::uint64_t star = 0, lstar = 0, cstar = 0, fmask = 0;
    std::uint64_t kernel_gs_base = 0, tsc_aux = 0;
    std::uint64_t sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    std::uint64_t pat = 0x0007'0406'0007'0406;
    std::uint64_t tsc_offset = 0;  ///< IA32_TIME_STAMP_COUNTER is virtual time plus this
    std::uint64_t tsc_adjust = 0;
    std::uint64_t misc_enable = 0x4'0001;  ///< MONITOR, fast strings
    std::uint64_t feature_control = 0;
    std::uint64_t debugctl = 0;
    std::uint64_t spec_ctrl = 0;
    std::uint64_t xss = 0;
    std::uint64_t smbase = 0x30000;
    std::uint64_t smm_monitor_ctl = 0;
    std::uint64_t pkrs = 0;
    std::uint64_t u_cet = 0, s_cet = 0, ssp = 0, interrupt_ssp_table = 0;
    std::array<std::uint64_t, 4> pl_ssp{};
    std::uint64_t mtrr_def_type = 0;
    std::array<std::uint64_t, 16> mtrr_variable{};  ///< base and mask, eight pairs
    std::array<std::uint64_t, 11> mtrr_fixed{};
    std::uint64_t mcg_status = 0;
    std::uint64_t umwait_control = 0;
    friend bool operator==(const Msrs&, const Msrs&) = default;
    auto visit(auto& archive) {
        return archive(field("efer", efer),
                       field("star", star),
                       field("lstar", lstar),
                       field("cstar", cstar),
                       field("fmask", fmask),
                       field("kernel_gs_base", kernel_gs_base),
                       field("tsc_aux", tsc_aux),
                       field("sysenter_cs", sysenter_cs),
                       field("sysenter_esp", sysenter_esp),
                       field("sysenter_eip", sysenter_eip),
                       field("pat", pat),
                       field("tsc_offset", tsc_offset),
                       field("tsc_adjust", tsc_adjust),
                       field("misc_enable", misc_enable),
                       field("feature_control", feature_control),
                       field("debugctl", debugctl),
                       field("spec_ctrl", spec_ctrl),
                       field("xss", xss),
                       field("smbase", smbase),
                       field("smm_monitor_ctl", smm_monitor_ctl),
                       field("pkrs", pkrs),
                       field("u_cet", u_cet),
                       field("s_cet", s_cet),
                       field("ssp", ssp),
                       field("interrupt_ssp_table", interrupt_ssp_table),
                       field("pl_ssp", pl_ssp),
                       field("mtrr_def_type", mtrr_def_type),
                       field("mtrr_variable", mtrr_variable),
                       field("mtrr_fixed", mtrr_fixed),
                       field("mcg_status", mcg_status),
                       field("umwait_control", umwait_control));
    }
};

/// What a MONITOR armed, and the MWAIT after it.
struct MonitorState {
    bool armed = false;                   ///< until a store to the page, or an MWAIT has ended
    Hpa address;                          ///< of the byte that was named
    bool masked_interrupts_wake = false;  ///< of MWAIT: an interrupt ends the wait even if RFLAGS.IF = 0
    friend bool operator==(const MonitorState&, const MonitorState&) = default;
    auto visit(auto& archive) {
        return archive(field("armed", armed),
                       field("address", address),
                       field("masked_interrupts_wake", masked_interrupts_wake));
    }
};

struct State {
    std::array<std::uint64_t, 16> gpr{};
    std::uint64_t rip = 0;
    std::uint64_t rflags = 2;
    std::array<Segment, 6> segment;  ///< by SegmentName
    Segment ldtr, tr;
    TableRegister gdtr, idtr;
    std::uint64_t cr0 = 0x6000'0010;
    std::uint64_t cr2 = 0;
    std::uint64_t cr3 = 0;
    std::uint64_t cr4 = 0;
    std::array<std::uint64_t, 4> pdpte{};  ///< of PAE paging, as loaded with CR3
    std::array<std::uint64_t, 4> dr{};     ///< DR0 to DR3
    std::uint64_t dr6 = 0xffff'0ff0;
    std::uint64_t dr7 = 0x400;
    std::uint64_t xcr0 = 1;
    std::uint32_t pkru = 0;
    Msrs msr;
    FpuState fpu;
    std::array<VectorRegister, 16> vector{};
    std::uint32_t mxcsr = 0x1f80;
    Activity activity = Activity::active;
    Blocking blocking;
    /// Debug traps of the instruction that has ended, in the form of DR6: B3:B0, BS; not delivered yet.
    std::uint64_t pending_debug = 0;
    PendingSignals signals;
    MonitorState monitor;
    std::uint64_t random = 0;   ///< state of RDRAND and RDSEED, from the run's seed
    std::uint64_t retired = 0;  ///< instructions of this processor

    friend bool operator==(const State&, const State&) = default;
    auto visit(auto& archive) {
        return archive(field("gpr", gpr),
                       field("rip", rip),
                       field("rflags", rflags),
                       field("segment", segment),
                       field("ldtr", ldtr),
                       field("tr", tr),
                       field("gdtr", gdtr),
                       field("idtr", idtr),
                       field("cr0", cr0),
                       field("cr2", cr2),
                       field("cr3", cr3),
                       field("cr4", cr4),
                       field("pdpte", pdpte),
                       field("dr", dr),
                       field("dr6", dr6),
                       field("dr7", dr7),
                       field("xcr0", xcr0),
                       field("pkru", pkru),
                       field("msr", msr),
                       field("fpu", fpu),
                       field("vector", vector),
                       field("mxcsr", mxcsr),
                       field("activity", activity),
                       field("blocking", blocking),
                       field("pending_debug", pending_debug),
                       field("signals", signals),
                       field("monitor", monitor),
                       field("random", random),
                       field("retired", retired));
    }
};

/// The state after RESET. SDM "Processor State After Reset". `signature`: CPUID.01H:EAX, which EDX then
/// holds.
State state_after_reset(std::uint32_t signature);
/// What INIT changes: as RESET, but x87, XMM, MSRs, CR0.CD and NW, and TSC keep their values. The vCPU that
/// is not the bootstrap processor then waits for a SIPI.
void apply_init(State& state, std::uint32_t signature);

}  // namespace hyperstep::cpu
