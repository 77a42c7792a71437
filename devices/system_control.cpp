#include "devices/system_control.hpp"

namespace hyperstep::devices {

void A20Gate::reset() {
    state_ = {};
    signals_.set_a20(level());
}

Level A20Gate::level() const {
    return level_if(state_.sources[0] == Level::asserted || state_.sources[1] == Level::asserted);
}

void A20Gate::set(Source source, Level level_of_source) {
    const Level before = level();
    state_.sources[static_cast<std::size_t>(source)] = level_of_source;
    if (level() != before) signals_.set_a20(level());
}

std::uint32_t SystemControlA::read(std::uint16_t /*offset*/, IoWidth /*width*/) {
    return state_.value;
}

void SystemControlA::write(std::uint16_t /*offset*/, IoWidth /*width*/, std::uint32_t value) {
    const bool initializes = (value & 1U) != 0 && (state_.value & 1U) == 0;
    state_.value = value & 3U;
    a20_.set(A20Gate::Source::port_92, level_if((value & 2U) != 0));
    if (initializes) signals_.soft_reset();
}

}  // namespace hyperstep::devices
