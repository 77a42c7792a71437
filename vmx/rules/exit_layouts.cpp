#include "vmx/rules/exit_layouts.hpp"

#include <algorithm>

namespace hyperstep::vmx {
namespace {

constexpr WordList general_registers{{0, "RAX"},
                                     {1, "RCX"},
                                     {2, "RDX"},
                                     {3, "RBX"},
                                     {4, "RSP"},
                                     {5, "RBP"},
                                     {6, "RSI"},
                                     {7, "RDI"},
                                     {8, "R8"},
                                     {9, "R9"},
                                     {10, "R10"},
                                     {11, "R11"},
                                     {12, "R12"},
                                     {13, "R13"},
                                     {14, "R14"},
                                     {15, "R15"}};
constexpr WordList segments{{0, "ES"}, {1, "CS"}, {2, "SS"}, {3, "DS"}, {4, "FS"}, {5, "GS"}};
constexpr WordList address_sizes{{0, "16 bits"}, {1, "32 bits"}, {2, "64 bits"}};
constexpr WordList scales{{0, "no scaling"}, {1, "times 2"}, {2, "times 4"}, {3, "times 8"}};

constexpr auto ranges = std::to_array<BitRange>({
#define LAYOUT(identifier, meaning)
#define BITS(layout, high, low, name, ...) {Layout::layout, high, low, name, WordList{__VA_ARGS__}},
#include "vmx/rules/exit_layouts.def"
#undef LAYOUT
#undef BITS
});

/// Ranges stand layout by layout, from low to high bits, without overlap.
constexpr bool in_order() {
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        const BitRange& before = ranges[i - 1];
        const BitRange& r = ranges[i];
        if (r.layout < before.layout || (r.layout == before.layout && r.low <= before.high)) return false;
    }
    return std::all_of(
        ranges.begin(), ranges.end(), [](const BitRange& r) { return r.low <= r.high && r.high < 64; });
}
static_assert(in_order());

constexpr const BitRange& range(Layout l, std::string_view name) {
    return *std::find_if(
        ranges.begin(), ranges.end(), [=](const BitRange& r) { return r.layout == l && r.name == name; });
}
static_assert(range(Layout::exit_reason, "VM-entry failure").low == 31);
static_assert(range(Layout::exit_reason, "enclave mode").low == 27);
static_assert(range(Layout::cr_access, "access type").get(0x310) == 1);
static_assert(range(Layout::cr_access, "general-purpose register").get(0x310) == 3);
static_assert(range(Layout::io, "port").get(0x03f8'0008) == 0x3f8);
static_assert(range(Layout::apic_access, "access type").get(0xa0b0) == 10);
static_assert(range(Layout::ept_violation, "final access").low == 8);
static_assert(range(Layout::vmread_vmwrite_operands, "base register").low == 23);
static_assert(range(Layout::msr_load_entry, "number of the entry, from 1").get(~0ULL) == ~0ULL);

/// Other bits of the word may leave a range without meaning.
bool is_defined(const BitRange& r, std::uint64_t word) {
    constexpr auto linear_address_valid = range(Layout::ept_violation, "guest linear address valid");
    constexpr auto final_access = range(Layout::ept_violation, "final access");
    if (r.layout == Layout::ept_violation && r.low >= 8 && r.low <= 11) {
        if (linear_address_valid.get(word) == 0) return false;
        return r.low == 8 || final_access.get(word) == 1;
    }
    if (r.layout == Layout::cr_access) {
        constexpr auto access = range(Layout::cr_access, "access type");
        const bool is_mov = access.get(word) < 2;
        const bool is_lmsw = access.get(word) == 3;
        if (r.low == 6 || r.low == 16) return is_lmsw;
        if (r.low == 8) return is_mov;
    }
    return true;
}

bool names_a_memory_operand(std::string_view name) {
    return name == "scale" || name == "segment" || name == "address size" ||
           name.starts_with("index register") || name.starts_with("base register");
}

bool is_set(std::span<const DecodedBits> parts, std::string_view name) {
    const DecodedBits* p = part(parts, name);
    return p != nullptr && p->value == 1;
}

/// Leaves out what does not exist: an operand in memory that is a register, a register that the address
/// lacks.
void drop_absent_operands(std::vector<DecodedBits>& parts) {
    const bool is_register = is_set(parts, "operand") || is_set(parts, "first operand");
    const DecodedBits* chosen =
        part(parts, "operand") != nullptr ? part(parts, "operand") : part(parts, "first operand");
    const bool is_memory = chosen != nullptr && chosen->value == 0;
    const bool no_index = is_set(parts, "index register invalid");
    const bool no_base = is_set(parts, "base register invalid");
    std::erase_if(parts, [&](const DecodedBits& p) {
        if (is_register && names_a_memory_operand(p.name)) return true;
        if (is_memory && p.name == "register 1") return true;
        if (no_index && (p.name == "index register" || p.name == "scale")) return true;
        return no_base && p.name == "base register";
    });
}

std::string_view words_of(const BitRange& r, std::uint64_t value) {
    if (r.words.size() == 0) return {};
    for (const ValueWords& w : r.words)
        if (w.value == value) return w.words;
    return "reserved";
}

}  // namespace

std::string_view meaning(Layout l) {
    constexpr auto meanings = std::to_array<std::string_view>({
#define LAYOUT(identifier, meaning) meaning,
#define BITS(layout, high, low, name, ...)
#include "vmx/rules/exit_layouts.def"
#undef LAYOUT
#undef BITS
    });
    return meanings.at(static_cast<std::size_t>(l));
}

std::span<const BitRange> ranges_of(Layout l) {
    const auto of_layout = [=](const BitRange& r) { return r.layout == l; };
    const auto first = std::find_if(ranges.begin(), ranges.end(), of_layout);
    return {first, std::find_if_not(first, ranges.end(), of_layout)};
}

std::vector<DecodedBits> decode(Layout l, std::uint64_t word) {
    std::vector<DecodedBits> parts;
    for (const BitRange& r : ranges_of(l)) {
        if (!is_defined(r, word)) continue;
        const std::uint64_t value = r.get(word);
        parts.push_back({r.name, r.high, r.low, value, words_of(r, value)});
    }
    drop_absent_operands(parts);
    return parts;
}

const DecodedBits* part(std::span<const DecodedBits> parts, std::string_view name) {
    const auto found =
        std::find_if(parts.begin(), parts.end(), [=](const DecodedBits& p) { return p.name == name; });
    return found == parts.end() ? nullptr : &*found;
}

}  // namespace hyperstep::vmx
