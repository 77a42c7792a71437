#include "explain/draft.hpp"

#include <fmt/format.h>

namespace hyperstep::explain {
namespace {

constexpr std::size_t most_dumps = 10'000;
constexpr std::size_t most_remarks = 32;

std::uint64_t holdable(vmx::Slot slot) {
    const auto field = vmx::field_in(slot);
    return field ? vmx::mask_of(*field) : ~0ULL;
}

}  // namespace

Draft::Draft(Format format, const Record& first) {
    dump.format = format;
    dump.line_first = first.line_first;
    dump.line_last = first.line_last;
}

void Draft::extend(const Record& record) {
    if (record.line_first < dump.line_first) dump.line_first = record.line_first;
    if (record.line_last > dump.line_last) dump.line_last = record.line_last;
}

void Draft::remark(std::string text) {
    if (dump.remarks.size() < most_remarks) dump.remarks.push_back(std::move(text));
}

void Draft::show(vmx::Slot slot, const Number& number) {
    if (!number.too_wide && (number.value & ~holdable(slot)) == 0) {
        show(slot, vmx::PartialWord{number.value});
        return;
    }
    remark(
        fmt::format("{}: the value shown is wider than the field; taken as unknown", vmx::info(slot).name));
    shown_.set(vmx::position(slot));
    disputed_.set(vmx::position(slot));
    dump.state.forget(slot);
}

bool Draft::show(vmx::Slot slot, std::string_view text) {
    const std::optional<Number> number = whole_hex(text);
    if (number) {
        show(slot, *number);
        return true;
    }
    if (!text.empty())
        remark(fmt::format("{}: what is shown is not a hexadecimal number", vmx::info(slot).name));
    return false;
}

void Draft::show(vmx::Slot slot, vmx::PartialWord word) {
    const std::size_t at = vmx::position(slot);
    const vmx::PartialWord before = dump.state[slot];
    if (shown_[at] && ((before.value ^ word.value) & before.known & word.known) != 0 && !disputed_[at]) {
        remark(fmt::format("{}: shown with two values; taken as unknown", vmx::info(slot).name));
        disputed_.set(at);
        dump.state.forget(slot);
    }
    shown_.set(at);
    if (disputed_[at]) return;
    if (before.known != 0 && !before.fully_known())
        word = {(word.value & word.known) | (before.value & ~word.known), word.known | before.known};
    dump.state.set(slot, word);
}

void report_from_fields(Dump& dump) {
    using vmx::Slot;
    Reported& reported = dump.reported;
    const vmx::State& state = dump.state;
    if (reported.instruction_error.value_or(0) != 0 && !reported.reason && state.knows(Slot::exit_reason) &&
        !is_entry_failure(static_cast<std::uint32_t>(state[Slot::exit_reason].value))) {
        // VMfail leaves the exit information of an earlier exit in place.
        dump.remarks.emplace_back(remark_of_earlier_exit);
        return;
    }
    if (!reported.reason && state.knows(Slot::exit_reason))
        reported.reason = static_cast<std::uint32_t>(state[Slot::exit_reason].value);
    if (!reported.qualification && state.knows(Slot::exit_qualification))
        reported.qualification = state[Slot::exit_qualification].value;
    if (!reported.instruction_error && state.knows(Slot::vm_instruction_error))
        reported.instruction_error = static_cast<std::uint32_t>(state[Slot::vm_instruction_error].value);
    if (reported.reason && is_entry_failure(*reported.reason)) reported.entry_failed = true;
    if (reported.instruction_error && *reported.instruction_error != 0) reported.entry_failed = true;
}

void DumpStore::add(Dump&& dump) {
    if (!full()) dumps.push_back(std::move(dump));
}

bool DumpStore::full() const {
    return dumps.size() >= most_dumps;
}

}  // namespace hyperstep::explain
