#pragma once
#include <array>
#include <cstdint>

#include "base/fields.hpp"
#include "devices/bus.hpp"
#include "devices/interrupt_line.hpp"

namespace hyperstep::devices {

/// One 8259A. 8259A data sheet.
struct Pic8259 {
    enum class Initialization : std::uint8_t { done, expects_icw2, expects_icw3, expects_icw4, count };

    std::uint8_t request = 0;          ///< IRR
    std::uint8_t in_service = 0;       ///< ISR
    std::uint8_t mask = 0;             ///< IMR
    std::uint8_t levels = 0;           ///< of the inputs
    std::uint8_t level_triggered = 0;  ///< ELCR
    std::uint8_t lowest_priority = 7;  ///< the input at the bottom of the rotation
    std::uint8_t vector_base = 0;      ///< ICW2 bits 7:3
    bool expects_icw3 = false;         ///< ICW1: not single
    Initialization initialization = Initialization::done;
    bool needs_icw4 = false;
    bool auto_eoi = false;              ///< ICW4 AEOI
    bool rotate_on_auto_eoi = false;    ///< OCW2
    bool special_fully_nested = false;  ///< ICW4 SFNM
    bool special_mask = false;          ///< OCW3
    bool poll = false;                  ///< OCW3 P: the next read polls
    bool reads_in_service = false;      ///< OCW3 RIS

    auto visit(auto& archive) {
        return archive(field("request", request),
                       field("in_service", in_service),
                       field("mask", mask),
                       field("levels", levels),
                       field("level_triggered", level_triggered),
                       field("lowest_priority", lowest_priority),
                       field("vector_base", vector_base),
                       field("expects_icw3", expects_icw3),
                       field("initialization", initialization),
                       field("needs_icw4", needs_icw4),
                       field("auto_eoi", auto_eoi),
                       field("rotate_on_auto_eoi", rotate_on_auto_eoi),
                       field("special_fully_nested", special_fully_nested),
                       field("special_mask", special_mask),
                       field("poll", poll),
                       field("reads_in_service", reads_in_service));
    }
};

/// The two cascaded 8259A of a PC (inputs 0 to 7, and 8 to 15 through input 2), and the edge/level control
/// registers. Registers: 0, 1 master (ports 0x20, 0x21); 2, 3 slave (0xa0, 0xa1); 4, 5 ELCR (0x4d0, 0x4d1).
/// Model: the controllers are in 8086 mode whatever ICW4 says; MCS-80 calls, and buffered mode, have no
/// meaning on a PC.
class PicPair final : public PortDevice, public InterruptAcknowledge {
public:
    static constexpr unsigned lines = 16;
    /// Inputs that ELCR cannot make level-triggered: timer, keyboard, cascade; RTC, coprocessor.
    static constexpr std::uint8_t always_edge_master = 0x07;
    static constexpr std::uint8_t always_edge_slave = 0x21;

    struct State {
        Pic8259 master;
        Pic8259 slave;
        auto visit(auto& archive) { return archive(field("master", master), field("slave", slave)); }
    };

    /// `output` is INTR.
    explicit PicPair(InterruptLine& output);
    State& state() { return state_; }
    const State& state() const { return state_; }
    /// After power-up: nothing requested, nothing masked, edges. The inputs keep their levels.
    void reset();

    /// `line` is below `lines`; 2 is the cascade and has no input of its own.
    void set_line(unsigned line, Level level);
    /// The mask register keeps a request of `line` from INTR; for the slave's lines, that of the cascade too.
    bool is_masked(unsigned line) const;
    /// INTR is asserted.
    bool has_interrupt() const;
    /// Both acknowledge cycles. A request that has gone gives input 7 of its controller, and nothing is in
    /// service (the master's input 2 is, if it was the slave's). 8259A "Interrupt Sequence".
    std::uint8_t acknowledge() override;

    std::string_view name() const override { return "PIC"; }
    std::uint32_t read(std::uint16_t offset, IoWidth width) override;
    void write(std::uint16_t offset, IoWidth width, std::uint32_t value) override;

private:
    void update();
    State state_;
    InterruptLine& output_;
};

}  // namespace hyperstep::devices
