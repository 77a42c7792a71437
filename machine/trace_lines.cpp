#include "machine/trace_lines.hpp"

#include <array>
#include <fmt/format.h>
#include <iterator>
#include <span>

#include "base/trace_words.hpp"

namespace hyperstep::machine {
namespace {

using namespace trace_word;

constexpr std::array<std::string_view, 9> kind_names{
    "entry", "exit", "check", "walk", "inject", "io", "mmio", "msr", "retire"};

std::string_view name_of(TraceKind kind) {
    return kind_names[static_cast<std::size_t>(kind)];
}

/// Interruption types. SDM "Format of the VM-Entry Interruption-Information Field".
std::string_view type_name(std::uint64_t type) {
    static constexpr std::array<std::string_view, 8> names{"interrupt",
                                                           "reserved",
                                                           "nmi",
                                                           "exception",
                                                           "software interrupt",
                                                           "privileged software exception",
                                                           "software exception",
                                                           "other"};
    return names[type & 7];
}

/// How the members of a kind's line are called, and which of them are counts.
struct Member {
    std::size_t index;
    std::string_view name;
    enum class Form : std::uint8_t { word, count, truth } form = Form::word;
};
constexpr Member io_members[] = {{access::where, "port"},
                                 {access::bytes, "bytes", Member::Form::count},
                                 {access::is_write, "write", Member::Form::truth},
                                 {access::value, "value"}};
constexpr Member mmio_members[] = {{access::where, "gpa"},
                                   {access::bytes, "bytes", Member::Form::count},
                                   {access::is_write, "write", Member::Form::truth},
                                   {access::value, "value"}};
constexpr Member msr_members[] = {
    {access::where, "index"}, {access::is_write, "write", Member::Form::truth}, {access::value, "value"}};
constexpr Member inject_members[] = {{inject::vector, "vector", Member::Form::count},
                                     {inject::type, "type", Member::Form::count},
                                     {inject::error_code, "error_code"},
                                     {inject::rip, "rip"}};
constexpr Member retire_members[] = {{retire::cs_base, "cs_base"}, {retire::rip, "rip"}};

std::span<const Member> members_of(TraceKind kind) {
    switch (kind) {
        case TraceKind::io: return io_members;
        case TraceKind::mmio: return mmio_members;
        case TraceKind::msr: return msr_members;
        case TraceKind::inject: return inject_members;
        case TraceKind::retire: return retire_members;
        case TraceKind::entry:
        case TraceKind::exit:
        case TraceKind::check:
        case TraceKind::walk: break;
    }
    return {};
}

}  // namespace

std::string trace_line(const TraceEvent& event) {
    std::string line;
    const auto to = std::back_inserter(line);
    fmt::format_to(to,
                   R"({{"t":{},"cpu":{},"level":{},"ev":"{}")",
                   event.instructions,
                   event.vcpu,
                   event.level,
                   name_of(event.kind));
    for (const Member& member : members_of(event.kind)) {
        if (!event.has(member.index)) continue;
        const std::uint64_t value = event.words[member.index];
        switch (member.form) {
            case Member::Form::word: fmt::format_to(to, R"(,"{}":"{:#x}")", member.name, value); break;
            case Member::Form::count: fmt::format_to(to, R"(,"{}":{})", member.name, value); break;
            case Member::Form::truth: fmt::format_to(to, R"(,"{}":{})", member.name, value != 0); break;
        }
    }
    line += '}';
    return line;
}

std::string trace_text(const TraceEvent& event) {
    std::string line = fmt::format("after {} instructions, cpu {}: ", event.instructions, event.vcpu);
    const auto to = std::back_inserter(line);
    const auto& words = event.words;
    const bool writes = event.has(access::is_write) && words[access::is_write] != 0;
    switch (event.kind) {
        case TraceKind::io:
        case TraceKind::mmio:
        case TraceKind::msr:
            fmt::format_to(to,
                           "{} {} {:#x}: {:#x}",
                           name_of(event.kind),
                           writes ? "write" : "read",
                           words[access::where],
                           words[access::value]);
            break;
        case TraceKind::inject:
            fmt::format_to(to,
                           "{} {} at rip {:#x}",
                           type_name(words[inject::type]),
                           words[inject::vector],
                           words[inject::rip]);
            if (event.has(inject::error_code))
                fmt::format_to(to, ", error code {:#x}", words[inject::error_code]);
            break;
        default: line += name_of(event.kind); break;
    }
    return line;
}

void EventLog::receive(const TraceEvent& event) {
    if (writer_) writer_(trace_line(event));
    if (event.kind == TraceKind::retire) return;
    if (ring_.size() < kept) {
        ring_.push_back(event);
        return;
    }
    ring_[next_] = event;
    next_ = (next_ + 1) % kept;
}

std::vector<TraceEvent> EventLog::last() const {
    std::vector<TraceEvent> events(ring_.begin() + static_cast<std::ptrdiff_t>(next_), ring_.end());
    events.insert(events.end(), ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(next_));
    return events;
}

}  // namespace hyperstep::machine
