#pragma once
#include <cstdint>

#include "cpu/fault.hpp"

// Every point at which a hypervisor can intervene in the processor. Nobody listens on a machine without VMX.
namespace hyperstep::cpu {

struct Cpu;
struct Op;

enum class InterceptPoint : std::uint8_t {
#define POINT(identifier, id) identifier,
#include "cpu/intercept_points.def"
#undef POINT
    count
};

/// What the instruction is about to do. Which members mean something depends on the point.
struct InterceptDetails {
    const Op* op = nullptr;
    std::uint64_t value = 0;  ///< MOV to CR, LMSW, WRMSR: the source operand. XSAVES, XRSTORS: EDX:EAX
    std::uint64_t address =
        0;  ///< INVLPG, INS, OUTS: linear address. An operand in memory: its effective offset
    std::uint32_t index = 0;  ///< MSR, port, number of the debug register
    std::uint8_t bytes = 0;   ///< IN, OUT, INS, OUTS: 1, 2, 4
    bool is_read = false;     ///< IN, INS, MOV from DR, SGDT and its like (a store)
};

enum class EventKind : std::uint8_t {
    external_interrupt,
    nmi,
    exception,                     ///< a fault or trap of the processor
    software_interrupt,            ///< INT n
    software_exception,            ///< INT3, INTO
    privileged_software_exception  ///< INT1 (ICEBP)
};

/// An event on its way through the IDT.
struct Event {
    EventKind kind = EventKind::exception;
    std::uint8_t vector = 0;
    bool has_error_code = false;
    std::uint32_t error_code = 0;
    std::uint8_t instruction_bytes =
        0;                      ///< of the software events: how far the return address lies behind RIP
    std::uint64_t payload = 0;  ///< #PF: linear address. #DB: the new bits of DR6
    friend bool operator==(const Event&, const Event&) = default;
};

enum class TaskSwitchSource : std::uint8_t { call, iret, jmp, gate };

/// A signal that a hypervisor may take before the processor acts on it.
enum class Signal : std::uint8_t { external_interrupt, nmi, init, sipi, smi };

enum class Verdict : std::uint8_t {
    proceed,
    intervene  ///< the instruction or event does not happen: its caller returns intercepted()
};

class Intercepts {
public:
    Intercepts() = default;
    Intercepts(const Intercepts&) = delete;
    Intercepts& operator=(const Intercepts&) = delete;
    virtual ~Intercepts() = default;

    virtual Verdict instruction(Cpu& cpu, InterceptPoint point, const InterceptDetails& details) = 0;
    /// Before an exception or software event goes through the IDT. `original`: the event during whose
    /// delivery it arose, or null.
    virtual Verdict event(Cpu& cpu, const Event& event, const Event* original) = 0;
    /// Before the processor acts on a signal. With `intervene` an NMI, SMI, INIT or SIPI is taken; an
    /// external interrupt is not acknowledged.
    virtual Verdict signal(Cpu& cpu, Signal signal) = 0;
    /// After the checks of gate and TSS descriptor, before the new TSS is read.
    virtual Verdict task_switch(Cpu& cpu, TaskSwitchSource source, std::uint16_t selector) = 0;
    virtual Verdict triple_fault(Cpu& cpu, const Event& original) = 0;

    /// What the guest reads of CR0, CR4 (MOV from CR, SMSW), and the value that a write gives the register.
    virtual std::uint64_t cr0_as_read(Cpu& cpu, std::uint64_t real) = 0;
    virtual std::uint64_t cr4_as_read(Cpu& cpu, std::uint64_t real) = 0;
    virtual std::uint64_t cr0_as_written(Cpu& cpu, std::uint64_t source) = 0;
    virtual std::uint64_t cr4_as_written(Cpu& cpu, std::uint64_t source) = 0;
    /// What RDTSC, RDTSCP and RDMSR of the time-stamp counter give.
    virtual std::uint64_t tsc_as_read(Cpu& cpu, std::uint64_t real) = 0;
};

/// Asks the hypervisor, if there is one. To be called by a handler between the faults that come before the
/// exit and those that come after it.
Outcome intercept_slow(Cpu& cpu, InterceptPoint point, const InterceptDetails& details);

}  // namespace hyperstep::cpu
