#include "vmx/rules/exit_reasons.hpp"

#include <algorithm>
#include <array>

#include "vmx/rules/registers.hpp"

namespace hyperstep::vmx {
namespace {

using enum Slot;

constexpr auto reasons = std::to_array<ExitReasonInfo>({
#define FIELDS(...) \
    ReadSet {       \
        __VA_ARGS__ \
    }
#define EXIT_REASON(number, short_name, name, kind, qualification, information, valid, maybe, when) \
    {number,                                                                                        \
     #short_name,                                                                                   \
     name,                                                                                          \
     ExitKind::kind,                                                                                \
     Layout::qualification,                                                                         \
     Layout::information,                                                                           \
     valid,                                                                                         \
     maybe,                                                                                         \
     when},
#include "vmx/rules/exit_reasons.def"
#undef EXIT_REASON
#undef FIELDS
});

static_assert(std::is_sorted(reasons.begin(),
                             reasons.end(),
                             [](const ExitReasonInfo& a, const ExitReasonInfo& b) {
                                 return a.number < b.number;
                             }));
static_assert(reasons.size() == 80);

consteval const ExitReasonInfo& row(std::uint16_t number) {
    return *std::find_if(
        reasons.begin(), reasons.end(), [=](const ExitReasonInfo& r) { return r.number == number; });
}
static_assert(row(10).short_name == "cpuid");
static_assert(row(28).qualification == Layout::cr_access);
static_assert(row(33).kind == ExitKind::entry_failure);
static_assert(row(43).short_name == "tpr_below_threshold");
static_assert(row(48).qualification == Layout::ept_violation);
static_assert(row(55).short_name == "xsetbv");
static_assert(row(64).short_name == "xrstors");
static_assert(row(74).short_name == "bus_lock");
static_assert(row(85).qualification == Layout::msr_index);

constexpr std::uint64_t debug_exception_vector = 1;
constexpr std::uint64_t page_fault_vector = 14;

}  // namespace

std::span<const ExitReasonInfo> all_exit_reasons() {
    return reasons;
}

const ExitReasonInfo* find_exit_reason(std::uint32_t number) {
    const auto found = std::lower_bound(
        reasons.begin(), reasons.end(), number, [](const ExitReasonInfo& r, std::uint32_t n) {
            return r.number < n;
        });
    return found != reasons.end() && found->number == number ? &*found : nullptr;
}

const ExitReasonInfo* find_exit_reason(std::string_view short_name) {
    for (const ExitReasonInfo& r : reasons)
        if (r.short_name == short_name) return &r;
    return nullptr;
}

std::string_view to_string(ExitKind k) {
    constexpr std::array<std::string_view, 5> words{
        "fault", "trap", "between instructions", "as the event", "entry failure"};
    return words.at(static_cast<std::size_t>(k));
}

std::vector<DecodedBits> decode_exit_reason(std::uint32_t exit_reason) {
    std::vector<DecodedBits> parts = decode(Layout::exit_reason, exit_reason);
    if (const ExitReasonInfo* r = find_exit_reason(basic_reason(exit_reason))) parts.front().words = r->name;
    return parts;
}

Layout layout_of_qualification(std::uint32_t exit_reason, std::uint32_t interruption_info) {
    const ExitReasonInfo* r = find_exit_reason(basic_reason(exit_reason));
    if (r == nullptr) return Layout::unspecified;
    const InterruptionInfo event{interruption_info};
    if (r->number != 0 || !event[InterruptionInfo::valid]) return r->qualification;
    if (event[InterruptionInfo::type] == static_cast<std::uint64_t>(EventType::nmi))
        return Layout::always_zero;
    if (event[InterruptionInfo::vector] == debug_exception_vector) return Layout::debug_exception;
    if (event[InterruptionInfo::vector] == page_fault_vector) return Layout::linear_address;
    return Layout::always_zero;
}

std::vector<DecodedBits> decode_qualification(std::uint32_t exit_reason,
                                              std::uint64_t qualification,
                                              std::uint32_t interruption_info) {
    return decode(layout_of_qualification(exit_reason, interruption_info), qualification);
}

std::vector<DecodedBits> decode_instruction_information(std::uint32_t exit_reason,
                                                        std::uint32_t information) {
    const ExitReasonInfo* r = find_exit_reason(basic_reason(exit_reason));
    if (r == nullptr) return {};
    return decode(r->instruction_information, information);
}

}  // namespace hyperstep::vmx
