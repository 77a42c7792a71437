#pragma once
#include <cstdint>

#include "base/trace.hpp"

// What the words of trace events mean, by kind: for those who build them and those who render them.
namespace hyperstep::trace_word {

/// TraceKind::io: an IN or OUT. TraceKind::mmio: a device's registers in memory. TraceKind::msr: RDMSR,
/// WRMSR.
namespace access {
enum Index : std::uint8_t {
    where,     ///< port, physical address, index of the MSR
    bytes,     ///< 1, 2, 4, 8
    is_write,  ///< 0, 1
    value
};
}  // namespace access

/// TraceKind::inject: an event that goes through the interrupt table.
namespace inject {
enum Index : std::uint8_t {
    vector,
    type,        ///< interruption type, as in the VM-entry interruption-information field
    error_code,  ///< if the event has one
    rip          ///< of the instruction that was interrupted or faulted
};
}  // namespace inject

/// TraceKind::retire: an instruction.
namespace retire {
enum Index : std::uint8_t { cs_base, rip };
}  // namespace retire

enum class AccessKind : std::uint8_t { read, write };

inline TraceEvent access_event(TraceKind kind,
                               std::uint64_t instructions,
                               std::uint32_t vcpu,
                               AccessKind what,
                               std::uint64_t where,
                               unsigned bytes,
                               std::uint64_t value) {
    TraceEvent event{.instructions = instructions, .vcpu = vcpu, .kind = kind};
    event.word(access::where, where).word(access::bytes, bytes);
    event.word(access::is_write, what == AccessKind::write ? 1 : 0).word(access::value, value);
    return event;
}

}  // namespace hyperstep::trace_word
