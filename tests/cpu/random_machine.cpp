#include "tests/cpu/random_machine.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "base/archive.hpp"
#include "cpu/signals.hpp"
#include "tests/cpu/random_state.hpp"

namespace hyperstep::cpu {
namespace {

std::uint64_t scrambled(std::uint64_t& seed) {
    seed += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t value = seed;
    value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
    value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
    return value ^ value >> 31;
}

/// Ports and registers read as numbers that only the run decides; a write may reach memory, as a device's
/// would.
class RandomBoard final : public Board {
public:
    RandomBoard(mmu::GuestMemory& memory, std::uint64_t seed) : memory_{memory}, seed_{seed} {}
    std::uint32_t read_port(std::uint16_t port, unsigned bytes) override {
        const std::uint64_t value = scrambled(seed_) ^ port;
        return static_cast<std::uint32_t>(bytes >= 4 ? value : value & ((1ULL << (bytes * 8)) - 1));
    }
    void write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) override {
        if ((port & 3) == 0) memory_.write(Hpa{scrambled(seed_) % RandomMachine::ram_bytes}, bytes, value);
    }
    bool interrupt_pending() override { return interrupt.has_value(); }
    std::uint8_t acknowledge_interrupt() override { return *std::exchange(interrupt, std::nullopt); }
    std::uint8_t task_priority_class() override { return task_priority_; }
    void set_task_priority_class(std::uint8_t priority_class) override { task_priority_ = priority_class; }
    std::optional<std::uint64_t> read_apic_msr(std::uint32_t index) override {
        if (index % 2 != 0) return std::nullopt;
        return scrambled(seed_);
    }
    bool write_apic_msr(std::uint32_t index, std::uint64_t /*value*/) override { return index % 2 == 0; }
    std::uint64_t apic_base() override { return 0xfee0'0900; }
    void signal_ferr() override {}
    void signal_shutdown() override {}
    bool a20_enabled() override { return true; }

    std::optional<std::uint8_t> interrupt;

private:
    mmu::GuestMemory& memory_;
    std::uint64_t seed_;
    std::uint8_t task_priority_ = 0;
};

class RandomRegisters final : public mmu::MmioRegion {
public:
    std::uint64_t read(std::uint64_t offset, unsigned bytes) override {
        const std::uint64_t value = scrambled(seed) ^ offset;
        return bytes == 8 ? value : value & ((1ULL << (bytes * 8)) - 1);
    }
    void write(std::uint64_t offset, unsigned bytes, std::uint64_t value) override {
        is_misused = is_misused || offset + bytes > 4096;
        seed ^= value;
    }
    std::uint64_t seed = 0;
    bool is_misused = false;
};

/// A hypervisor that intervenes whenever its numbers say so.
class RandomIntercepts final : public Intercepts {
public:
    explicit RandomIntercepts(std::uint64_t seed) : seed_{seed} {}
    Verdict instruction(Cpu& /*cpu*/,
                        InterceptPoint /*point*/,
                        const InterceptDetails& /*details*/) override {
        return verdict();
    }
    Verdict event(Cpu& /*cpu*/, const Event& /*event*/, const Event* /*original*/) override {
        return verdict();
    }
    Verdict signal(Cpu& /*cpu*/, Signal /*signal*/) override { return verdict(); }
    Verdict task_switch(Cpu& /*cpu*/, TaskSwitchSource /*source*/, std::uint16_t /*selector*/) override {
        return verdict();
    }
    Verdict triple_fault(Cpu& /*cpu*/, const Event& /*original*/) override { return verdict(); }
    std::uint64_t cr0_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real ^ (seed_ & 0xf); }
    std::uint64_t cr4_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real ^ (seed_ & 0xf0); }
    std::uint64_t cr0_as_written(Cpu& /*cpu*/, std::uint64_t source) override { return source; }
    std::uint64_t cr4_as_written(Cpu& /*cpu*/, std::uint64_t source) override { return source; }
    std::uint64_t tsc_as_read(Cpu& /*cpu*/, std::uint64_t real) override { return real * 3; }

private:
    Verdict verdict() { return scrambled(seed_) % 4 == 0 ? Verdict::intervene : Verdict::proceed; }
    std::uint64_t seed_;
};

