#include "explain/report_text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "explain/field_bits.hpp"
#include "explain/inference.hpp"
#include "explain/report_words.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;
using vmx::SlotKind;

constexpr std::size_t page_width = 110;

enum class Tone : std::uint8_t { bad, good, strong, quiet };

/// A dump's kind at the head of its report.
std::string_view title_of(Format f) {
    switch (f) {
        case Format::kvm: return "KVM's VMCS dump";
        case Format::xen: return "Xen's VMCS dump";
        case Format::qemu: return "QEMU's register dump";
        case Format::haxm: return "HAXM's VMCS dump";
        case Format::virtualbox: return "VirtualBox's guru meditation";
        case Format::noirvisor: return "NoirVisor's VMCS dump";
        case Format::sregs: return "print of KVM_GET_SREGS";
        case Format::vmcs12: return "vmcs12 of KVM_GET_NESTED_STATE";
        case Format::svm: return "VMCB dump of an AMD processor";
        case Format::ftrace: return "KVM's trace events";
        case Format::fields: return "list of fields";
        case Format::hyperstep: break;
    }
    return "Hyperstep's state";
}

class TextReport {
public:
    TextReport(const Dump& dump, const vmx::Capabilities& cpu, const Verdict& verdict, TextOptions options)
        : dump_{dump}, verdict_{verdict}, options_{options}, state_{judged_state(dump, cpu)} {}

    std::string write() {
        heading();
        reported();
        conclusion();
        broken();
        agreement();
        suspects();
        collect();
        if (options_.listing == Listing::all_rules) every_rule();
        return std::move(out_);
    }

private:
    std::string paint(Tone tone, std::string_view text) const {
        if (options_.colour == Colour::plain) return std::string{text};
        constexpr std::array<std::string_view, 4> codes{"1;31", "1;32", "1", "2"};
        return fmt::format("\x1b[{}m{}\x1b[0m", codes.at(static_cast<std::size_t>(tone)), text);
    }

    /// A line, broken at spaces so that it stays on the page; what follows is indented two columns more.
    void line(std::size_t indent, std::string_view text) {
        std::size_t margin = indent;
        while (margin + text.size() > page_width) {
            std::size_t cut = text.rfind(' ', page_width - margin);
            if (cut == std::string_view::npos || cut == 0) cut = text.find(' ', page_width - margin);
            if (cut == std::string_view::npos) break;
            out_ += std::string(margin, ' ') + std::string{text.substr(0, cut)} + '\n';
            text.remove_prefix(cut + 1);
            margin = indent + 2;
        }
        out_ += std::string(margin, ' ') + std::string{text} + '\n';
    }

    bool entry_failed() const { return dump_.reported.entry_failed; }

    void heading() {
        const std::string lines = dump_.line_first == dump_.line_last
                                      ? fmt::format("line {}", dump_.line_first)
                                      : fmt::format("lines {} to {}", dump_.line_first, dump_.line_last);
        out_ += paint(Tone::strong, fmt::format("{}, {}", title_of(dump_.format), lines)) + '\n';
        for (const std::string& remark : dump_.remarks) line(2, "note: " + remark);
    }

    void reported() {
        const std::string words = reported_in_words(dump_);
        if (words.empty()) {
            line(2,
                 entry_failed() ? "The VM entry failed; the dump does not say with which number."
                                : "The dump does not say what the processor reported.");
            return;
        }
        if (entry_failed()) {
            line(2, "The VM entry failed: " + words + ".");
        } else {
            line(2, "This is not a failed VM entry: the guest ran until a VM exit.");
            line(2, "The exit: " + words + ".");
            for (const Slot s : exit_fields(dump_)) value(4, s);
        }
        const bool numbers = reported_exit(dump_) || dump_.reported.instruction_error.value_or(0) != 0;
        if (!dump_.reported.message.empty() && numbers)
            line(2, "The hypervisor's words: " + dump_.reported.message);
    }

    void conclusion() {
        out_ += '\n';
        const std::size_t count = verdict_.broken.size();
        if (count != 0) {
            out_ += "  " +
                    paint(Tone::bad,
                          count == 1 ? "One check is broken:"
                                     : fmt::format("{} checks are broken, in the order in which the "
                                                   "processor makes them:",
                                                   count)) +
                    '\n';
            return;
        }
        if (dump_.reported.svm) {
            line(2, "Nothing was checked: this is AMD's SVM, not Intel's VMX.");
            return;
        }
        if (verdict_.conclusion == Conclusion::holds) {
            out_ += "  " + paint(Tone::good, "Nothing is broken") + " in what the dump shows.\n";
            return;
        }
        line(2,
             "Nothing is broken in what the dump shows; the cause of the failure lies in what it does not "
             "show.");
        if (verdict_.unknown.empty() && reach_of(dump_.reported) == Reach::machine_check)
            line(2, "A machine-check event interrupted the entry: no check is to blame.");
        else if (verdict_.unknown.empty())
            line(2,
                 "Every check that can give this report holds. The dump may have been taken after the state "
                 "was changed, "
                 "or an outer hypervisor refuses what the processor would take.");
    }

