#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/archive.hpp"

// States to archive: every kind of field that there is.
namespace hyperstep::archive_test {

enum class Mode : std::uint8_t { real, guarded, paged, count };

struct Flags : Register<Flags> {};

struct Timer {
    std::uint32_t count = 0;
    bool armed = false;
    auto visit(auto& archive) { return archive(field("count", count), field("armed", armed)); }
    friend bool operator==(const Timer&, const Timer&) = default;
};

struct MachineState {
    std::uint64_t rip = 0;
    std::int16_t delta = 0;
    bool halted = false;
    Mode mode = Mode::real;
    Flags flags{};
    Gpa root{};
    std::array<std::uint16_t, 2> selectors{};
    std::array<Timer, 2> timers{};
    std::vector<std::uint8_t> page;
    std::vector<std::uint32_t> words;
    std::vector<Timer> queue;
    std::string name;
    std::optional<Timer> pending;

    auto visit(auto& archive) {
        return archive(field("rip", rip),
                       field("delta", delta),
                       field("halted", halted),
                       field("mode", mode),
                       field("flags", flags),
                       field("root", root),
                       field("selectors", selectors),
                       field("timers", timers),
                       field("page", at_most<8>(page)),
                       field("words", at_most<4>(words)),
                       field("queue", at_most<3>(queue)),
                       field("name", at_most<16>(name)),
                       field("pending", pending));
    }
    friend bool operator==(const MachineState&, const MachineState&) = default;
};

inline MachineState busy_state() {
    MachineState s;
    s.rip = 0x0123'4567'89ab'cdef;
    s.delta = -2;
    s.halted = true;
    s.mode = Mode::paged;
    s.flags.raw = 0x202;
    s.root = Gpa{0x1000};
    s.selectors = {0x10, 0x18};
    s.timers = {Timer{7, true}, Timer{9, false}};
    s.page = {1, 2, 3};
    s.words = {0xdead'beef};
    s.queue = {Timer{1, true}, Timer{2, false}};
    s.name = "vcpu";
    s.pending = Timer{5, true};
    return s;
}

}  // namespace hyperstep::archive_test
