#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "explain/report_markdown.hpp"
#include "explain/report_sarif.hpp"
#include "explain/report_words.hpp"
#include "tests/explain/dump_samples.hpp"

// Reports that leave the house: a SARIF log for code-scanning services, a Markdown page for a list.
namespace hyperstep::explain {
namespace {

using nlohmann::json;

std::vector<JudgedDump> judged(std::string_view sample) {
    std::vector<JudgedDump> all;
    for (Dump& dump : find_dumps(test::sample(sample))) {
        const vmx::Capabilities unknown;
        vmx::State state = judged_state(dump, unknown);
        Verdict verdict = judge(dump, unknown);
        all.push_back({std::move(dump), std::move(state), std::move(verdict)});
    }
    return all;
}

json sarif(std::vector<JudgedFile> files) {
    return json::parse(report_sarif(files));
}

TEST(Sarif, EachBrokenRuleIsAnErrorAtTheDumpsLines) {
    const json log = sarif({{"logs/guest 1.txt", judged("07-ds-not-accessed")}});
    EXPECT_EQ(log["version"], "2.1.0");
    const json& run = log["runs"][0];
    ASSERT_EQ(run["results"].size(), 2U);
    const json& first = run["results"][0];
    EXPECT_EQ(first["ruleId"], "guest.seg.ds.type_accessed");
    EXPECT_EQ(first["level"], "error");
    const json& place = first["locations"][0]["physicalLocation"];
    EXPECT_EQ(place["artifactLocation"]["uri"], "logs/guest%201.txt");
    EXPECT_EQ(place["region"]["startLine"], 2);
    const auto index = first["ruleIndex"].get<std::size_t>();
    EXPECT_EQ(run["tool"]["driver"]["rules"][index]["id"], first["ruleId"]);
}

TEST(Sarif, ARuleOfTwoFilesIsListedOnce) {
    const json log = sarif({{"a", judged("01-smm-sti")}, {"b", judged("01-smm-sti")}});
    EXPECT_EQ(log["runs"][0]["results"].size(), 2U);
    EXPECT_EQ(log["runs"][0]["tool"]["driver"]["rules"].size(), 1U);
}

TEST(Sarif, WhatIsOnlySuspectedIsOpen) {
    Dump dump;
    dump.reported.reason = 0x8000'0021;
    dump.reported.qualification = 4;
    dump.reported.entry_failed = true;
    const vmx::Capabilities unknown;
    const JudgedDump one{dump, judged_state(dump, unknown), judge(dump, unknown)};
    const json log = sarif({{"-", {one}}});
    ASSERT_FALSE(log["runs"][0]["results"].empty());
    for (const json& result : log["runs"][0]["results"]) {
        EXPECT_EQ(result["kind"], "open");
        EXPECT_EQ(result["level"], "none");
        EXPECT_TRUE(result["ruleId"].get<std::string>().starts_with("guest.nonreg.vmcs_link."));
    }
}

TEST(Sarif, NothingBrokenIsAnEmptyLog) {
    const json log = sarif({{"healthy.txt", judged("02-ept-violation-healthy")}});
    EXPECT_TRUE(log["runs"][0]["results"].empty());
    EXPECT_EQ(log["runs"][0]["tool"]["driver"]["name"], "Hyperstep");
}

bool has(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
}

/// SDM "Information for VM Exits Due to Vectored Events": an error code is there only if the event has one.
TEST(ExitFields, HaveAnErrorCodeOnlyIfTheEventHasOne) {
    Dump dump;
    dump.reported.reason = 0;
    dump.state.set(vmx::Slot::exit_intr_error_code, 0xfff8);
    dump.state.set(vmx::Slot::idt_vectoring_info, 0);
    dump.state.set(vmx::Slot::idt_vectoring_error_code, 0);
    const auto shows = [&](vmx::Slot slot) {
        const auto fields = exit_fields(dump);
        return std::find(fields.begin(), fields.end(), slot) != fields.end();
    };
    dump.state.set(vmx::Slot::exit_intr_info, 0x8000'0314);  // #VE has no error code
    EXPECT_FALSE(shows(vmx::Slot::exit_intr_error_code));
    EXPECT_FALSE(shows(vmx::Slot::idt_vectoring_error_code));
    dump.state.set(vmx::Slot::exit_intr_info, 0x8000'0b0e);  // #PF has one
    EXPECT_TRUE(shows(vmx::Slot::exit_intr_error_code));
}

TEST(Markdown, NamesRuleSectionValuesAndChange) {
    const std::string page = report_markdown("dmesg.txt", judged("12-xen-icebp-mov-ss"));
    EXPECT_TRUE(has(page, "## VM entry breaks `guest.pdbg.bs_required`")) << page;
    EXPECT_TRUE(has(page, "Checks on Guest Non-Register State"));
    EXPECT_TRUE(has(page, "guest_interruptibility = 0x2 (blocking by MOV SS)"));
    // What mended it: BS in the pending debug exceptions.
    EXPECT_TRUE(has(page, "Smallest change: guest_pending_dbg: 0x0 -> 0x4000 (set bit 14)."));
    EXPECT_TRUE(has(page, "`hyperstep explain dmesg.txt`"));
}

TEST(Markdown, SaysWhatToCollectWhereNothingCanBeTold) {
    const std::string page = report_markdown("-", judged("36-xen-dr7-high-bits"));
    EXPECT_TRUE(has(page, "## VM entry failed; the dump does not show why")) << page;
    EXPECT_TRUE(has(page, "To tell them, collect:"));
    EXPECT_TRUE(has(page, "entry_controls"));
}

TEST(Markdown, AnExitIsNoFailure) {
    const std::string page = report_markdown("-", judged("08-xen-debug-key"));
    EXPECT_TRUE(has(page, "## No broken VM-entry check")) << page;
    EXPECT_FALSE(has(page, "collect"));
}

}  // namespace
}  // namespace hyperstep::explain