/// The host's own floating-point units are as every C++ program expects them.
bool host_is_untouched() {
    std::uint32_t mxcsr = 0;
    std::array<std::uint32_t, 7> environment{};
    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    asm volatile("fnstenv (%0)\n\tfldenv (%0)" : : "r"(environment.data()) : "memory");
    return (mxcsr & 0xffc0) == 0x1f80 && (environment[0] & 0x1f3f) == 0x33f &&
           (environment[2] & 0xffff) == 0xffff;
}

/// Everything that refresh() derives, without the numbers of contexts, which mean nothing by themselves.
auto derived_of(const Cpu& cpu) {
    return std::tuple{cpu.mode,
                      cpu.cpl,
                      cpu.code_bytes,
                      cpu.stack_bytes,
                      cpu.quick_base,
                      cpu.quick_rights,
                      cpu.linear_mask,
                      cpu.paging,
                      cpu.quick_context,
                      cpu.data_context,
                      cpu.fetch_context,
                      cpu.inner_stack_context,
                      cpu.system_context};
}

/// What is not as it must be in every state that a processor can reach.
std::string flaw_of(Cpu& cpu) {
    const State& state = cpu.state;
    const auto before = derived_of(cpu);
    refresh(cpu);
    if (derived_of(cpu) != before) return "derived values are out of date";
    if ((state.rflags & ~0x3f'7fd7ULL) != 0 || (state.rflags & 2) == 0) return "reserved bits of RFLAGS";
    if ((state.rip & ~cpu.linear_mask) != 0) return "RIP has too many bits";
    const Cr0 cr0 = cpu.cr0();
    if (cr0[Cr0::pg] && !cr0[Cr0::pe]) return "CR0.PG without CR0.PE";
    if (cpu.efer()[Efer::lma] != (cpu.efer()[Efer::lme] && cr0[Cr0::pg])) return "IA32_EFER.LMA";
    if (cpu.efer()[Efer::lma] && !cpu.cr4()[Cr4::pae]) return "IA-32e mode without CR4.PAE";
    if ((state.mxcsr & ~0xffffU) != 0) return "reserved bits of MXCSR";
    if ((state.fpu.control & 0xe0c0) != 0x40) return "reserved bits of the x87 control word";
    const bool pending = (state.fpu.status & ~state.fpu.control & 0x3f) != 0;
    if (((state.fpu.status & 0x8080) == 0x8080) != pending) return "ES and B of the x87 status word";
    if ((state.xcr0 & 1) == 0) return "XCR0.x87";
    return {};
}

}  // namespace

Numbers::Numbers(std::span<const std::uint8_t> bytes) : bytes_{bytes} {
    for (const std::uint8_t byte : bytes) {
        seed_ ^= byte;
        (void)scrambled(seed_);
        seed_ = (seed_ << 7 | seed_ >> 57) + byte;
    }
}

std::uint64_t Numbers::take(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) {
        if (bytes_.empty()) return value | scrambled(seed_) >> (64 - 8 * (bytes - i)) << (8 * i);
        value |= std::uint64_t{bytes_.front()} << (8 * i);
        bytes_ = bytes_.subspan(1);
    }
    return value;
}

struct RandomMachine::Parts {
    std::vector<std::byte> ram = std::vector<std::byte>(ram_bytes);
    std::vector<std::byte> tables = std::vector<std::byte>(ram_bytes);  ///< the RAM as each run finds it
    RandomRegisters device;
    mmu::GuestMemory memory;
    Timeline time;
    exec::BlockCache<Op> blocks{memory};
};

RandomMachine::RandomMachine() : parts_{std::make_unique<Parts>()} {
    Parts& parts = *parts_;
    put_tables(Ram{parts.tables});
    const std::vector<std::byte> code(4096, std::byte{0x90});
    // Lent, so that a sanitizer sees its end.
    if (!parts.memory.lend_ram(Hpa{0}, parts.ram) || !parts.memory.add_rom(Hpa{rom}, code) ||
        !parts.memory.add_mmio(Hpa{registers}, 4096, parts.device))
        parts_.reset();
}

RandomMachine::~RandomMachine() = default;

