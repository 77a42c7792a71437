#include "devices/apic_bus.hpp"

#include "base/bits.hpp"
#include "devices/io_apic.hpp"
#include "devices/local_apic.hpp"

namespace hyperstep::devices {

void ApicBus::attach(LocalApic& apic) {
    local_.push_back(&apic);
}

void ApicBus::attach(IoApic& apic) {
    io_.push_back(&apic);
}

template <class Predicate>
bool ApicBus::deliver(const InterruptMessage& message, const Predicate& addressed) {
    if (message.delivery != DeliveryMode::lowest_priority) {
        bool taken = false;
        for (LocalApic* apic : local_)
            if (addressed(*apic)) taken |= apic->accept(message);
        return taken;
    }
    LocalApic* best = nullptr;
    for (LocalApic* apic : local_) {
        if (!apic->is_software_enabled() || !addressed(*apic)) continue;
        const auto rank = [](const LocalApic& one) { return std::pair{one.processor_priority(), one.id()}; };
        if (best == nullptr || rank(*apic) < rank(*best)) best = apic;
    }
    return best != nullptr && best->accept(message);
}

bool ApicBus::send(const InterruptMessage& message) {
    return deliver(message, [&](const LocalApic& apic) { return apic.is_addressed_by(message); });
}

void ApicBus::send_from(LocalApic& sender, Shorthand shorthand, const InterruptMessage& message) {
    switch (shorthand) {
        case Shorthand::none: send(message); break;
        case Shorthand::self: sender.accept(message); break;
        case Shorthand::all:
            deliver(message, [](const LocalApic& apic) { return apic.mode() != ApicMode::disabled; });
            break;
        case Shorthand::all_but_self:
            deliver(message, [&](const LocalApic& apic) {
                return &apic != &sender && apic.mode() != ApicMode::disabled;
            });
            break;
    }
}

namespace {

// SDM "Message Address Register Format", "Message Data Register Format".
using MsiDestination = Bits<19, 12>;
using MsiRedirectionHint = Bits<3>;
using MsiDestinationMode = Bits<2, 2, DestinationMode>;
using MsiTrigger = Bits<15, 15, TriggerMode>;
using MsiLevel = Bits<14>;
using MsiDelivery = Bits<10, 8, DeliveryMode>;

}  // namespace

bool ApicBus::send_msi(std::uint64_t address, std::uint32_t data) {
    InterruptMessage message;
    message.destination = static_cast<std::uint32_t>(MsiDestination::get(address));
    if (message.destination == 0xff) message.destination = InterruptMessage::everyone;
    // Without the redirection hint the destination is one APIC id, whatever the mode bit says.
    message.destination_mode =
        MsiRedirectionHint::get(address) ? MsiDestinationMode::get(address) : DestinationMode::physical;
    message.delivery = MsiDelivery::get(data);
    message.trigger = MsiTrigger::get(data);
    message.vector = static_cast<std::uint8_t>(data);
    if (message.trigger == TriggerMode::level && !MsiLevel::get(data)) return false;
    return send(message);
}

void ApicBus::end_of_interrupt(std::uint8_t vector) {
    for (IoApic* apic : io_) apic->end_of_interrupt(vector);
}

}  // namespace hyperstep::devices
