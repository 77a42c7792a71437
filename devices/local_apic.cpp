#include "devices/local_apic.hpp"

#include <bit>

namespace hyperstep::devices {
namespace {

// SDM "Local Vector Table".
using LvtVector = Bits<7, 0>;
using LvtDelivery = Bits<10, 8, DeliveryMode>;
using LvtRemoteIrr = Bits<14>;
using LvtTrigger = Bits<15, 15, TriggerMode>;
using LvtMask = Bits<16>;
// SDM "Spurious-Interrupt Vector Register".
using SoftwareEnable = Bits<8>;
// SDM "Error Status Register (ESR)".
constexpr std::uint32_t send_illegal_vector = 1U << 5;
constexpr std::uint32_t received_illegal_vector = 1U << 6;
// SDM "Valid Interrupt Vectors".
constexpr unsigned first_legal_vector = 16;

using Set = std::array<std::uint32_t, 8>;

bool contains(const Set& set, unsigned vector) {
    return (set[vector / 32] >> (vector % 32) & 1U) != 0;
}
void insert(Set& set, unsigned vector) {
    set[vector / 32] |= 1U << (vector % 32);
}
void erase(Set& set, unsigned vector) {
    set[vector / 32] &= ~(1U << (vector % 32));
}
int highest(const Set& set) {
    for (int word = 7; word >= 0; --word)
        if (const std::uint32_t bits = set[static_cast<std::size_t>(word)]; bits != 0)
            return word * 32 + 31 - std::countl_zero(bits);
    return -1;
}

}  // namespace

LocalApic::LocalApic(const LocalApicModel& model,
                     Timeline& timeline,
                     ApicBus& bus,
                     ProcessorLines& processor,
                     InterruptAcknowledge& controller)
    : model_{model}, timeline_{timeline}, bus_{bus}, processor_{processor}, controller_{controller} {
    power_up();
    bus_.attach(*this);
}

ApicMode LocalApic::mode() const {
    if (!state_.base[ApicBase::global_enable]) return ApicMode::disabled;
    return state_.base[ApicBase::x2apic_enable] ? ApicMode::x2apic : ApicMode::xapic;
}

std::uint32_t LocalApic::id() const {
    return mode() == ApicMode::x2apic ? model_.id : model_.id & 0xffU;
}

// SDM "Local APIC State After Power-Up or Reset".
void LocalApic::clear_registers() {
    const State before = state_;
    state_ = {};
    state_.base = before.base;
    state_.pins = before.pins;
    state_.tsc_offset = before.tsc_offset;
    state_.destination_format = 0xffff'ffff;
    state_.spurious = 0xff;
    state_.local_vectors.fill(static_cast<std::uint32_t>(LvtMask::mask));
}

void LocalApic::reset() {
    power_up();
    changed();
}

void LocalApic::power_up() {
    clear_registers();
    const bool is_bootstrap = model_.role == LocalApicModel::Role::bootstrap;
    state_.base = ApicBase{{ApicBase::default_address}}
                      .with(ApicBase::global_enable, true)
                      .with(ApicBase::bootstrap_processor, is_bootstrap);
}

void LocalApic::init() {
    clear_registers();
    changed();
}

void LocalApic::set_virtual_wire_mode() {
    write_spurious(static_cast<std::uint32_t>(SoftwareEnable::mask) | 0xff);
    write_local_vector(lvt_lint0, static_cast<std::uint32_t>(LvtDelivery::put(0, DeliveryMode::external)));
    write_local_vector(lvt_lint1, static_cast<std::uint32_t>(LvtDelivery::put(0, DeliveryMode::nmi)));
}

void LocalApic::changed() {
    timeline_.stop_no_later_than(next_deadline());
    processor_.interrupt_request_changed();
}

// ---- the processor's side ---------------------------------------------------------------------------------

int LocalApic::highest_request() const {
    return highest(state_.request);
}

// SDM "Task and Processor Priorities".
std::uint32_t LocalApic::processor_priority() const {
    const int serving = highest(state_.in_service);
    const std::uint32_t in_service_class = serving < 0 ? 0 : static_cast<std::uint32_t>(serving) & 0xf0U;
    const std::uint32_t task = state_.task_priority;
    return (task & 0xf0U) >= in_service_class ? task : in_service_class;
}

bool LocalApic::external_waits() const {
    const bool is_disabled = mode() == ApicMode::disabled;
    if (is_disabled) return pin(lvt_lint0) == Level::asserted;
    if (state_.external_requested) return true;
    for (const Lvt source : {lvt_lint0, lvt_lint1}) {
        const std::uint32_t entry = state_.local_vectors[source];
        if (pin(source) == Level::asserted && !LvtMask::get(entry) &&
            LvtDelivery::get(entry) == DeliveryMode::external)
            return true;
    }
    return false;
}

bool LocalApic::has_interrupt() const {
    if (external_waits()) return true;
    const int vector = highest_request();
    return vector >= 0 && static_cast<std::uint32_t>(vector) >> 4U > processor_priority() >> 4U;
}

std::uint8_t LocalApic::acknowledge() {
    settle();
    if (external_waits()) {
        state_.external_requested = false;
        const std::uint8_t vector = controller_.acknowledge();
        changed();
        return vector;
    }
    if (!has_interrupt()) return static_cast<std::uint8_t>(state_.spurious);
    const auto vector = static_cast<std::uint8_t>(highest_request());
    erase(state_.request, vector);
    insert(state_.in_service, vector);
    changed();
    return vector;
}

void LocalApic::set_cr8(std::uint64_t value) {
    set_task_priority(static_cast<std::uint32_t>(value & 0xfU) << 4U);
}

void LocalApic::set_task_priority(std::uint32_t value) {
    state_.task_priority = value & 0xffU;
    changed();
}

// SDM "Signaling Interrupt Servicing Completion".
void LocalApic::end_of_interrupt() {
    const int serving = highest(state_.in_service);
    if (serving < 0) return;
    const auto vector = static_cast<std::uint8_t>(serving);
    erase(state_.in_service, vector);
    if (contains(state_.trigger_mode, vector)) {
        const bool suppressed = (state_.spurious & 1U << 12U) != 0;
        if (!suppressed) bus_.end_of_interrupt(vector);
        for (const Lvt source : {lvt_lint0, lvt_lint1}) {
            std::uint32_t& entry = state_.local_vectors[source];
            if (!LvtRemoteIrr::get(entry) || LvtVector::get(entry) != vector) continue;
            entry = static_cast<std::uint32_t>(LvtRemoteIrr::put(entry, false));
            serve_level(source);
        }
    }
    changed();
}

// ---- the bus's side ---------------------------------------------------------------------------------------

bool LocalApic::is_software_enabled() const {
    return mode() != ApicMode::disabled && SoftwareEnable::get(state_.spurious);
}

// SDM "Logical x2APIC ID".
std::uint32_t LocalApic::logical_destination() const {
    if (mode() != ApicMode::x2apic) return state_.logical_destination;
    return (model_.id >> 4U) << 16U | 1U << (model_.id & 0xfU);
}

bool LocalApic::is_addressed_by(const InterruptMessage& message) const {
    if (mode() == ApicMode::disabled) return false;
    const std::uint32_t destination = message.destination;
    if (destination == InterruptMessage::everyone) return true;
    if (message.destination_mode == DestinationMode::physical) return destination == id();
    if (mode() == ApicMode::x2apic) {
        const std::uint32_t own = logical_destination();
        return destination >> 16U == own >> 16U && (destination & own & 0xffffU) != 0;
    }
    const std::uint32_t own = state_.logical_destination >> 24U;
    switch (state_.destination_format >> 28U) {
        case 0xf: return (destination & own) != 0;                                           // flat
        case 0x0: return destination >> 4U == own >> 4U && (destination & own & 0xfU) != 0;  // cluster
        default: return false;
    }
}

bool LocalApic::accept(const InterruptMessage& message) {
    if (mode() == ApicMode::disabled) return false;
    switch (message.delivery) {
        case DeliveryMode::fixed:
        case DeliveryMode::lowest_priority:
            if (!is_software_enabled()) return false;
            if (message.vector < first_legal_vector) {
                report_error(received_illegal_vector);
                return false;
            }
            request(message.vector, message.trigger);
            return true;
        case DeliveryMode::smi: processor_.smi(); return true;
        case DeliveryMode::nmi: processor_.nmi(); return true;
        case DeliveryMode::init: processor_.init(); return true;
        case DeliveryMode::startup: processor_.startup(message.vector); return true;
        case DeliveryMode::external:
            state_.external_requested = true;
            changed();
            return true;
        case DeliveryMode::reserved:
        case DeliveryMode::count: break;
    }
    return false;
}

// SDM "Interrupt Acceptance for Fixed Interrupts".
void LocalApic::request(std::uint8_t vector, TriggerMode trigger) {
    settle();  // an expiration that lies before comes first
    insert(state_.request, vector);
    if (trigger == TriggerMode::level)
        insert(state_.trigger_mode, vector);
    else
        erase(state_.trigger_mode, vector);
    changed();
}

// SDM "Error Handling". An error that is known already interrupts no more: that also ends the chain of an
// error vector that is itself illegal.
void LocalApic::report_error(std::uint32_t bit) {
    if ((state_.errors_found & bit) != 0) return;
    state_.errors_found |= bit;
    deliver_local(lvt_error);
}

void LocalApic::write_error_status() {
    state_.error_status = state_.errors_found;
    state_.errors_found = 0;
}

// SDM "Interrupt Command Register (ICR)".
void LocalApic::send_command() {
    const std::uint64_t command = state_.interrupt_command;
    const auto shorthand = Bits<19, 18, Shorthand>::get(command);
    const auto trigger = Bits<15, 15, TriggerMode>::get(command);
    const bool asserts = Bits<14>::get(command);
    InterruptMessage message;
    message.delivery = Bits<10, 8, DeliveryMode>::get(command);
    message.destination_mode = Bits<11, 11, DestinationMode>::get(command);
    message.vector = static_cast<std::uint8_t>(command);
    message.destination = static_cast<std::uint32_t>(command >> 32U);
    if (mode() == ApicMode::xapic) {
        message.destination >>= 24U;
        if (message.destination == 0xff) message.destination = InterruptMessage::everyone;
    }
    switch (message.delivery) {
        case DeliveryMode::fixed:
        case DeliveryMode::lowest_priority:
            if (message.vector < first_legal_vector) return report_error(send_illegal_vector);
            break;
        case DeliveryMode::init:
            // The level de-assert sets arbitration ids, which nothing shows.
            if (trigger == TriggerMode::level && !asserts) return;
            break;
        case DeliveryMode::reserved:
        case DeliveryMode::external: return;
        default: break;
    }
    bus_.send_from(*this, shorthand, message);
}

// ---- local interrupts -------------------------------------------------------------------------------------

void LocalApic::raise_local(Lvt source) {
    if (mode() == ApicMode::disabled) return;
    deliver_local(source);
}

bool LocalApic::is_level_triggered(Lvt source) const {
    const std::uint32_t entry = state_.local_vectors[source];
    return (source == lvt_lint0 || source == lvt_lint1) && LvtDelivery::get(entry) == DeliveryMode::fixed &&
           LvtTrigger::get(entry) == TriggerMode::level;
}

void LocalApic::deliver_local(Lvt source) {
    std::uint32_t& entry = state_.local_vectors[source];
    if (LvtMask::get(entry)) return;
    const auto vector = static_cast<std::uint8_t>(entry);
    switch (LvtDelivery::get(entry)) {
        case DeliveryMode::fixed:
            if (vector < first_legal_vector) return report_error(received_illegal_vector);
            if (is_level_triggered(source)) {
                entry = static_cast<std::uint32_t>(LvtRemoteIrr::put(entry, true));
                return request(vector, TriggerMode::level);
            }
            return request(vector, TriggerMode::edge);
        case DeliveryMode::smi: return processor_.smi();
        case DeliveryMode::nmi: return processor_.nmi();
        case DeliveryMode::init: return processor_.init();
        default: return;  // ExtINT follows the level of its pin; the rest is reserved
    }
}

void LocalApic::serve_level(Lvt source) {
    const bool due = is_level_triggered(source) && pin(source) == Level::asserted &&
                     !LvtRemoteIrr::get(state_.local_vectors[source]);
    if (due) deliver_local(source);
}

void LocalApic::set_pin(Lvt source, Level level) {
    Level& pin_level = state_.pins[source - lvt_lint0];
    if (pin_level == level) return;
    pin_level = level;
    const bool rises = level == Level::asserted;
    if (mode() == ApicMode::disabled) {
        if (rises && source == lvt_lint1) processor_.nmi();
    } else if (is_level_triggered(source)) {
        serve_level(source);
    } else if (rises) {
        deliver_local(source);
    }
    changed();
}

void LocalApic::set_lint0(Level level) {
    set_pin(lvt_lint0, level);
}

void LocalApic::set_lint1(Level level) {
    set_pin(lvt_lint1, level);
}

}  // namespace hyperstep::devices
