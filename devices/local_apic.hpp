#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <tl/expected.hpp>

#include "base/fields.hpp"
#include "base/timeline.hpp"
#include "devices/apic_bus.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/timed_device.hpp"

namespace hyperstep::devices {

/// The processor that a local APIC belongs to. None of these runs guest code; each is remembered until the
/// next instruction boundary.
class ProcessorLines {
public:
    ProcessorLines() = default;
    ProcessorLines(const ProcessorLines&) = delete;
    ProcessorLines& operator=(const ProcessorLines&) = delete;
    virtual ~ProcessorLines() = default;
    /// LocalApic::has_interrupt() may have another answer than before.
    virtual void interrupt_request_changed() = 0;
    virtual void nmi() = 0;
    virtual void smi() = 0;
    /// INIT. A processor that takes it (it may have to wait: SMM, VMX root operation) calls
    /// LocalApic::init().
    virtual void init() = 0;
    /// Start-up IPI: begin at vector << 12 if the processor waits for SIPI, nothing otherwise.
    virtual void startup(std::uint8_t vector) = 0;
};

/// IA32_APIC_BASE. SDM "Local APIC Status and Location".
struct ApicBase : Register<ApicBase> {
    static constexpr Bits<8> bootstrap_processor{};
    static constexpr Bits<10> x2apic_enable{};
    static constexpr Bits<11> global_enable{};
    static constexpr std::uint64_t frame = ~0ULL << 12;
    static constexpr std::uint64_t default_address = 0xfee0'0000;
};

enum class ApicMode : std::uint8_t { disabled, xapic, x2apic };

/// A wrong access to an MSR: #GP(0).
struct GeneralProtection {
    friend bool operator==(const GeneralProtection&, const GeneralProtection&) = default;
};
template <class T>
using MsrResult = tl::expected<T, GeneralProtection>;

/// What is fixed when the processor is made.
struct LocalApicModel {
    enum class Role : std::uint8_t { application, bootstrap };
    std::uint32_t id = 0;  ///< the initial APIC id: CPUID leaf 0BH, EDX
    Role role = Role::application;
    bool has_x2apic = true;
    bool has_tsc_deadline = true;
    bool has_eoi_suppression = true;  ///< version register bit 24
    unsigned physical_address_width = 46;
};

/// The local APIC of one processor, as xAPIC (a page of registers) and x2APIC (MSRs). SDM "Advanced
/// Programmable Interrupt Controller (APIC)".
///
/// The timer's clock is one count a tick (1 GHz) before the divider. The time-stamp counter is the timeline's
/// tick plus an offset. Model: a periodic timer interrupts no more often than once a microsecond: of shorter
/// periods, the interrupts in between are lost. The current count is exact all the same. Model: the APIC id
/// register is read-only, as on recent processors.
class LocalApic final : public MemoryDevice, public TimedDevice {
public:
    enum Lvt : std::uint8_t {
        lvt_timer,
        lvt_thermal,
        lvt_performance,
        lvt_lint0,
        lvt_lint1,
        lvt_error,
        lvt_count
    };
    static constexpr std::uint64_t shortest_interrupt_period = 1000;  ///< ticks

    struct State {
        ApicBase base{};
        std::uint32_t task_priority = 0;
        std::uint32_t logical_destination = 0;  ///< xAPIC; the x2APIC's is derived from the id
        std::uint32_t destination_format = 0;
        std::uint32_t spurious = 0;
        std::array<std::uint32_t, 8> in_service{};
        std::array<std::uint32_t, 8> trigger_mode{};
        std::array<std::uint32_t, 8> request{};
        std::uint32_t error_status = 0;  ///< as read
        std::uint32_t errors_found = 0;  ///< since the last write of the register
        std::uint64_t interrupt_command = 0;
        std::array<std::uint32_t, lvt_count> local_vectors{};
        std::array<Level, 2> pins{};      ///< LINT0, LINT1
        bool external_requested = false;  ///< an ExtINT message came that no processor acknowledged yet
        std::uint32_t initial_count = 0;
        std::uint32_t divide_configuration = 0;
        std::uint64_t timer_expires = Timeline::never;  ///< tick of the next expiration
        std::uint64_t tsc_deadline = 0;                 ///< 0: not armed
        std::uint64_t tsc_offset = 0;                   ///< time-stamp counter minus tick

        auto visit(auto& archive) {
            return archive(field("base", base),
                           field("task_priority", task_priority),
                           field("logical_destination", logical_destination),
                           field("destination_format", destination_format),
                           field("spurious", spurious),
                           field("in_service", in_service),
                           field("trigger_mode", trigger_mode),
                           field("request", request),
                           field("error_status", error_status),
                           field("errors_found", errors_found),
                           field("interrupt_command", interrupt_command),
                           field("local_vectors", local_vectors),
                           field("pins", pins),
                           field("external_requested", external_requested),
                           field("initial_count", initial_count),
                           field("divide_configuration", divide_configuration),
                           field("timer_expires", timer_expires),
                           field("tsc_deadline", tsc_deadline),
                           field("tsc_offset", tsc_offset));
        }
    };

    /// In the state after power-up. Attaches itself to the bus. `controller` is the 8259A that answers an
    /// acknowledge for ExtINT.
    LocalApic(const LocalApicModel& model,
              Timeline& timeline,
              ApicBus& bus,
              ProcessorLines& processor,
              InterruptAcknowledge& controller);