namespace {

/// One time that the processor is left alone, and what then happens to it.
struct Span {
    std::uint64_t ticks = 0;
    std::uint8_t event = 0;
    std::uint64_t number = 0;
};

std::vector<Span> spans_of(Numbers& numbers) {
    std::vector<Span> spans(1 + numbers.below(6));
    for (Span& span : spans) {
        span.ticks = 1 + numbers.below(80);
        span.event = static_cast<std::uint8_t>(numbers.take(1));
        span.number = numbers.take(4);
    }
    return spans;
}

void happen(Cpu& cpu, RandomBoard& board, const Span& span) {
    switch (span.event % 16) {
        case 0: raise_nmi(cpu); break;
        case 1: raise_init(cpu); break;
        case 2: raise_sipi(cpu, static_cast<std::uint8_t>(span.number % 0x18)); break;
        case 3:
        case 4:
        case 5:
            board.interrupt = static_cast<std::uint8_t>(16 + span.number % 240);
            notice_interrupt(cpu);
            break;
        case 6:
        case 7: cpu.memory.write(Hpa{span.number % RandomMachine::ram_bytes}, 4, span.number); break;
        case 8: {
            const std::array<std::byte, 3> bytes{std::byte{0x40}, std::byte{0x66}, std::byte{0x0f}};
            (void)cpu.memory.write_bytes(Hpa{span.number % (RandomMachine::ram_bytes - 3)}, bytes);
            break;
        }
        default: break;
    }
}

/// Runs up to `until`. False: there is nothing more to run.
bool run_until(Cpu& cpu, std::uint64_t until, const Engine& engine, Trail& trail) {
    while (cpu.time.now < until) {
        const std::uint64_t left = until - cpu.time.now;
        cpu.time.stop_at = cpu.time.now + (left < engine.slice ? left : engine.slice);
        const exec::Stop stop = run(cpu);
        if (cpu.time.now > cpu.time.stop_at) trail.complaint = "virtual time ran beyond the stop";
        if (stop == exec::Stop::budget) continue;
        trail.stops.push_back(stop);
        if (stop == exec::Stop::shutdown || stop == exec::Stop::unimplemented) return false;
        if (stop == exec::Stop::waiting) {
            cpu.time.now = until;
        } else {
            // The hypervisor skips a byte and goes on.
            cpu.state.rip = (cpu.state.rip + 1) & cpu.linear_mask;
            ++cpu.time.now;
        }
    }
    return true;
}

}  // namespace

void RandomMachine::run(std::span<const std::uint8_t> input, const Engine& engine, Trail& trail) {
    Parts& parts = *parts_;
    Numbers numbers{input};
    parts.time = {};
    parts.device.seed = 0;
    // Between the runs nobody has a copy of anything.
    parts.blocks.clear();
    parts.ram.assign(parts.tables.begin(), parts.tables.end());
    const State state = random_state(numbers, Ram{parts.ram});
    RandomBoard board{parts.memory, numbers.take(8)};
    RandomIntercepts hypervisor{numbers.take(8)};
    Cpu cpu{{.memory = parts.memory,
             .time = parts.time,
             .board = board,
             .blocks = parts.blocks,
             .model = model_max()},
            0};
    cpu.use_blocks = engine.use_blocks;
    cpu.use_tlb = engine.use_tlb;
    cpu.state = state;
    if (numbers.one_in(4)) cpu.intercepts = &hypervisor;
    refresh(cpu);
    trail.stops.clear();
    trail.complaint.clear();
    for (const Span& span : spans_of(numbers)) {
        const bool goes_on = run_until(cpu, cpu.time.now + span.ticks, engine, trail);
        if (trail.complaint.empty()) trail.complaint = flaw_of(cpu);
        if (!goes_on || !trail.complaint.empty()) break;
        happen(cpu, board, span);
    }
    if (parts.device.is_misused) trail.complaint = "an access beyond the registers of a device";
    if (!host_is_untouched()) trail.complaint = "the host's floating-point state is changed";
    trail.state = cpu.state;
    trail.now = parts.time.now;
    trail.ram.assign(parts.ram.begin(), parts.ram.end());
    trail.decoded = cpu.decoded;
}

std::string difference(const Trail& left, const Trail& right) {
    std::string text;
    for (const auto& each : differences(left.state, right.state))
        text += each.path + ": " + each.left + " / " + each.right + "\n";
    if (left.now != right.now) text += "virtual time\n";
    if (left.stops != right.stops) text += "reasons to stop\n";
    if (std::memcmp(left.ram.data(), right.ram.data(), left.ram.size()) == 0) return text;
    const auto place = std::mismatch(left.ram.begin(), left.ram.end(), right.ram.begin()).first;
    return text + "memory from " + std::to_string(place - left.ram.begin()) + " on\n";
}

}  // namespace hyperstep::cpu
