#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/fields.hpp"
#include "devices/interrupt_line.hpp"
#include "devices/io_apic.hpp"
#include "devices/pic.hpp"

namespace hyperstep::devices {

/// How the board wires interrupt lines 0 to 23: 0 to 15 go to the 8259A pair and to the I/O APIC's input of
/// the same number, but line 0 to input 2, and line 2 (the cascade) nowhere; 16 to 23 only to the I/O APIC.
/// This is what the MADT's interrupt source override tells. A line is asserted while any of its drivers
/// asserts it.
class InterruptWires {
public:
    static constexpr unsigned lines = IoApic::lines;
    static constexpr unsigned most_drivers = 8;  ///< of one line

    struct State {
        std::array<std::uint8_t, lines> asserted_by{};  ///< a bit a driver, in the order of connecting
        auto visit(auto& archive) { return archive(field("asserted_by", asserted_by)); }
    };

    InterruptWires(PicPair& pic, IoApic& io_apic);
    ~InterruptWires();
    InterruptWires(const InterruptWires&) = delete;
    InterruptWires& operator=(const InterruptWires&) = delete;
    State& state() { return state_; }
    const State& state() const { return state_; }
    /// Every driver is deasserted, and so are the inputs of both controllers.
    void reset();
    /// Not both controllers mask the line: an assertion can interrupt a processor.
    bool is_heard(unsigned line) const;
    /// One more driver of `line` (below `lines`; at most most_drivers each); it lives as long as the wires.
    InterruptLine& connect(unsigned line);

private:
    class Driver;
    void drive(unsigned line, unsigned driver, Level level);
    State state_;
    PicPair& pic_;
    IoApic& io_apic_;
    std::array<unsigned, lines> drivers_of_{};
    std::vector<std::unique_ptr<Driver>> drivers_;
};

}  // namespace hyperstep::devices
