#include "vmx/rules/interruption_info.hpp"

#include <array>

namespace hyperstep::vmx {
namespace {

constexpr std::array<std::string_view, 32> mnemonics{
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "", "#TS", "#NP", "#SS", "#GP", "#PF", "",
    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP", "",    "",    "",    "", "",    "",    "",    "",    "",    ""};

bool is_exception(EventType t) {
    return t == EventType::hardware_exception || t == EventType::software_exception ||
           t == EventType::privileged_software_exception;
}

/// Type 7: with FRED, events of the SYSCALL and SYSENTER instructions; at vector 0 of an injection an MTF VM
/// exit.
std::string describe_other_event(std::uint64_t vector, InterruptionField field) {
    if (field == InterruptionField::entry && vector == 0) return "pending MTF VM exit";
    if (vector == 1) return "SYSCALL (event type 7, vector 1)";
    if (vector == 2) return "SYSENTER (event type 7, vector 2)";
    return "other event (vector " + std::to_string(vector) + ")";
}

}  // namespace

std::string_view exception_mnemonic(unsigned vector) {
    return vector < mnemonics.size() ? mnemonics.at(vector) : std::string_view{};
}

std::string_view to_string(EventType t) {
    constexpr std::array<std::string_view, 8> words{"external interrupt",
                                                    "reserved type",
                                                    "NMI",
                                                    "hardware exception",
                                                    "software interrupt",
                                                    "privileged software exception",
                                                    "software exception",
                                                    "other event"};
    return words.at(static_cast<std::size_t>(t));
}

std::string describe_interruption(std::uint32_t word, InterruptionField field) {
    const InterruptionInfo info{word};
    if (!info[InterruptionInfo::valid]) return "no event";
    const auto type = static_cast<EventType>(info[InterruptionInfo::type]);
    const std::uint64_t vector = info[InterruptionInfo::vector];
    if (type == EventType::other) return describe_other_event(vector, field);

    std::string text{to_string(type)};
    const std::string_view mnemonic = exception_mnemonic(static_cast<unsigned>(vector));
    if (is_exception(type) && !mnemonic.empty()) {
        text += ' ';
        text += mnemonic;
    }
    if (type != EventType::nmi || vector != 2) text += " (vector " + std::to_string(vector) + ")";
    if (info[InterruptionInfo::deliver_error_code]) text += ", with an error code";
    if (field == InterruptionField::exit && info[InterruptionInfo::nmi_unblocking])
        text += ", IRET had unblocked NMIs";
    if (info[InterruptionInfo::nested_exception]) text += ", nested exception";
    return text;
}

}  // namespace hyperstep::vmx
