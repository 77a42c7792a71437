#include "explain/report_words.hpp"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "explain/field_bits.hpp"
#include "explain/inference.hpp"
#include "vmx/rules/registers.hpp"
#include "vmx/rules/vm_instruction_errors.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;
using vmx::SlotKind;

/// "clear bit 62", "set bits 9 and 1, clear bit 0"; empty if more than four bits change.
std::string changed_bits(std::uint64_t from, std::uint64_t to) {
    if (std::popcount(from ^ to) > 4) return {};
    const auto list = [](std::uint64_t bits) {
        std::string text = std::popcount(bits) == 1 ? "bit " : "bits ";
        bool first = true;
        for (; bits != 0; bits &= ~std::bit_floor(bits)) {
            if (!first) text += ", ";
            text += std::to_string(std::bit_width(bits) - 1);
            first = false;
        }
        return text;
    };
    const std::uint64_t set = to & ~from;
    const std::uint64_t cleared = from & ~to;
    std::string text;
    if (set != 0) text += "set " + list(set);
    if (set != 0 && cleared != 0) text += ", ";
    if (cleared != 0) text += "clear " + list(cleared);
    return text;
}

std::string without_a_field(const BrokenRule& broken, const vmx::State& state) {
    const vmx::EntryCheck& check = vmx::all_checks()[broken.check];
    if (broken.msr_entry != 0 && broken.msr_entry <= state.msr_load.size())
        return fmt::format("take entry {} (MSR {:#x}) out of the VM-entry MSR-load area, or correct it",
                           broken.msr_entry,
                           state.msr_load[broken.msr_entry - 1].index);
    if (check.id == "instr.vmlaunch_clear") return "use VMRESUME, or VMCLEAR the VMCS first";
    if (check.id == "instr.vmresume_launched") return "use VMLAUNCH";
    return fmt::format(
        "no single change of the fields was found that breaks nothing else; it has to hold that {}",
        check.rule);
}

/// A hypervisor's message for the midst of a sentence: single spaces, no full stop at its end.
std::string tidied(std::string_view message) {
    std::string text;
    for (const char c : message)
        if (c != ' ' || (!text.empty() && text.back() != ' ')) text += c;
    while (text.ends_with(' ') || text.ends_with('.')) text.pop_back();
    return text;
}

std::string listed(std::span<const std::string> names, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i > 0 ? ", " : "") + names[i];
    if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
    return text;
}

/// The names of what is needed of one kind, most needed first.
struct Needs {
    std::vector<std::string> fields, msrs, facts, processor, memory;
};

/// What to look at, for somebody who collects it.
std::string memory_in_words(Slot slot) {
    switch (slot) {
        case Slot::msr_entry_number:
        case Slot::msr_entry_index:
        case Slot::msr_entry_reserved:
        case Slot::msr_entry_value: return "the entries of the VM-entry MSR-load area";
        case Slot::memory_pdpte0:
        case Slot::memory_pdpte1:
        case Slot::memory_pdpte2:
        case Slot::memory_pdpte3: return "the four PDPTEs at guest CR3";
        default: return std::string{vmx::info(slot).meaning};
    }
}

void add_once(std::vector<std::string>& names, std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
}

Needs needs_of(const Verdict& verdict) {
    std::map<Slot, std::size_t> checks_needing;
    for (const UnknownRule& rule : verdict.unknown)
        for (const Slot s : rule.needs) ++checks_needing[s];
    std::vector<std::pair<Slot, std::size_t>> by_need(checks_needing.begin(), checks_needing.end());
    std::stable_sort(
        by_need.begin(), by_need.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    Needs needs;
    for (const auto& [slot, count] : by_need) {
        const vmx::SlotInfo& row = vmx::info(slot);
        switch (row.kind) {
            case SlotKind::field: needs.fields.emplace_back(row.name); break;
            case SlotKind::processor: needs.processor.emplace_back(row.name); break;
            case SlotKind::memory: add_once(needs.memory, memory_in_words(slot)); break;
            case SlotKind::capability:
                if (row.number != 0)
                    needs.msrs.push_back(fmt::format("{:#x}", row.number));
                else
                    needs.facts.emplace_back(row.name);
                break;
            case SlotKind::option: break;
        }
    }
    std::sort(needs.msrs.begin(), needs.msrs.end());
    return needs;
}

bool is_linux(Format f) {
    return f == Format::kvm || f == Format::qemu || f == Format::sregs || f == Format::ftrace ||
           f == Format::fields;
}

/// An error code belongs to an event that is there and has one.
bool says_something(const vmx::State& state, Slot s) {
    const auto has_error_code = [&](Slot event) {
        const vmx::PartialWord word = state[event];
        return word[vmx::InterruptionInfo::valid] != vmx::Truth::no &&
               word[vmx::InterruptionInfo::deliver_error_code] != vmx::Truth::no;
    };
    if (s == Slot::exit_intr_error_code) return has_error_code(Slot::exit_intr_info);
    if (s == Slot::idt_vectoring_error_code) return has_error_code(Slot::idt_vectoring_info);
    return true;
}

}  // namespace

