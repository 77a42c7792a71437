#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "devices/apic_bus.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"

namespace hyperstep::devices {

/// An entry of the redirection table. 82093AA "IOREDTBL[23:0]".
struct RedirectionEntry : Register<RedirectionEntry> {
    static constexpr Bits<7, 0> vector{};
    static constexpr Bits<10, 8, DeliveryMode> delivery{};
    static constexpr Bits<11, 11, DestinationMode> destination_mode{};
    static constexpr Bits<12> delivery_status{};
    static constexpr Bits<13> active_low{};
    static constexpr Bits<14> remote_irr{};
    static constexpr Bits<15, 15, TriggerMode> trigger{};
    static constexpr Bits<16> mask{};
    static constexpr Bits<63, 56> destination{};
};

/// The I/O APIC: 24 lines. 82093AA, with the EOI register of version 0x20 (ICH "EOI Register").
/// Model: an edge on a masked line is lost (82093AA "Interrupt Mask"); a level-triggered message that nobody
/// takes is tried again at the next change of the line or its entry.
class IoApic final : public MemoryDevice {
public:
    static constexpr unsigned lines = 24;
    static constexpr std::uint64_t default_address = 0xfec0'0000;

    struct State {
        std::uint32_t select = 0;
        std::uint32_t id = 0;  ///< bits 27:24
        std::array<RedirectionEntry, lines> table{};
        std::array<Level, lines> levels{};
        auto visit(auto& archive) {
            return archive(
                field("select", select), field("id", id), field("table", table), field("levels", levels));
        }
    };

    /// Attaches itself to the bus.
    explicit IoApic(ApicBus& bus);
    State& state() { return state_; }
    const State& state() const { return state_; }
    /// All lines masked. The lines keep their levels.
    void reset();

    /// `line` is below `lines`.
    void set_line(unsigned line, Level level);
    /// A local APIC completed a level-triggered interrupt of this vector, or the EOI register was written. A
    /// line that is still asserted is delivered again.
    void end_of_interrupt(std::uint8_t vector);

    std::string_view name() const override { return "I/O APIC"; }
    std::uint64_t size() const override { return 0x1000; }
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override;
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;

private:
    std::uint32_t read_register() const;
    void write_register(std::uint32_t value);
    void write_entry(unsigned line, unsigned half, std::uint32_t value);
    /// Sends a level-triggered line's interrupt if it is due.
    void service(unsigned line);
    bool send(const RedirectionEntry& entry);

    State state_;
    ApicBus& bus_;
};

}  // namespace hyperstep::devices
