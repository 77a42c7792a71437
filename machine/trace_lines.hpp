#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/trace.hpp"

namespace hyperstep::machine {

/// One event as a line of the trace format, without its end: {"t":12,"cpu":0,"level":0,"ev":"io",...}.
std::string trace_line(const TraceEvent& event);
/// The same for people: "12 cpu 0: out 0x3f8, 0x41 (1 byte)".
std::string trace_text(const TraceEvent& event);

/// Keeps the last events of a run, and hands lines on to whoever writes a trace.
class EventLog final : public TraceSink {
public:
    static constexpr std::size_t kept = 16;
    using Writer = std::function<void(std::string_view line)>;

    /// `writer` may be empty.
    explicit EventLog(Writer writer) : writer_{std::move(writer)} {}
    void receive(const TraceEvent& event) override;
    /// The last events but for retired instructions, oldest first.
    std::vector<TraceEvent> last() const;

private:
    Writer writer_;
    std::vector<TraceEvent> ring_;
    std::size_t next_ = 0;  ///< of a full ring: the oldest
};

}  // namespace hyperstep::machine