    void value(std::size_t indent, Slot s) {
        const vmx::PartialWord word = state_[s];
        if (word.fully_known())
            line(indent, fmt::format("{} = {}", vmx::info(s).name, value_in_words(s, word.value)));
        else if (word.known != 0)
            line(indent,
                 fmt::format("{} = {:#x}, of which only the bits {:#x} are known",
                             vmx::info(s).name,
                             word.value,
                             word.known));
    }

    void broken() {
        std::size_t number = 0;
        for (const BrokenRule& b : verdict_.broken) {
            const vmx::EntryCheck& check = vmx::all_checks()[b.check];
            out_ += fmt::format("\n  {}. {}\n", ++number, paint(Tone::strong, check.id));
            line(5,
                 fmt::format(
                     "{}{}", check.rule, check.when.empty() ? "" : fmt::format(" (when: {})", check.when)));
            line(5,
                 fmt::format(
                     "SDM \"{}\"; outcome: {}", vmx::title(check.section), vmx::to_string(check.outcome)));
            for (const Slot s : check.reads) {
                const SlotKind kind = vmx::info(s).kind;
                if (kind == SlotKind::field || kind == SlotKind::processor || kind == SlotKind::memory)
                    value(7, s);
                if (kind == SlotKind::capability && state_.knows(s)) value(7, s);
            }
            if (b.msr_entry != 0 && b.msr_entry <= state_.msr_load.size()) {
                const vmx::MsrEntry& entry = state_.msr_load[b.msr_entry - 1];
                line(7,
                     fmt::format("entry {} of the MSR-load area: MSR {:#x}, reserved {:#x}, value {:#x}",
                                 b.msr_entry,
                                 entry.index,
                                 entry.reserved,
                                 entry.value));
            }
            line(5, (b.repair.empty() ? "what to do: " : "smallest change: ") + fix_in_words(b, state_));
        }
    }

    void agreement() {
        if (!verdict_.agrees) return;
        out_ += '\n';
        if (*verdict_.agrees)
            return line(2,
                        verdict_.broken.size() == 1 ? "This agrees with what was reported."
                                                    : "What was reported agrees with at least one of these.");
        if (!entry_failed())
            return line(2,
                        "The exit that was reported is not due to this: the entry before it succeeded. The "
                        "next entry "
                        "with this state would fail.");
        line(2,
             "This does not account for what was reported: there is another cause, or the state has changed "
             "since.");
    }

    void suspects() {
        if (verdict_.suspects.empty()) return;
        const auto checks = vmx::all_checks();
        out_ += '\n';
        line(2, "The reported reason and qualification point to:");
        constexpr std::size_t most = 12;
        for (std::size_t i = 0; i < verdict_.suspects.size() && i < most; ++i) {
            const std::size_t check = verdict_.suspects[i];
            line(4,
                 fmt::format("{} ({}): {}",
                             checks[check].id,
                             vmx::to_string(verdict_.findings[check].standing),
                             checks[check].rule));
        }
        if (verdict_.suspects.size() > most)
            line(4, fmt::format("and {} more", verdict_.suspects.size() - most));
    }

    void collect() {
        if (verdict_.unknown.empty()) return;
        out_ += '\n';
        const std::size_t count = verdict_.unknown.size();
        const std::string checks = count == 1 ? "One more check" : fmt::format("{} more checks", count);
        const bool matters = entry_failed() || !verdict_.broken.empty();
        if (!matters) return line(2, checks + " cannot be told from what the dump shows.");
        line(2,
             fmt::format("{} cannot be told from this dump. To tell {}, collect:",
                         checks,
                         count == 1 ? "it" : "them"));
        for (const std::string& what : to_collect(dump_, verdict_)) line(4, "- " + what);
    }

    void every_rule() {
        const auto checks = vmx::all_checks();
        out_ += "\n  Every check:\n";
        for (std::size_t i = 0; i < checks.size() && i < verdict_.findings.size(); ++i) {
            const vmx::Standing standing = verdict_.findings[i].standing;
            std::string text = fmt::format("{:<15} {}", vmx::to_string(standing), checks[i].id);
            if (standing == vmx::Standing::broken) text = paint(Tone::bad, text);
            if (standing == vmx::Standing::not_applicable) text = paint(Tone::quiet, text);
            out_ += "    " + text + '\n';
        }
    }

    const Dump& dump_;
    const Verdict& verdict_;
    TextOptions options_;
    vmx::State state_;
    std::string out_;
};

}  // namespace

std::string report_text(const Dump& dump,
                        const vmx::Capabilities& cpu,
                        const Verdict& verdict,
                        TextOptions options) {
    return TextReport{dump, cpu, verdict, options}.write();
}

}  // namespace hyperstep::explain
