#include "explain/report_markdown.hpp"

#include <fmt/format.h>

#include "explain/field_bits.hpp"
#include "explain/report_words.hpp"

namespace hyperstep::explain {
namespace {

std::string heading(const JudgedDump& judged) {
    const std::size_t count = judged.verdict.broken.size();
    if (count == 1)
        return fmt::format("VM entry breaks `{}`", vmx::all_checks()[judged.verdict.broken.front().check].id);
    if (count > 1) return fmt::format("VM entry breaks {} rules", count);
    if (judged.dump.reported.svm) return "Nothing was checked: this is AMD's SVM, not Intel's VMX";
    if (judged.verdict.conclusion == Conclusion::unknown)
        return "VM entry failed; the dump does not show why";
    return "No broken VM-entry check";
}

void append_values(std::string& page, const JudgedDump& judged, const vmx::EntryCheck& check) {
    for (const vmx::Slot s : check.reads)
        if (vmx::info(s).kind != vmx::SlotKind::option && judged.state.knows(s))
            page += fmt::format("    {} = {}\n", vmx::info(s).name, value_in_words(s, judged.state[s].value));
}

void append_broken(std::string& page, const JudgedDump& judged) {
    std::size_t number = 0;
    for (const BrokenRule& b : judged.verdict.broken) {
        const vmx::EntryCheck& check = vmx::all_checks()[b.check];
        page += fmt::format("{}. **`{}`**: {}", ++number, check.id, check.rule);
        if (!check.when.empty()) page += fmt::format(" (when: {})", check.when);
        page += fmt::format(".\n   Intel SDM, \"{}\"; outcome: {}.\n\n",
                            vmx::title(check.section),
                            vmx::to_string(check.outcome));
        append_values(page, judged, check);
        page += fmt::format("\n   Smallest change: {}.\n\n", fix_in_words(b, judged.state));
    }
}

void append_agreement(std::string& page, const JudgedDump& judged) {
    if (!judged.verdict.agrees) return;
    page += *judged.verdict.agrees ? "This accounts for what was reported.\n\n"
                                   : "This does not account for what was reported.\n\n";
}

void append_to_collect(std::string& page, const JudgedDump& judged) {
    if (!judged.dump.reported.entry_failed) return;
    const auto lines = to_collect(judged.dump, judged.verdict);
    if (lines.empty()) return;
    page += fmt::format("{} more checks cannot be told from the dump. To tell them, collect:\n\n",
                        judged.verdict.unknown.size());
    for (const std::string& line : lines) page += "- " + line + '\n';
    page += '\n';
}

}  // namespace

std::string report_markdown(const std::string& file, std::span<const JudgedDump> dumps) {
    std::string page;
    for (const JudgedDump& judged : dumps) {
        page += fmt::format("## {}\n\n", heading(judged));
        page += fmt::format("Format {}, lines {} to {}.",
                            to_string(judged.dump.format),
                            judged.dump.line_first,
                            judged.dump.line_last);
        const std::string reported = reported_in_words(judged.dump);
        if (!reported.empty()) page += fmt::format(" Reported: {}.", reported);
        page += "\n\n";
        for (const std::string& remark : judged.dump.remarks) page += "Note: " + remark + ".\n\n";
        append_broken(page, judged);
        append_agreement(page, judged);
        append_to_collect(page, judged);
    }
    page += fmt::format("Told by Hyperstep {}: `hyperstep explain {}`\n",
                        HYPERSTEP_VERSION,
                        file == "-" ? std::string{"-"} : file);
    return page;
}

}  // namespace hyperstep::explain
