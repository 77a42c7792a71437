#include "devices/local_apic.hpp"

// The registers of the local APIC: the page of the xAPIC and the MSRs of the x2APIC. A register's index is
// its offset in the page divided by 16, and its MSR less 800H. SDM "Local APIC Register Address Map".
namespace hyperstep::devices {
namespace {

using LvtMask = Bits<16>;
using LvtRemoteIrr = Bits<14>;
using SoftwareEnable = Bits<8>;
constexpr std::uint32_t illegal_register_address = 1U << 7;
constexpr std::uint32_t delivery_status = 1U << 12;

enum : std::uint32_t {
    reg_id = 0x02,
    reg_version = 0x03,
    reg_task_priority = 0x08,
    reg_arbitration_priority = 0x09,
    reg_processor_priority = 0x0a,
    reg_eoi = 0x0b,
    reg_remote_read = 0x0c,
    reg_logical_destination = 0x0d,
    reg_destination_format = 0x0e,
    reg_spurious = 0x0f,
    reg_in_service = 0x10,
    reg_trigger_mode = 0x18,
    reg_request = 0x20,
    reg_error_status = 0x28,
    reg_command_low = 0x30,
    reg_command_high = 0x31,
    reg_local_vectors = 0x32,
    reg_initial_count = 0x38,
    reg_current_count = 0x39,
    reg_divide_configuration = 0x3e,
    reg_self_ipi = 0x3f
};

bool is_local_vector(std::uint32_t index) {
    return index >= reg_local_vectors && index - reg_local_vectors < LocalApic::lvt_count;
}

bool is_vector_set(std::uint32_t index) {
    return index >= reg_in_service && index < reg_error_status;
}

// In the order of LocalApic::Lvt: the bits that an entry has. Bits 12 and 14 are read-only.
constexpr std::array<std::uint32_t, LocalApic::lvt_count> local_vector_bits{
    0x710ff, 0x117ff, 0x117ff, 0x1f7ff, 0x1f7ff, 0x110ff};
constexpr std::uint32_t local_vector_read_only = 0x5000;

}  // namespace

std::uint32_t LocalApic::version() const {
    return 0x14U | (lvt_count - 1U) << 16U | (model_.has_eoi_suppression ? 1U << 24U : 0U);
}

std::uint32_t LocalApic::read_register(std::uint32_t index) {
    settle();
    if (is_local_vector(index)) return state_.local_vectors[index - reg_local_vectors];
    if (is_vector_set(index)) {
        if (index < reg_trigger_mode) return state_.in_service[index - reg_in_service];
        if (index < reg_request) return state_.trigger_mode[index - reg_trigger_mode];
        return state_.request[index - reg_request];
    }
    switch (index) {
        case reg_id: return mode() == ApicMode::x2apic ? id() : id() << 24U;
        case reg_version: return version();
        case reg_task_priority: return state_.task_priority;
        case reg_processor_priority: return processor_priority();
        case reg_arbitration_priority:  // not on processors of today
        case reg_eoi:                   // write-only
        case reg_remote_read: return 0;
        case reg_logical_destination: return logical_destination();
        case reg_destination_format: return state_.destination_format;
        case reg_spurious: return state_.spurious;
        case reg_error_status: return state_.error_status;
        case reg_command_low: return static_cast<std::uint32_t>(state_.interrupt_command);
        case reg_command_high: return static_cast<std::uint32_t>(state_.interrupt_command >> 32U);
        case reg_initial_count: return state_.initial_count;
        case reg_current_count: return current_count();
        case reg_divide_configuration: return state_.divide_configuration;
        default: report_error(illegal_register_address); return 0;
    }
}

void LocalApic::write_register(std::uint32_t index, std::uint32_t value) {
    settle();
    if (is_local_vector(index)) return write_local_vector(static_cast<Lvt>(index - reg_local_vectors), value);
    if (is_vector_set(index)) return;
    switch (index) {
        case reg_task_priority: return set_task_priority(value);
        case reg_eoi: return end_of_interrupt();
        case reg_logical_destination: state_.logical_destination = value & 0xff00'0000U; return;
        case reg_destination_format: state_.destination_format = value | 0x0fff'ffffU; return;
        case reg_spurious: return write_spurious(value);
        case reg_error_status: return write_error_status();
        case reg_command_low:
            state_.interrupt_command = (state_.interrupt_command & ~0xffff'ffffULL) | (value & 0xccfffU);
            return send_command();
        case reg_command_high:
            state_.interrupt_command = (state_.interrupt_command & 0xffff'ffffULL) | (value & 0xff00'0000ULL)
                                                                                         << 32U;
            return;
        case reg_initial_count:
            if (timer_mode() == TimerMode::tsc_deadline) return;
            state_.initial_count = value;
            start_timer(value);
            return changed();
        case reg_divide_configuration: {
            const std::uint32_t left = current_count();
            state_.divide_configuration = value & 0xbU;
            if (timer_mode() != TimerMode::tsc_deadline) start_timer(left);
            return changed();
        }
        case reg_id:
        case reg_version:
        case reg_arbitration_priority:
        case reg_processor_priority:
        case reg_remote_read:
        case reg_current_count: return;
        default: return report_error(illegal_register_address);
    }
}

void LocalApic::write_local_vector(Lvt source, std::uint32_t value) {
    std::uint32_t& entry = state_.local_vectors[source];
    const TimerMode before = timer_mode();
    if (source == lvt_timer) forget_missed_periods();
    entry = (value & local_vector_bits[source] & ~local_vector_read_only) | (entry & local_vector_read_only);
    if (!is_software_enabled()) entry |= static_cast<std::uint32_t>(LvtMask::mask);
    if (source == lvt_timer) {
        if (!model_.has_tsc_deadline) entry &= ~(1U << 18U);
        // SDM "TSC-Deadline Mode": a change to or from this mode disarms the timer.
        const bool was_deadline = before == TimerMode::tsc_deadline;
        const bool is_deadline = timer_mode() == TimerMode::tsc_deadline;
        if (was_deadline != is_deadline) {
            state_.timer_expires = Timeline::never;
            state_.tsc_deadline = 0;
            state_.initial_count = 0;
        }
    } else if (source == lvt_lint0 || source == lvt_lint1) {
        if (!is_level_triggered(source)) entry = static_cast<std::uint32_t>(LvtRemoteIrr::put(entry, false));
        serve_level(source);
    }
    changed();
}

void LocalApic::write_spurious(std::uint32_t value) {
    state_.spurious = value & (0x3ffU | (model_.has_eoi_suppression ? 1U << 12U : 0U));
    // SDM "Local APIC State After It Has Been Software Disabled".
    if (!SoftwareEnable::get(state_.spurious))
        for (std::uint32_t& entry : state_.local_vectors) entry |= static_cast<std::uint32_t>(LvtMask::mask);
    changed();
}

// ---- xAPIC ------------------------------------------------------------------------------------------------

std::uint64_t LocalApic::read(std::uint64_t offset, unsigned bytes) {
    const std::uint64_t ones = bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
    if (mode() != ApicMode::xapic) return ones;
    const auto within = static_cast<unsigned>(offset & 0xfU);
    if (within >= 4) return 0;
    return std::uint64_t{read_register(static_cast<std::uint32_t>(offset >> 4U & 0xffU))} >> (8 * within) &
           ones;
}

void LocalApic::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
    if (mode() != ApicMode::xapic || bytes != 4 || (offset & 0xfU) != 0) return;
    write_register(static_cast<std::uint32_t>(offset >> 4U & 0xffU), static_cast<std::uint32_t>(value));
}

// ---- x2APIC -----------------------------------------------------------------------------------------------

MsrResult<std::uint64_t> LocalApic::read_msr(std::uint32_t msr) {
    const std::uint32_t index = msr - 0x800;
    if (mode() != ApicMode::x2apic || index > reg_self_ipi) return tl::unexpected{GeneralProtection{}};
    if (index == reg_command_low) return state_.interrupt_command;
    if (is_vector_set(index) || is_local_vector(index)) return read_register(index);
    switch (index) {
        case reg_id:
        case reg_version:
        case reg_task_priority:
        case reg_processor_priority:
        case reg_logical_destination:
        case reg_spurious:
        case reg_error_status:
        case reg_initial_count:
        case reg_current_count:
        case reg_divide_configuration: return read_register(index);
        default: return tl::unexpected{GeneralProtection{}};
    }
}

std::optional<std::uint64_t> LocalApic::writable_bits(std::uint32_t index) const {
    if (is_local_vector(index)) {
        const std::uint32_t bits = local_vector_bits[index - reg_local_vectors];
        return index == reg_local_vectors && !model_.has_tsc_deadline ? bits & ~(1U << 18U) : bits;
    }
    switch (index) {
        case reg_task_priority:
        case reg_self_ipi: return 0xff;
        case reg_eoi:
        case reg_error_status: return 0;
        case reg_spurious: return model_.has_eoi_suppression ? 0x13ff : 0x3ff;
        // The delivery status went with the x2APIC; a 1 written to its bit is ignored.
        case reg_command_low: return 0xffff'ffff'000c'dfffULL;
        case reg_initial_count: return 0xffff'ffff;
        case reg_divide_configuration: return 0xb;
        default: return std::nullopt;
    }
}

MsrResult<void> LocalApic::write_msr(std::uint32_t msr, std::uint64_t value) {
    const std::uint32_t index = msr - 0x800;
    if (mode() != ApicMode::x2apic || index > reg_self_ipi) return tl::unexpected{GeneralProtection{}};
    const auto bits = writable_bits(index);
    if (!bits || (value & ~*bits) != 0) return tl::unexpected{GeneralProtection{}};
    settle();
    if (index == reg_command_low) {
        state_.interrupt_command = value & ~std::uint64_t{delivery_status};
        send_command();
    } else if (index == reg_self_ipi) {
        // SDM "SELF IPI Register": as the ICR with the shorthand self, fixed, edge.
        if (value < 16)
            report_error(1U << 5U);
        else
            bus_.send_from(*this, Shorthand::self, {.vector = static_cast<std::uint8_t>(value)});
    } else {
        write_register(index, static_cast<std::uint32_t>(value));
    }
    return {};
}

// ---- IA32_APIC_BASE ---------------------------------------------------------------------------------------

MsrResult<void> LocalApic::set_base(std::uint64_t value) {
    std::uint64_t reserved = 0x2ff | ~((1ULL << model_.physical_address_width) - 1);
    if (!model_.has_x2apic) reserved |= 1U << 10U;
    if ((value & reserved) != 0) return tl::unexpected{GeneralProtection{}};
    const ApicMode before = mode();
    const ApicBase next{{value}};
    const bool enabled = next[ApicBase::global_enable];
    const bool x2apic = next[ApicBase::x2apic_enable];
    // SDM "x2APIC State Transitions".
    const bool illegal = (x2apic && !enabled) || (before == ApicMode::x2apic && enabled && !x2apic) ||
                         (before == ApicMode::disabled && x2apic);
    if (illegal) return tl::unexpected{GeneralProtection{}};
    settle();
    state_.base = next;
    if (!enabled && before != ApicMode::disabled) clear_registers();
    // The destination has another format from now on.
    if (x2apic && before == ApicMode::xapic) state_.interrupt_command &= 0xffff'ffffULL;
    changed();
    return {};
}

}  // namespace hyperstep::devices