std::string fix_in_words(const BrokenRule& broken, const vmx::State& state) {
    if (broken.repair.empty()) return without_a_field(broken, state);
    std::string text;
    for (const Repair& change : broken.repair) {
        if (!text.empty()) text += "; and ";
        text += fmt::format("{}: {:#x} -> {:#x}", vmx::info(change.slot).name, change.from, change.to);
        const std::string bits = changed_bits(change.from, change.to);
        if (!bits.empty()) text += " (" + bits + ")";
    }
    return text;
}

std::string reported_in_words(const Dump& dump) {
    const Reported& r = dump.reported;
    if (const auto exit = reported_exit(dump)) {
        std::string text = fmt::format("exit reason {:#x}", exit->exit_reason);
        if (r.qualification) text += fmt::format(", qualification {:#x}", *r.qualification);
        return text + ": " + vmx::sentence(*exit);
    }
    if (r.instruction_error.value_or(0) != 0) {
        const auto* row = vmx::find_instruction_error(*r.instruction_error);
        return fmt::format("VM-instruction error {}: {}",
                           *r.instruction_error,
                           row != nullptr ? row->meaning : "the manual gives this number no meaning");
    }
    return tidied(r.message);
}

std::optional<vmx::ExitRecord> reported_exit(const Dump& dump) {
    const Reported& r = dump.reported;
    if (!r.reason) return std::nullopt;
    const bool failed_exit = vmx::is_entry_failure(*r.reason);
    // Bit 31 without a basic reason is no exit that a processor reports.
    if (failed_exit && vmx::basic_reason(*r.reason) == 0) return std::nullopt;
    if (!failed_exit && r.entry_failed) return std::nullopt;
    vmx::ExitRecord exit{*r.reason, r.qualification, std::nullopt, std::nullopt};
    if (failed_exit) return exit;
    const auto* row = vmx::find_exit_reason(vmx::basic_reason(*r.reason));
    const auto word = [&](Slot s) -> std::optional<std::uint32_t> {
        if (!dump.state.knows(s)) return std::nullopt;
        return static_cast<std::uint32_t>(dump.state[s].value);
    };
    exit.interruption_info = word(Slot::exit_intr_info);
    if (row != nullptr && row->instruction_information != vmx::Layout::always_zero)
        exit.instruction_information = word(Slot::exit_instruction_info);
    return exit;
}

std::vector<Slot> exit_fields(const Dump& dump) {
    std::vector<Slot> fields;
    if (!reported_exit(dump) || vmx::is_entry_failure(*dump.reported.reason)) return fields;
    const auto* row = vmx::find_exit_reason(vmx::basic_reason(*dump.reported.reason));
    if (row == nullptr) return fields;
    for (const vmx::ReadSet& set : {row->valid, row->maybe})
        for (const Slot s : set)
            if (dump.state.knows(s) && says_something(dump.state, s)) fields.push_back(s);
    return fields;
}

std::vector<std::string> to_collect(const Dump& dump, const Verdict& verdict) {
    constexpr std::size_t most_names = 12;
    if (verdict.unknown.empty()) return {};
    const Needs needs = needs_of(verdict);
    std::vector<std::string> lines;
    if (!needs.fields.empty()) {
        lines.push_back("VMCS fields that the dump does not show: " + listed(needs.fields, most_names));
        if (dump.reported.entry_failed && is_linux(dump.format) && needs.fields.size() > most_names)
            lines.emplace_back(
                "with KVM, the whole VMCS is in the kernel log after `modprobe kvm_intel "
                "dump_invalid_vmcs=1` "
                "(kvm_intel.dump_invalid_vmcs=1 on the kernel's command line)");
    }
    if (!needs.msrs.empty()) {
        std::string commands = "rdmsr " + needs.msrs.front();
        if (needs.msrs.size() > 1) commands += ", likewise " + listed(std::span{needs.msrs}.subspan(1), 19);
        lines.push_back("the processor's capabilities (--msrs FILE, or --cpu NAME): " + commands);
    }
    if (!needs.facts.empty())
        lines.push_back("what CPUID says (--cpu NAME gives it): " + listed(needs.facts, most_names));
    if (!needs.processor.empty())
        lines.push_back("the processor's state before the entry: " + listed(needs.processor, most_names));
    if (!needs.memory.empty())
        lines.push_back("memory that the entry reads: " + listed(needs.memory, most_names));
    return lines;
}

}  // namespace hyperstep::explain
