#include "tests/fuzz/dump_properties.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "explain/dump.hpp"
#include "explain/report_json.hpp"
#include "explain/report_markdown.hpp"
#include "explain/report_sarif.hpp"
#include "explain/report_text.hpp"
#include "explain/state_json.hpp"
#include "explain/verdict.hpp"
#include "vmx/rules/capabilities.hpp"

namespace hyperstep::explain {
namespace {

using vmx::PartialWord;
using vmx::Slot;
using vmx::SlotKind;
using vmx::State;

constexpr std::size_t most_dumps = 10'000;
// A verdict takes far longer than reading: two dumps of an input are judged, and after the first inputs (a
// corpus as a test, a finding that is repeated) one input in thirty-two.
constexpr std::size_t judged_dumps = 2;
constexpr std::size_t inputs_judged_first = 64;
constexpr std::size_t inputs_for_a_verdict = 32;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

bool same(const Reported& a, const Reported& b) {
    return a.reason == b.reason && a.qualification == b.qualification &&
           a.instruction_error == b.instruction_error && a.entry_failed == b.entry_failed &&
           a.message == b.message;
}

bool same(const Dump& a, const Dump& b) {
    return a.format == b.format && a.line_first == b.line_first && a.line_last == b.line_last &&
           a.state == b.state && same(a.reported, b.reported) && a.cpu == b.cpu && a.remarks == b.remarks;
}

/// A place that depends on every byte (FNV-1a), so that the corpus files are plain dumps.
std::size_t place_in(std::string_view text) {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
    return static_cast<std::size_t>(hash % (text.size() + 1));
}

void check_pieces(std::string_view text, const std::vector<Dump>& dumps) {
    const std::size_t cut = place_in(text);
    DumpScanner scanner;
    scanner.feed(text.substr(0, cut));
    scanner.feed(text.substr(cut));
    const std::vector<Dump> again = scanner.finish();
    require(std::equal(dumps.begin(),
                       dumps.end(),
                       again.begin(),
                       again.end(),
                       [](const Dump& a, const Dump& b) { return same(a, b); }),
            "two pieces give the dumps of the whole");
    require(scanner.finish().empty(), "a finished scanner is empty");
}

void check_state(const State& state) {
    for (std::size_t i = 0; i < vmx::slot_count; ++i) {
        const auto slot = static_cast<Slot>(i);
        const PartialWord word = state[slot];
        require((word.value & ~word.known) == 0, "no value outside what is known");
        const auto field = vmx::field_in(slot);
        require(!field || (word.value & ~vmx::mask_of(*field)) == 0, "a value is no wider than its field");
    }
    require(state.msr_load.size() <= vmx::max_msr_entries, "the MSR list is bounded");
}

void check_lines(std::string_view text, const std::vector<Dump>& dumps) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    require(dumps.size() <= most_dumps, "the dumps are bounded");
    for (const Dump& dump : dumps) {
        require(dump.line_first >= 1 && dump.line_first <= dump.line_last && dump.line_last <= lines,
                "a dump's lines are lines of the input");
        require(!dump.reported.reason || (*dump.reported.reason & 0x8000'0000U) == 0 ||
                    (*dump.reported.reason & 0xffffU) == 0 || dump.reported.entry_failed,
                "a failed exit reason is a failed entry");
    }
    require(std::is_sorted(dumps.begin(),
                           dumps.end(),
                           [](const Dump& a, const Dump& b) { return a.line_first < b.line_first; }),
            "dumps are in the order of their lines");
}

/// The dump's state as our own object: what is wholly known comes back.
void check_reading_back(const Dump& dump) {
    const std::string written = write_state(dump.state, dump.cpu);
    const auto named = read_state(written);
    require(named.has_value(), "what is written can be read");
    for (std::size_t i = 0; i < vmx::slot_count; ++i) {
        const auto slot = static_cast<Slot>(i);
        if (!dump.state.knows(slot)) continue;
        require(named->state.knows(slot) && named->state[slot].value == dump.state[slot].value,
                "a known number is written and read again");
    }
    require(write_state(named->state, named->cpu) == written, "writing what was read gives the same text");
    const std::vector<Dump> found = find_dumps(written + "\n");
    require(found.size() == 1 && found[0].format == Format::hyperstep && found[0].remarks.empty() &&
                found[0].state == named->state,
            "the scanner finds what is written");
}

/// Every proposed change does what it promises.
void check_repairs(const State& state, const Verdict& verdict) {
    for (const BrokenRule& rule : verdict.broken) {
        require(rule.check < verdict.findings.size(), "a broken rule is a rule");
        if (rule.repair.empty()) continue;
        State mended = state;
        for (const Repair& repair : rule.repair) {
            require(mended[repair.slot].value == repair.from, "a repair begins with what is there");
            mended.set(repair.slot, repair.to);
        }
        require(vmx::evaluate(rule.check, mended).standing != vmx::Standing::broken, "a repair repairs");
    }
    for (const UnknownRule& rule : verdict.unknown)
        require(rule.check < verdict.findings.size(), "an unknown rule is a rule");
    for (const std::size_t check : verdict.suspects)
        require(check < verdict.findings.size(), "a suspect is a rule");
    require((verdict.conclusion == Conclusion::broken) == !verdict.broken.empty(),
            "the conclusion is that of the rules");
}

/// No control character of the input reaches a terminal.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\n' || (byte >= 0x20 && byte != 0x7f);
    });
}

void check_reports(const Dump& dump) {
    const vmx::Capabilities unknown_processor;
    JudgedDump judged{dump, judged_state(dump, unknown_processor), judge(dump, unknown_processor)};
    check_repairs(judged.state, judged.verdict);
    const std::string text =
        report_text(judged.dump, unknown_processor, judged.verdict, {Colour::plain, Listing::all_rules});
    require(text.ends_with('\n'), "a report ends with a newline");
    require(is_plain(text), "a report has no control characters");
    const std::span one{&judged, 1};
    require(nlohmann::json::accept(report_json(one, Listing::all_rules)), "the JSON report is JSON");
    require(!report_markdown("a.txt", one).empty(), "there is a page");
    const std::vector<JudgedFile> files{{"a.txt", {std::move(judged)}}};
    require(nlohmann::json::accept(report_sarif(files)), "the SARIF log is JSON");
}

}  // namespace

void check_dumps(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const std::vector<Dump> dumps = find_dumps(text);
    check_lines(text, dumps);
    check_pieces(text, dumps);
    for (const Dump& dump : dumps) check_state(dump.state);
    static std::size_t inputs = 0;
    if (inputs++ >= inputs_judged_first && inputs % inputs_for_a_verdict != 0) return;
    for (std::size_t i = 0; i < std::min(judged_dumps, dumps.size()); ++i) {
        check_reading_back(dumps[i]);
        check_reports(dumps[i]);
    }
}

}  // namespace hyperstep::explain
