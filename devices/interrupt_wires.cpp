#include "devices/interrupt_wires.hpp"

#include <cassert>

namespace hyperstep::devices {

class InterruptWires::Driver final : public InterruptLine {
public:
    Driver(InterruptWires& wires, unsigned line, unsigned index)
        : wires_{wires}, line_{line}, index_{index} {}
    void set(Level level) override { wires_.drive(line_, index_, level); }

private:
    InterruptWires& wires_;
    unsigned line_;
    unsigned index_;
};

InterruptWires::InterruptWires(PicPair& pic, IoApic& io_apic) : pic_{pic}, io_apic_{io_apic} {}
InterruptWires::~InterruptWires() = default;

InterruptLine& InterruptWires::connect(unsigned line) {
    assert(line < lines && drivers_of_[line] < most_drivers);
    drivers_.push_back(std::make_unique<Driver>(*this, line, drivers_of_[line]++));
    return *drivers_.back();
}

void InterruptWires::reset() {
    for (unsigned line = 0; line < lines; ++line)
        for (unsigned driver = 0; driver < drivers_of_[line]; ++driver)
            drive(line, driver, Level::deasserted);
}

namespace {

unsigned io_apic_input(unsigned line) {
    return line == 0 ? 2 : line;
}

}  // namespace

bool InterruptWires::is_heard(unsigned line) const {
    if (line == 2) return false;
    const bool by_pic = line < PicPair::lines && !pic_.is_masked(line);
    return by_pic || !io_apic_.state().table[io_apic_input(line)][RedirectionEntry::mask];
}

void InterruptWires::drive(unsigned line, unsigned driver, Level level) {
    std::uint8_t& drivers = state_.asserted_by[line];
    const bool was_asserted = drivers != 0;
    const auto bit = static_cast<std::uint8_t>(1U << driver);
    drivers = static_cast<std::uint8_t>(level == Level::asserted ? drivers | bit : drivers & ~bit);
    if (was_asserted == (drivers != 0) || line == 2) return;
    const Level now = level_if(drivers != 0);
    if (line < PicPair::lines) pic_.set_line(line, now);
    io_apic_.set_line(io_apic_input(line), now);
}

}  // namespace hyperstep::devices
