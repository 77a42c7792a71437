#pragma once
#include <cstdint>

namespace hyperstep::devices {

/// Whether a line is asserted. Model: a line has no electrical level; the polarity that a guest programs is
/// kept and read back, and taken to be the one that the line has.
enum class Level : std::uint8_t { deasserted, asserted, count };

constexpr Level level_if(bool asserted) {
    return asserted ? Level::asserted : Level::deasserted;
}

/// One wire from a device to whoever listens. Setting the level that it has is no event.
class InterruptLine {
public:
    InterruptLine() = default;
    InterruptLine(const InterruptLine&) = delete;
    InterruptLine& operator=(const InterruptLine&) = delete;
    virtual ~InterruptLine() = default;
    virtual void set(Level level) = 0;
    /// One edge: asserted, then deasserted.
    void pulse() {
        set(Level::asserted);
        set(Level::deasserted);
    }
};

/// Answers a processor's interrupt-acknowledge cycle: the 8259A pair.
class InterruptAcknowledge {
public:
    InterruptAcknowledge() = default;
    InterruptAcknowledge(const InterruptAcknowledge&) = delete;
    InterruptAcknowledge& operator=(const InterruptAcknowledge&) = delete;
    virtual ~InterruptAcknowledge() = default;
    /// The vector; the interrupt is in service from now on.
    virtual std::uint8_t acknowledge() = 0;
};

}  // namespace hyperstep::devices
