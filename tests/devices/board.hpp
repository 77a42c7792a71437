#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/archive.hpp"
#include "devices/chipset.hpp"

// A board to test devices on: whoever listens only takes notes.
namespace hyperstep::devices_test {

using namespace devices;

inline constexpr std::uint64_t microsecond = 1'000;
inline constexpr std::uint64_t millisecond = 1'000'000;
inline constexpr std::uint64_t second = 1'000'000'000;

/// Remembers its level and how often it rose.
class NotedLine final : public InterruptLine {
public:
    void set(Level level) override {
        if (level == Level::asserted && level_ == Level::deasserted) ++rises;
        level_ = level;
    }
    bool is_high() const { return level_ == Level::asserted; }
    unsigned rises = 0;

private:
    Level level_ = Level::deasserted;
};

class NotedProcessor final : public ProcessorLines {
public:
    void interrupt_request_changed() override { ++changes; }
    void nmi() override { seen += "nmi "; }
    void smi() override { seen += "smi "; }
    void init() override { seen += "init "; }
    void startup(std::uint8_t vector) override { seen += "startup:" + std::to_string(vector) + " "; }
    unsigned changes = 0;
    std::string seen;
};

class NotedSignals final : public MachineSignals {
public:
    void hard_reset() override { seen += "hard_reset "; }
    void soft_reset() override { seen += "soft_reset "; }
    void power_off() override { seen += "power_off "; }
    void suspend_to_ram() override { seen += "suspend "; }
    void wake() override { seen += "wake "; }
    void debug_exit(std::uint32_t code) override { seen += "exit:" + std::to_string(code) + " "; }
    void set_a20(Level level) override { seen += level == Level::asserted ? "a20:on " : "a20:off "; }
    void software_smi(std::uint8_t command) override { seen += "smi:" + std::to_string(command) + " "; }
    void flush_page(std::uint64_t address) override { seen += "flush:" + std::to_string(address) + " "; }
    /// What was seen since the last call.
    std::string take() { return std::exchange(seen, {}); }
    std::string seen;
};

/// A chipset with processors that take notes.
class Board {
public:
    explicit Board(std::size_t count = 1, ChipsetConfiguration configuration = {}) : processors(count) {
        if (!configuration.serial) configuration.serial = [this](char c) { serial += c; };
        if (!configuration.debug_console) configuration.debug_console = [this](char c) { console += c; };
        std::vector<ProcessorLines*> lines;
        for (NotedProcessor& processor : processors) lines.push_back(&processor);
        chipset = std::make_unique<Chipset>(configuration, timeline, signals, lines);
        signals.take();
    }

    std::uint8_t in(std::uint16_t port) {
        return static_cast<std::uint8_t>(chipset->ports.read(port, IoWidth::byte));
    }
    void out(std::uint16_t port, unsigned value) { chipset->ports.write(port, IoWidth::byte, value); }
    /// Time passes as in a machine: it stops at every deadline.
    void pass(std::uint64_t ticks) {
        const std::uint64_t end = timeline.now + ticks;
        while (true) {
            const std::uint64_t deadline = chipset->next_deadline();
            timeline.now = deadline < end ? deadline : end;
            chipset->advance_to(timeline.now);
            if (timeline.now == end) return;
        }
    }
    LocalApic& apic(std::size_t index = 0) { return chipset->local_apic(index); }
    std::uint32_t apic_read(std::uint64_t offset, std::size_t index = 0) {
        return static_cast<std::uint32_t>(apic(index).read(offset, 4));
    }
    void apic_write(std::uint64_t offset, std::uint32_t value, std::size_t index = 0) {
        apic(index).write(offset, 4, value);
    }

    Timeline timeline;
    NotedSignals signals;
    std::vector<NotedProcessor> processors;
    std::string serial;
    std::string console;
    std::unique_ptr<Chipset> chipset;
};

}  // namespace hyperstep::devices_test
