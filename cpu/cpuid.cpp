#include "cpu/cpuid.hpp"

#include <array>
#include <bit>
#include <cstring>

#include "cpu/control_registers.hpp"
#include "cpu/extended_state.hpp"

namespace hyperstep::cpu {
namespace {

enum OutputRegister : std::uint8_t { eax, ebx, ecx, edx };

struct FeatureBit {
    Feature feature;
    std::uint32_t leaf;
    std::uint32_t subleaf;
    OutputRegister reg;
    std::uint32_t bit;
};
constexpr FeatureBit feature_bits[] = {
#define FEATURE(identifier, leaf_, subleaf_, register_, bit_, what_) \
    {Feature::identifier, leaf_, subleaf_, register_, bit_},
#include "cpu/features.def"
#undef FEATURE
};

std::uint32_t& output(CpuidLeaf& leaf, OutputRegister reg) {
    switch (reg) {
        case eax: return leaf.eax;
        case ebx: return leaf.ebx;
        case ecx: return leaf.ecx;
        default: return leaf.edx;
    }
}

/// The bits of the features of cpu/features.def in this leaf.
CpuidLeaf features_in(const Model& model, std::uint32_t leaf, std::uint32_t subleaf) {
    CpuidLeaf result;
    for (const FeatureBit& each : feature_bits)
        if (each.leaf == leaf && each.subleaf == subleaf && model.has(each.feature))
            output(result, each.reg) |= 1U << each.bit;
    return result;
}

void set_bit(std::uint32_t& word, unsigned bit, bool value) {
    word = (word & ~(1U << bit)) | static_cast<std::uint32_t>(value) << bit;
}

/// Bits of an APIC ID that tell the processors of the package apart.
unsigned id_bits(const Cpu& cpu) {
    const std::uint32_t processors = cpu.topology.processors;
    return processors <= 1 ? 0 : static_cast<unsigned>(std::bit_width(processors - 1));
}

bool misc_enable_bit(const Cpu& cpu, unsigned bit) {
    return (cpu.state.msr.misc_enable >> bit & 1) != 0;
}
constexpr unsigned monitor_enabled = 18, limit_cpuid = 22, execute_disable_disabled = 34;

constexpr std::uint32_t greatest_basic_leaf = 0x16;
constexpr std::uint32_t greatest_extended_leaf = 0x8000'0008;

CpuidLeaf vendor_leaf(const Cpu& cpu) {
    CpuidLeaf result{.eax = misc_enable_bit(cpu, limit_cpuid) ? 2 : greatest_basic_leaf};
    std::array<char, 12> text{};
    std::memcpy(text.data(), cpu.model.vendor.data(), std::min(text.size(), cpu.model.vendor.size()));
    std::memcpy(&result.ebx, text.data(), 4);
    std::memcpy(&result.edx, text.data() + 4, 4);
    std::memcpy(&result.ecx, text.data() + 8, 4);
    return result;
}

CpuidLeaf version_leaf(Cpu& cpu) {
    constexpr unsigned osxsave = 27, monitor = 3, apic = 9, several_ids = 28;
    constexpr std::uint64_t apic_enabled = 1 << 11;
    CpuidLeaf result = features_in(cpu.model, 1, 0);
    result.eax = cpu.model.signature;
    result.ebx = cpu.number << 24 | (1U << id_bits(cpu)) << 16;
    if (cpu.model.has(Feature::clfsh)) result.ebx |= 64 / 8 << 8;
    set_bit(result.ecx, osxsave, cpu.cr4()[Cr4::osxsave]);
    if (!misc_enable_bit(cpu, monitor_enabled)) set_bit(result.ecx, monitor, false);
    if ((cpu.board.apic_base() & apic_enabled) == 0) set_bit(result.edx, apic, false);
    set_bit(result.edx, several_ids, cpu.topology.processors > 1);
    return result;
}

/// Descriptors: look at leaf 4 for the caches; TLBs of 64 entries of 4 KiB pages; prefetching of 64 bytes.
constexpr CpuidLeaf descriptor_leaf{.eax = 0x03b2'ff01, .ebx = 0xf0};

struct Cache {
    std::uint32_t type;  ///< 1 data, 2 instructions, 3 both
    std::uint32_t level, ways, sets;
    bool shared;  ///< by the package; otherwise of one core
};
/// Model: nothing is cached in fact; software sizes its buffers by these.
constexpr Cache caches[] = {
    {1, 1, 8, 64, false},
    {2, 1, 8, 64, false},
    {3, 2, 4, 1024, false},
    {3, 3, 16, 8192, true},
};

CpuidLeaf cache_leaf(const Cpu& cpu, std::uint32_t subleaf) {
    if (subleaf >= std::size(caches)) return {};
    const Cache& cache = caches[subleaf];
    constexpr std::uint32_t self_initializing = 1 << 8, line = 64, inclusive = 2;
    const std::uint32_t ids = (1U << id_bits(cpu)) - 1;
    return {.eax = cache.type | cache.level << 5 | self_initializing | (cache.shared ? ids << 14 : 0) |
                   std::min(ids, 63U) << 26,
            .ebx = (line - 1) | (cache.ways - 1) << 22,
            .ecx = cache.sets - 1,
            .edx = cache.shared ? inclusive : 0};
}

CpuidLeaf monitor_leaf(const Cpu& cpu) {
    if (!cpu.model.has(Feature::monitor)) return {};
    constexpr std::uint32_t line = 64, extensions = 1, interrupt_ends_wait = 2, one_c1_state = 1 << 4;
    return {.eax = line, .ebx = line, .ecx = extensions | interrupt_ends_wait, .edx = one_c1_state};
}

CpuidLeaf extended_feature_leaf(const Cpu& cpu, std::uint32_t subleaf) {
    if (subleaf != 0) return {};
    constexpr unsigned ospke = 4;
    CpuidLeaf result = features_in(cpu.model, 7, 0);
    set_bit(result.ecx, ospke, cpu.cr4()[Cr4::pke]);
    return result;
}

CpuidLeaf topology_leaf(const Cpu& cpu, std::uint32_t subleaf) {
    enum : std::uint32_t { thread = 1, core = 2 };
    CpuidLeaf result{.ecx = subleaf & 0xff, .edx = cpu.number};
    if (subleaf == 0) {
        result.ebx = 1;
        result.ecx |= thread << 8;
    } else if (subleaf == 1) {
        result.eax = id_bits(cpu);
        result.ebx = cpu.topology.processors & 0xffff;
        result.ecx |= core << 8;
    }
    return result;
}

CpuidLeaf extended_state_leaf(const Cpu& cpu, std::uint32_t subleaf) {
    const std::uint64_t user = xcr0_bits(cpu.model);
    if (user == 0) return {};
    if (subleaf == 0)
        return {.eax = static_cast<std::uint32_t>(user),
                .ebx = standard_size(cpu.state.xcr0),
                .ecx = standard_size(user)};
    if (subleaf == 1) {
        CpuidLeaf result = features_in(cpu.model, 0xd, 1);
        if (cpu.model.has(Feature::xsavec)) result.ebx = compacted_size(cpu.state.xcr0 | cpu.state.msr.xss);
        return result;
    }
    if (subleaf >= 63 || (user >> subleaf & 1) == 0) return {};
    const StateComponent component = state_component(subleaf);
    return {.eax = component.bytes, .ebx = component.offset};
}

/// The time-stamp counter is the crystal's clock, a count each nanosecond.
CpuidLeaf time_stamp_leaf() {
    return {.eax = 1, .ebx = 1, .ecx = static_cast<std::uint32_t>(Timeline::ticks_per_second)};
}
CpuidLeaf frequency_leaf() {
    constexpr std::uint32_t megahertz = Timeline::ticks_per_second / 1'000'000;
    return {.eax = megahertz, .ebx = megahertz, .ecx = 100};
}

CpuidLeaf extended_version_leaf(const Cpu& cpu) {
    constexpr unsigned syscall = 11, execute_disable = 20;
    CpuidLeaf result = features_in(cpu.model, 0x8000'0001, 0);
    if (cpu.mode != Mode::long_64) set_bit(result.edx, syscall, false);
    if (misc_enable_bit(cpu, execute_disable_disabled)) set_bit(result.edx, execute_disable, false);
    return result;
}

/// Sixteen of the 48 characters of the brand.
CpuidLeaf brand_leaf(const Model& model, std::uint32_t part) {
    std::array<char, 48> text{};
    std::memcpy(text.data(), model.brand.data(), std::min(text.size() - 1, model.brand.size()));
    CpuidLeaf result;
    std::memcpy(&result.eax, text.data() + 16 * part, 4);
    std::memcpy(&result.ebx, text.data() + 16 * part + 4, 4);
    std::memcpy(&result.ecx, text.data() + 16 * part + 8, 4);
    std::memcpy(&result.edx, text.data() + 16 * part + 12, 4);
    return result;
}

CpuidLeaf address_size_leaf(const Model& model) {
    CpuidLeaf result = features_in(model, 0x8000'0008, 0);
    result.eax = model.physical_width | static_cast<std::uint32_t>(model.linear_width) << 8;
    return result;
}

CpuidLeaf extended_leaf(const Cpu& cpu, std::uint32_t leaf) {
    constexpr std::uint32_t l2_256k_4_ways = 256U << 16 | 4U << 12 | 64, invariant_tsc = 1 << 8;
    switch (leaf & 0xff) {
        case 0: return {.eax = greatest_extended_leaf};
        case 1: return extended_version_leaf(cpu);
        case 2:
        case 3:
        case 4: return brand_leaf(cpu.model, leaf - 0x8000'0002);
        case 6: return {.ecx = l2_256k_4_ways};
        case 7: return {.edx = invariant_tsc};
        case 8: return address_size_leaf(cpu.model);
        default: return {};
    }
}

}  // namespace

CpuidLeaf cpuid(Cpu& cpu, std::uint32_t leaf, std::uint32_t subleaf) {
    constexpr std::uint32_t first_extended = 0x8000'0000;
    if (leaf >= first_extended && leaf <= greatest_extended_leaf) return extended_leaf(cpu, leaf);
    const std::uint32_t greatest = misc_enable_bit(cpu, limit_cpuid) ? 2 : greatest_basic_leaf;
    constexpr std::uint32_t apic_timer_always_runs = 1 << 2;
    switch (std::min(leaf, greatest)) {
        case 0x0: return vendor_leaf(cpu);
        case 0x1: return version_leaf(cpu);
        case 0x2: return descriptor_leaf;
        case 0x4: return cache_leaf(cpu, subleaf);
        case 0x5: return monitor_leaf(cpu);
        case 0x6: return {.eax = apic_timer_always_runs};
        case 0x7: return extended_feature_leaf(cpu, subleaf);
        case 0xb: return topology_leaf(cpu, subleaf);
        case 0xd: return extended_state_leaf(cpu, subleaf);
        case 0x15: return time_stamp_leaf();
        case 0x16: return frequency_leaf();
        default: return {};
    }
}

}  // namespace hyperstep::cpu