    State& state() { return state_; }
    const State& state() const { return state_; }
    const LocalApicModel& model() const { return model_; }
    ApicMode mode() const;
    /// The id that interrupt messages address: 8 bits in xAPIC mode, 32 in x2APIC mode.
    std::uint32_t id() const;
    /// The state after power-up; IA32_APIC_BASE too. The pins and the time-stamp counter keep what they have.
    void reset();
    /// The state after INIT: all but IA32_APIC_BASE and the APIC id are as after power-up.
    void init();
    /// As firmware leaves the bootstrap processor to an operating system: enabled by software with spurious
    /// vector 0xff, the 8259A through LINT0 as ExtINT, LINT1 as NMI. MultiProcessor Specification "Virtual
    /// Wire Mode".
    void set_virtual_wire_mode();

    // ---- the processor's side --------------------------------------------------------------------------
    /// An interrupt waits that the processor may take now if its own flags allow: ExtINT, or a request whose
    /// priority class is above that of PPR.
    bool has_interrupt() const;
    /// Takes the interrupt that waits: moves it from IRR to ISR, or runs the 8259A's acknowledge cycle.
    /// Without one that waits: the spurious vector, and nothing changes.
    std::uint8_t acknowledge();
    /// The request of highest priority, whatever PPR is; nothing waits: -1. What virtualization calls RVI.
    int highest_request() const;
    /// CR8 is bits 7:4 of the task priority. SDM "Interrupts in 64-Bit Mode".
    std::uint64_t cr8() const { return state_.task_priority >> 4U; }
    /// `value` is at most 15.
    void set_cr8(std::uint64_t value);
    std::uint32_t processor_priority() const;

    /// IA32_APIC_BASE, MSR 1BH.
    std::uint64_t base() const { return state_.base.raw; }
    /// #GP(0): a reserved bit, x2APIC enabled while the APIC is globally disabled, a transition from x2APIC
    /// to xAPIC, or from disabled to x2APIC. SDM "x2APIC State Transitions". After it, page_address() may
    /// have changed.
    MsrResult<void> set_base(std::uint64_t value);
    /// Physical address of the registers' page; meaningful in xAPIC mode.
    std::uint64_t page_address() const { return state_.base.raw & ApicBase::frame; }
    /// MSRs 800H to 8FFH. #GP(0): not in x2APIC mode, no such register, one that may not be read, or written,
    /// or a reserved bit. SDM "x2APIC Register Address Space".
    MsrResult<std::uint64_t> read_msr(std::uint32_t msr);
    MsrResult<void> write_msr(std::uint32_t msr, std::uint64_t value);
    /// IA32_TSC_DEADLINE, MSR 6E0H: 0 unless the timer is in TSC-deadline mode and armed.
    std::uint64_t tsc_deadline();
    void set_tsc_deadline(std::uint64_t value);
    /// The time-stamp counter is Timeline::now plus this from now on.
    void set_tsc_offset(std::uint64_t offset);
    std::uint64_t tsc_offset() const { return state_.tsc_offset; }

    // ---- the board's side ------------------------------------------------------------------------------
    /// The pins. LINT0 carries the 8259A's INTR, LINT1 NMI. While the APIC is globally disabled they are INTR
    /// and NMI of the processor.
    void set_lint0(Level level);
    void set_lint1(Level level);
    /// A thermal or performance-monitoring interrupt is generated within the processor.
    void raise_local(Lvt source);

    // ---- the bus's side --------------------------------------------------------------------------------
    bool is_addressed_by(const InterruptMessage& message) const;
    bool is_software_enabled() const;
    /// A message for this APIC. False: it does not take it.
    bool accept(const InterruptMessage& message);

    // ---- xAPIC -----------------------------------------------------------------------------------------
    // The page. Model: registers answer 4-byte accesses at their own address; any other access reads the
    // bytes of the register that it lies in, or 0, and writes nothing.
    std::string_view name() const override { return "local APIC"; }
    std::uint64_t size() const override { return 0x1000; }
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override;
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;

    std::uint64_t next_deadline() const override;
    void advance_to(std::uint64_t now) override;

private:
    enum class TimerMode : std::uint8_t { one_shot = 0, periodic = 1, tsc_deadline = 2, reserved = 3 };

    std::uint32_t read_register(std::uint32_t index);
    void write_register(std::uint32_t index, std::uint32_t value);
    std::uint32_t version() const;
    std::uint32_t logical_destination() const;
    void write_local_vector(Lvt source, std::uint32_t value);
    void write_spurious(std::uint32_t value);
    void write_error_status();
    /// Bits that a WRMSR of this register may have; nothing: it may not be written.
    std::optional<std::uint64_t> writable_bits(std::uint32_t index) const;
    void send_command();
    void end_of_interrupt();
    void set_task_priority(std::uint32_t value);
    void report_error(std::uint32_t bit);
    void request(std::uint8_t vector, TriggerMode trigger);
    void deliver_local(Lvt source);
    void set_pin(Lvt source, Level level);
    /// Delivers what a pin asks for by its level, if it is not on its way already.
    void serve_level(Lvt source);
    bool is_level_triggered(Lvt source) const;
    Level pin(Lvt source) const { return state_.pins[source - lvt_lint0]; }
    bool external_waits() const;
    void clear_registers();
    void power_up();

    TimerMode timer_mode() const;
    std::uint64_t timer_divider() const;
    std::uint32_t current_count() const;
    void start_timer(std::uint32_t count);
    /// Ticks to the next expiration, whether it interrupts or not.
    std::uint64_t ticks_left() const;
    /// A periodic timer expires next when its count reaches 0, not when it may interrupt again.
    void forget_missed_periods();
    void arm_tsc_deadline();
    void timer_expired();
    void settle() { advance_to(timeline_.now); }
    /// After any change: the processor looks again, and stops in time for the timer.
    void changed();

    State state_;
    LocalApicModel model_;
    Timeline& timeline_;
    ApicBus& bus_;
    ProcessorLines& processor_;
    InterruptAcknowledge& controller_;
};

}  // namespace hyperstep::devices
