#include "cpu/msrs.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/trace_words.hpp"
#include "cpu/control_registers.hpp"

namespace hyperstep::cpu {
namespace {

/// One row of cpu/msrs.def.
struct Register {
    std::uint32_t index = 0;
    Feature feature = Feature::always;
    Expected<std::uint64_t> (*read)(Cpu&) = nullptr;
    Outcome (*write)(Cpu&, std::uint64_t) = nullptr;
};

/// Which values a register takes, of those that have only writable bits.
namespace rule {
/// SDM "Memory Types That Can Be Encoded With PAT": each byte.
constexpr bool is_pat_type(std::uint64_t type) {
    return type <= 7 && type != 2 && type != 3;
}
/// SDM "Memory Types That Can Be Encoded in MTRRs".
constexpr bool is_mtrr_type(std::uint64_t type) {
    return type <= 6 && type != 2 && type != 3;
}
template <class Allowed>
bool each_byte(std::uint64_t value, Allowed allowed) {
    for (unsigned i = 0; i < 8; ++i)
        if (!allowed(value >> (8 * i) & 0xff)) return false;
    return true;
}
bool any(const Cpu& /*cpu*/, std::uint64_t /*value*/) {
    return true;
}
bool canonical(const Cpu& cpu, std::uint64_t value) {
    return is_canonical(cpu, value);
}
bool pat_types(const Cpu& /*cpu*/, std::uint64_t value) {
    return each_byte(value, is_pat_type);
}
bool mtrr_types(const Cpu& /*cpu*/, std::uint64_t value) {
    return each_byte(value, is_mtrr_type);
}
bool mtrr_default(const Cpu& /*cpu*/, std::uint64_t value) {
    return is_mtrr_type(value & 0xff);
}
bool mtrr_base(const Cpu& cpu, std::uint64_t value) {
    return is_mtrr_type(value & 0xff) && (value & 0xf00) == 0 && value >> cpu.model.physical_width == 0;
}
bool mtrr_mask(const Cpu& cpu, std::uint64_t value) {
    return (value & 0x7ff) == 0 && value >> cpu.model.physical_width == 0;
}
}  // namespace rule

Outcome refuse_write(Cpu& /*cpu*/, std::uint64_t /*value*/) {
    return general_protection();
}

// ---- registers that are more than a word ------------------------------------------------------------------

Expected<std::uint64_t> read_time_stamp_counter_msr(Cpu& cpu) {
    return read_time_stamp_counter(cpu);
}
/// SDM "IA32_TSC_ADJUST MSR": a write to the counter changes the adjustment by the same amount.
Outcome write_time_stamp_counter_msr(Cpu& cpu, std::uint64_t value) {
    const std::uint64_t offset = value - cpu.time.now;
    cpu.state.msr.tsc_adjust += offset - cpu.state.msr.tsc_offset;
    cpu.state.msr.tsc_offset = offset;
    cpu.board.set_time_stamp_offset(offset);
    return {};
}
Expected<std::uint64_t> read_tsc_adjust_msr(Cpu& cpu) {
    return cpu.state.msr.tsc_adjust;
}
Outcome write_tsc_adjust_msr(Cpu& cpu, std::uint64_t value) {
    cpu.state.msr.tsc_offset += value - cpu.state.msr.tsc_adjust;
    cpu.state.msr.tsc_adjust = value;
    cpu.board.set_time_stamp_offset(cpu.state.msr.tsc_offset);
    return {};
}

constexpr std::uint64_t feature_control_lock = 1;
constexpr std::uint64_t vmx_outside_smx = 4;
Expected<std::uint64_t> read_feature_control_msr(Cpu& cpu) {
    return cpu.state.msr.feature_control;
}
Outcome write_feature_control_msr(Cpu& cpu, std::uint64_t value) {
    if ((cpu.state.msr.feature_control & feature_control_lock) != 0) return general_protection();
    if ((value & ~(feature_control_lock | vmx_outside_smx)) != 0) return general_protection();
    cpu.state.msr.feature_control = value;
    return {};
}

/// Model: an update of the microcode is taken and changes nothing; the revision stays 1.
Expected<std::uint64_t> read_microcode_trigger_msr(Cpu& /*cpu*/) {
    return general_protection();
}
Outcome write_microcode_trigger_msr(Cpu& /*cpu*/, std::uint64_t /*value*/) {
    return {};
}
Expected<std::uint64_t> read_microcode_revision_msr(Cpu& /*cpu*/) {
    return 1ULL << 32;
}
Outcome write_microcode_revision_msr(Cpu& /*cpu*/, std::uint64_t /*value*/) {
    return {};
}

/// The ratio at which the time-stamp counter runs, in units of 100 MHz.
Expected<std::uint64_t> read_platform_info_msr(Cpu& /*cpu*/) {
    return Timeline::ticks_per_second / 100'000'000 << 8;
}
constexpr auto write_platform_info_msr = refuse_write;

namespace misc_enable {
constexpr std::uint64_t fast_strings = 1ULL << 0;
constexpr std::uint64_t no_branch_trace = 1ULL << 11;  ///< read-only
constexpr std::uint64_t no_pebs = 1ULL << 12;          ///< read-only
constexpr std::uint64_t monitor = 1ULL << 18;
constexpr std::uint64_t limit_cpuid = 1ULL << 22;
constexpr std::uint64_t xd_disable = 1ULL << 34;
}  // namespace misc_enable

Expected<std::uint64_t> read_misc_enable_msr(Cpu& cpu) {
    const std::uint64_t monitor = cpu.model.has(Feature::monitor) ? misc_enable::monitor : 0;
    return (cpu.state.msr.misc_enable & ~misc_enable::monitor) | (cpu.state.msr.misc_enable & monitor) |
           misc_enable::no_branch_trace | misc_enable::no_pebs;
}
Outcome write_misc_enable_msr(Cpu& cpu, std::uint64_t value) {
    std::uint64_t writable = misc_enable::fast_strings | misc_enable::limit_cpuid;
    if (cpu.model.has(Feature::monitor)) writable |= misc_enable::monitor;
    if (cpu.model.has(Feature::nx)) writable |= misc_enable::xd_disable;
    value &= ~(misc_enable::no_branch_trace | misc_enable::no_pebs);
    if ((value & ~writable) != 0) return general_protection();
    // As long as pages may be execute-disabled, the ability cannot be taken away.
    if ((value & misc_enable::xd_disable) != 0 && cpu.efer()[Efer::nxe]) return general_protection();
    cpu.state.msr.misc_enable = value;
    return {};
}

Expected<std::uint64_t> read_efer_msr(Cpu& cpu) {
    return cpu.state.msr.efer;
}
Outcome write_efer_msr(Cpu& cpu, std::uint64_t value) {
    return write_efer(cpu, value);
}

template <SegmentName name>
Expected<std::uint64_t> read_segment_base(Cpu& cpu) {
    return cpu.state.segment[name].base;
}
template <SegmentName name>
Outcome write_segment_base(Cpu& cpu, std::uint64_t value) {
    if (!is_canonical(cpu, value)) return general_protection();
    cpu.state.segment[name].base = value;
    refresh(cpu);
    return {};
}
constexpr auto read_fs_base_msr = read_segment_base<fs>;
constexpr auto write_fs_base_msr = write_segment_base<fs>;
constexpr auto read_gs_base_msr = read_segment_base<gs>;
constexpr auto write_gs_base_msr = write_segment_base<gs>;

// ---- the table --------------------------------------------------------------------------------------------

constexpr Register registers[] = {
#define STORED(index_, name_, feature_, member_, writable_, rule_)                              \
    {index_,                                                                                    \
     Feature::feature_,                                                                         \
     [](Cpu& cpu) -> Expected<std::uint64_t> { return cpu.state.msr.member_; },                 \
     [](Cpu& cpu, std::uint64_t value) -> Outcome {                                             \
         if ((value & ~static_cast<std::uint64_t>(writable_)) != 0 || !rule::rule_(cpu, value)) \
             return general_protection();                                                       \
         cpu.state.msr.member_ = value;                                                         \
         refresh(cpu);                                                                          \
         return {};                                                                             \
     }},
#define CONSTANT(index_, name_, feature_, value_) \
    {index_, Feature::feature_, [](Cpu&) -> Expected<std::uint64_t> { return value_; }, refuse_write},
#define COMPUTED(index_, name_, feature_, id_) \
    {index_, Feature::feature_, read_##id_##_msr, write_##id_##_msr},
#include "cpu/msrs.def"
#undef STORED
#undef CONSTANT
#undef COMPUTED
};

constexpr MsrName names[] = {
#define STORED(index_, name_, feature_, member_, writable_, rule_) {index_, name_, Feature::feature_},
#define CONSTANT(index_, name_, feature_, value_)                  {index_, name_, Feature::feature_},
#define COMPUTED(index_, name_, feature_, id_)                     {index_, name_, Feature::feature_},
#include "cpu/msrs.def"
#undef STORED
#undef CONSTANT
#undef COMPUTED
};

constexpr bool in_order() {
    for (std::size_t i = 1; i < std::size(registers); ++i)
        if (registers[i - 1].index >= registers[i].index) return false;
    return true;
}
static_assert(in_order(), "cpu/msrs.def is sorted by index");

const Register* find_register(const Model& model, std::uint32_t index) {
    const auto* found = std::lower_bound(
        std::begin(registers), std::end(registers), index, [](const Register& each, std::uint32_t wanted) {
            return each.index < wanted;
        });
    if (found == std::end(registers) || found->index != index || !model.has(found->feature)) return nullptr;
    return found;
}

/// Whether the local APIC answers for the register.
bool belongs_to_apic(const Model& model, std::uint32_t index) {
    constexpr std::uint32_t apic_base = 0x1b, tsc_deadline = 0x6e0;
    if (!model.has(Feature::apic)) return false;
    if (index == apic_base) return true;
    if (index == tsc_deadline) return model.has(Feature::tsc_deadline);
    return index >= 0x800 && index <= 0x8ff && model.has(Feature::x2apic);
}

Expected<std::uint64_t> read_register(Cpu& cpu, std::uint32_t index) {
    if (belongs_to_apic(cpu.model, index)) {
        const auto value = cpu.board.read_apic_msr(index);
        if (!value) return general_protection();
        return *value;
    }
    const Register* found = find_register(cpu.model, index);
    if (found == nullptr) return general_protection();
    return found->read(cpu);
}

Outcome write_register(Cpu& cpu, std::uint32_t index, std::uint64_t value) {
    if (belongs_to_apic(cpu.model, index)) {
        if (!cpu.board.write_apic_msr(index, value)) return general_protection();
        look_at_boundary(cpu);
        return {};
    }
    const Register* found = find_register(cpu.model, index);
    if (found == nullptr) return general_protection();
    return found->write(cpu, value);
}

TraceEvent trace_of(const Cpu& cpu, trace_word::AccessKind what, std::uint32_t index, std::uint64_t value) {
    return trace_word::access_event(
        TraceKind::msr, cpu.time.retired, cpu.number, what, index, sizeof value, value);
}

}  // namespace

std::uint64_t read_time_stamp_counter(Cpu& cpu) {
    const std::uint64_t real = cpu.time.now + cpu.state.msr.tsc_offset;
    return cpu.intercepts == nullptr ? real : cpu.intercepts->tsc_as_read(cpu, real);
}

Expected<std::uint64_t> read_msr(Cpu& cpu, std::uint32_t index) {
    const auto value = read_register(cpu, index);
    if (value) cpu.trace.report([&] { return trace_of(cpu, trace_word::AccessKind::read, index, *value); });
    return value;
}

Outcome write_msr(Cpu& cpu, std::uint32_t index, std::uint64_t value) {
    const Outcome outcome = write_register(cpu, index, value);
    if (outcome) cpu.trace.report([&] { return trace_of(cpu, trace_word::AccessKind::write, index, value); });
    return outcome;
}

std::span<const MsrName> msr_names() {
    return names;
}

}  // namespace hyperstep::cpu
