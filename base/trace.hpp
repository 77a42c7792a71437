#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace hyperstep {

/// What happened. The printed names are those of the trace format.
enum class TraceKind : std::uint8_t { entry, exit, check, walk, inject, io, mmio, msr, retire };

/// One event of a run: numbers only; words are added by whoever renders it.
struct TraceEvent {
    /// Most words that an event carries.
    static constexpr std::size_t most_words = 12;

    std::uint64_t instructions = 0;  ///< retired by all vCPUs before it
    std::uint32_t vcpu = 0;
    std::uint8_t level = 0;  ///< of the guest: 0 is not a guest, 1 and 2 are nested
    TraceKind kind = TraceKind::retire;
    /// Bit i: words[i] is valid. What a word means depends on the kind.
    std::uint16_t valid = 0;
    std::array<std::uint64_t, most_words> words{};

    /// The event with one more valid word. `index` is below most_words.
    constexpr TraceEvent& word(std::size_t index, std::uint64_t value) {
        words[index] = value;
        valid = static_cast<std::uint16_t>(valid | 1U << index);
        return *this;
    }
    constexpr bool has(std::size_t index) const { return (valid >> index & 1U) != 0; }
    friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

/// Takes the events of a run, in order.
class TraceSink {
public:
    TraceSink() = default;
    TraceSink(const TraceSink&) = delete;
    TraceSink& operator=(const TraceSink&) = delete;
    virtual ~TraceSink() = default;
    virtual void receive(const TraceEvent& event) = 0;
};

/// Where the parts of a machine report. By default nobody listens, and then no event is built.
class Trace {
public:
    Trace() = default;
    /// `sink` must outlive this object; null: nobody listens.
    explicit Trace(TraceSink* sink) : sink_{sink} {}

    bool heard() const { return sink_ != nullptr; }
    /// Reports build(). Without a listener `build` is not called.
    template <std::invocable Build>
    requires std::convertible_to < std::invoke_result_t<Build>,
    const TraceEvent& > void report(Build&& build) const {
        if (sink_ != nullptr) [[unlikely]]
            sink_->receive(std::forward<Build>(build)());
    }

private:
    TraceSink* sink_ = nullptr;
};

}  // namespace hyperstep
