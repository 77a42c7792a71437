#pragma once
#include <cstdint>

#include "base/timeline.hpp"

namespace hyperstep::devices {

/// A device that does something when time has passed, without being accessed. It counts lazily: between
/// deadlines nothing runs, and what a guest reads is computed from Timeline::now.
///
/// A device whose deadline comes nearer while a processor runs says so with Timeline::stop_no_later_than().
/// However far time jumps, advance_to() takes a bounded number of steps: periods that went by unseen are
/// lost, as on hardware whose interrupt was not taken in time.
class TimedDevice {
public:
    TimedDevice() = default;
    TimedDevice(const TimedDevice&) = delete;
    TimedDevice& operator=(const TimedDevice&) = delete;
    virtual ~TimedDevice() = default;
    /// The tick at which advance_to() has an effect that somebody could see without accessing the device;
    /// Timeline::never if there is none. It is later than the tick that the device was last advanced to.
    virtual std::uint64_t next_deadline() const = 0;
    /// Everything that is due at or before tick `now`, which is Timeline::now, has happened.
    virtual void advance_to(std::uint64_t now) = 0;
};

}  // namespace hyperstep::devices
