#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cpu/cpu.hpp"
#include "cpu/execute.hpp"

// A processor with RAM and nothing around it, for tests of instructions.
namespace hyperstep::cpu {

/// A board on which nothing happens by itself: ports read ones; a test puts an interrupt there.
class QuietBoard final : public Board {
public:
    std::uint32_t read_port(std::uint16_t /*port*/, unsigned bytes) override {
        return bytes >= 4 ? ~0U : (1U << (bytes * 8)) - 1;
    }
    void write_port(std::uint16_t /*port*/, unsigned /*bytes*/, std::uint32_t /*value*/) override {}
    bool interrupt_pending() override { return interrupt.has_value(); }
    std::uint8_t acknowledge_interrupt() override { return *std::exchange(interrupt, std::nullopt); }
    std::uint8_t task_priority_class() override { return task_priority; }
    void set_task_priority_class(std::uint8_t priority_class) override { task_priority = priority_class; }
    std::optional<std::uint64_t> read_apic_msr(std::uint32_t /*index*/) override { return std::nullopt; }
    bool write_apic_msr(std::uint32_t /*index*/, std::uint64_t /*value*/) override { return false; }
    std::uint64_t apic_base() override { return base_of_apic; }
    void signal_ferr() override { ferr = true; }
    void signal_shutdown() override { shutdown = true; }
    bool a20_enabled() override { return true; }

    std::optional<std::uint8_t> interrupt;  ///< the vector that waits
    std::uint64_t base_of_apic = 0xfee0'0900;
    std::uint8_t task_priority = 0;
    bool ferr = false;
    bool shutdown = false;
};

/// 16 MiB of RAM from 0, and a processor that can be put into each mode with flat segments.
class BareMachine {
public:
    static constexpr std::uint64_t ram_bytes = 16ULL << 20;
    static constexpr std::uint64_t code = 0x10'0000;   ///< where run_code() puts instructions
    static constexpr std::uint64_t data = 0x20'0000;   ///< free for data
    static constexpr std::uint64_t stack = 0x30'0000;  ///< RSP at first; the stack grows down from it
    static constexpr std::uint64_t tables =
        0x40'0000;  ///< paging structures of long mode: all RAM, identity-mapped

    explicit BareMachine(const Model& model = model_max());

    /// Flat segments of DPL `cpl`; long mode with 2 MiB pages that user mode may access.
    void enter_long_mode(unsigned cpl = 0);
    void enter_protected_32(unsigned cpl = 0);
    void enter_protected_16();
    /// Segments of base 0; code at `code` is reached through CS.base = code.
    void enter_real_mode();

    /// Puts bytes at a physical address.
    void put(std::uint64_t address, std::span<const std::uint8_t> bytes);
    void put(std::uint64_t address, std::initializer_list<std::uint8_t> bytes) {
        put(address, std::span{bytes.begin(), bytes.size()});
    }
    std::uint64_t get(std::uint64_t address, unsigned bytes) { return memory.read(Hpa{address}, bytes); }

    /// Puts one instruction at `code` and executes it.
    Outcome run_code(std::initializer_list<std::uint8_t> bytes);

    mmu::GuestMemory memory;
    Timeline time;
    QuietBoard board;
    exec::BlockCache<Op> blocks{memory};
    Cpu cpu;
};

}  // namespace hyperstep::cpu
