#pragma once
#include <cstdint>
#include <vector>

#include "devices/interrupt_line.hpp"

namespace hyperstep::devices {

class LocalApic;
class IoApic;

/// Bits 10:8 of an interrupt command, a redirection entry and a local vector. SDM "Interrupt Command Register
/// (ICR)".
enum class DeliveryMode : std::uint8_t {
    fixed = 0,
    lowest_priority = 1,
    smi = 2,
    reserved = 3,
    nmi = 4,
    init = 5,
    startup = 6,
    external = 7,  ///< ExtINT: the vector comes from the 8259A
    count
};
enum class DestinationMode : std::uint8_t { physical = 0, logical = 1, count };
enum class TriggerMode : std::uint8_t { edge = 0, level = 1, count };

/// One message between APICs.
struct InterruptMessage {
    /// The destination of every APIC in physical mode. Senders with 8-bit destinations give this for 0xff.
    static constexpr std::uint32_t everyone = 0xffff'ffff;

    /// An APIC id (physical), or a set of logical ids.
    std::uint32_t destination = 0;
    DestinationMode destination_mode = DestinationMode::physical;
    DeliveryMode delivery = DeliveryMode::fixed;
    TriggerMode trigger = TriggerMode::edge;
    std::uint8_t vector = 0;
};

/// Bits 19:18 of the ICR.
enum class Shorthand : std::uint8_t { none = 0, self = 1, all = 2, all_but_self = 3 };

/// What carries interrupt messages between local APICs and I/O APICs. A message arrives before send()
/// returns. SDM "Determining IPI Destination".
///
/// Model: lowest-priority delivery chooses, among the addressed APICs that are enabled by software, the one
/// whose processor priority (PPR) is lowest, and of several such the one with the lowest APIC id. Hardware
/// takes focus processors and the arbitration priority into account, or a chipset's own preference.
class ApicBus {
public:
    /// The order of attaching is the order in which a message to several arrives. Each outlives the bus.
    void attach(LocalApic& apic);
    void attach(IoApic& apic);

    /// Sends to whom the message addresses. False: nobody took it.
    bool send(const InterruptMessage& message);
    /// Sends an interprocessor interrupt. The message's destination counts only without a shorthand.
    void send_from(LocalApic& sender, Shorthand shorthand, const InterruptMessage& message);
    /// A write of 4 bytes to the message-signalled interrupt range: `address` is within 0xfeexxxxx.
    /// SDM "Message Signalled Interrupts".
    bool send_msi(std::uint64_t address, std::uint32_t data);
    /// A level-triggered interrupt is complete: every I/O APIC hears it.
    void end_of_interrupt(std::uint8_t vector);

private:
    /// To those of all local APICs for which `addressed` is true.
    template <class Predicate>
    bool deliver(const InterruptMessage& message, const Predicate& addressed);
    std::vector<LocalApic*> local_;
    std::vector<IoApic*> io_;
};

}  // namespace hyperstep::devices
