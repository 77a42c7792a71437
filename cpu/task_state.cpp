#include "cpu/task_state.hpp"

#include "cpu/access.hpp"

namespace hyperstep::cpu {
namespace {

/// Offsets of the fields. The general registers follow one another, as do the selectors.
struct Layout {
    std::uint8_t cr3, eip, eflags, gpr, selectors, ldtr, trap;
    std::uint8_t register_bytes;  ///< of EIP, EFLAGS, general registers, and the step between selectors
    std::uint8_t segments;
};
constexpr Layout layout_16{.cr3 = 0,
                           .eip = 14,
                           .eflags = 16,
                           .gpr = 18,
                           .selectors = 34,
                           .ldtr = 42,
                           .trap = 0,
                           .register_bytes = 2,
                           .segments = 4};
constexpr Layout layout_32{.cr3 = 28,
                           .eip = 32,
                           .eflags = 36,
                           .gpr = 40,
                           .selectors = 72,
                           .ldtr = 96,
                           .trap = 100,
                           .register_bytes = 4,
                           .segments = 6};

const Layout& layout_of(TssSize size) {
    return size == TssSize::bits_32 ? layout_32 : layout_16;
}

std::uint64_t at(std::uint64_t base, unsigned offset) {
    return (base + offset) & 0xffff'ffff;
}

/// Reads fields one after another; after the first fault the others are not read.
class Reader {
public:
    Reader(Cpu& cpu, std::uint64_t base) : cpu_{cpu}, base_{base} {}

    template <class T>
    T field(unsigned offset) {
        if (!outcome_) return T{};
        const auto value = load_system<T>(cpu_, at(base_, offset));
        if (value) return *value;
        outcome_ = tl::unexpected{value.error()};
        return T{};
    }
    std::uint32_t sized(unsigned offset, unsigned bytes) {
        return bytes == 4 ? field<std::uint32_t>(offset) : field<std::uint16_t>(offset);
    }
    const Outcome& outcome() const { return outcome_; }

private:
    Cpu& cpu_;
    std::uint64_t base_;
    Outcome outcome_;
};

Outcome write_sized_field(Cpu& cpu, std::uint64_t address, unsigned bytes, std::uint32_t value) {
    if (bytes == 4) return store_system(cpu, address, value);
    return store_system(cpu, address, static_cast<std::uint16_t>(value));
}

}  // namespace

TssSize tss_size(std::uint64_t type) {
    return (type & 8) != 0 ? TssSize::bits_32 : TssSize::bits_16;
}

std::uint32_t least_tss_limit(TssSize size) {
    return size == TssSize::bits_32 ? 0x67 : 0x2b;
}

Expected<TaskState> read_task_state(Cpu& cpu, std::uint64_t base, TssSize size) {
    const Layout& layout = layout_of(size);
    const unsigned bytes = layout.register_bytes;
    Reader reader{cpu, base};
    TaskState task;
    if (size == TssSize::bits_32) {
        task.cr3 = reader.field<std::uint32_t>(layout.cr3);
        task.traps = (reader.field<std::uint16_t>(layout.trap) & 1) != 0;
    }
    task.eip = reader.sized(layout.eip, bytes);
    task.eflags = reader.sized(layout.eflags, bytes);
    for (unsigned i = 0; i < task.gpr.size(); ++i) task.gpr[i] = reader.sized(layout.gpr + i * bytes, bytes);
    for (unsigned i = 0; i < layout.segments; ++i)
        task.selector[i] = reader.field<std::uint16_t>(layout.selectors + i * bytes);
    task.ldtr = reader.field<std::uint16_t>(layout.ldtr);
    if (!reader.outcome()) return tl::unexpected{reader.outcome().error()};
    return task;
}

Outcome probe_task_state(Cpu& cpu, std::uint64_t base, TssSize size) {
    const unsigned last = layout_of(size).ldtr + 1U;
    for (const unsigned offset : {0U, last}) {
        const auto place = translate(cpu, at(base, offset), 1, mmu::Access::write, Accessor::system);
        if (!place) return tl::unexpected{place.error()};
    }
    return {};
}

Outcome write_task_state(Cpu& cpu, std::uint64_t base, TssSize size, const TaskState& task) {
    const Layout& layout = layout_of(size);
    const unsigned bytes = layout.register_bytes;
    HS_TRY(write_sized_field(cpu, at(base, layout.eip), bytes, task.eip));
    HS_TRY(write_sized_field(cpu, at(base, layout.eflags), bytes, task.eflags));
    for (unsigned i = 0; i < task.gpr.size(); ++i)
        HS_TRY(write_sized_field(cpu, at(base, layout.gpr + i * bytes), bytes, task.gpr[i]));
    for (unsigned i = 0; i < layout.segments; ++i)
        HS_TRY(store_system(cpu, at(base, layout.selectors + i * bytes), task.selector[i]));
    return {};
}

}  // namespace hyperstep::cpu
