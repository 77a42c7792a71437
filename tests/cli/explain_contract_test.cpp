#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <streambuf>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/json_lines.hpp"
#include "tests/cli/run_command.hpp"

// The formats that outside tools rely on: keys, types, exit statuses.
namespace hyperstep::cli {
namespace {

using nlohmann::json;

constexpr std::string_view kvm_dump =
    "KVM: entry failed, hardware error 0x80000021\n"
    "*** Guest State ***\n"
    "CR0: actual=0x0000000080050033, shadow=0x0000000080050033, gh_mask=fffffffffffffff7\n"
    "CR4: actual=0x0000000000002020, shadow=0x0000000000000020, gh_mask=fffffffffffff871\n"
    "RFLAGS=0x00000002         DR7 = 0x0000000000000400\n"
    "Interruptibility = 00000009  ActivityState = 00000000\n"
    "*** Control State ***\n"
    "PinBased=0000003f CPUBased=b5a06dfa SecondaryExec=000000eb\n"
    "VMExit: intr_info=00000000 errcode=00000000 ilen=00000000\n"
    "        reason=80000021 qualification=0000000000000000\n";

TEST(ExplainContract, KeysAndTypesOfADump) {
    const Folder folder;
    const Outcome o = run({"explain", "--json", folder.write("dump", kvm_dump)});
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_EQ(o.err, "");
    const std::vector<json> inputs = lines_of<json>(o.out);
    ASSERT_EQ(inputs.size(), 1U);
    EXPECT_EQ(inputs[0]["schema"], "hyperstep/explain/1");
    ASSERT_EQ(inputs[0]["dumps"].size(), 1U);
    const json& dump = inputs[0]["dumps"][0];
    ASSERT_TRUE(has_keys(dump,
                         {"format",
                          "line_first",
                          "line_last",
                          "reported",
                          "verdict",
                          "broken",
                          "unknown",
                          "agrees",
                          "suspects",
                          "exit"}));
    EXPECT_EQ(dump["format"], "kvm");
    EXPECT_TRUE(dump["line_first"].is_number_unsigned());
    EXPECT_EQ(dump["line_last"], 10);
    const json& reported = dump["reported"];
    EXPECT_EQ(reported["reason"], "0x80000021");
    EXPECT_EQ(reported["qualification"], "0x0");
    EXPECT_TRUE(reported["instruction_error"].is_null());
    EXPECT_EQ(reported["entry_failed"], true);
    EXPECT_EQ(dump["verdict"], "broken");
    EXPECT_EQ(dump["agrees"], true);
    EXPECT_EQ(dump["suspects"], json::array());
    ASSERT_EQ(dump["broken"].size(), 1U);
    const json& row = dump["broken"][0];
    EXPECT_EQ(row["id"], "guest.int.sti_needs_if");
    EXPECT_TRUE(row["section"].is_string());
    EXPECT_TRUE(row["rule"].is_string());
    EXPECT_TRUE(row["fix"].is_string());
    EXPECT_EQ(row["fields"], (json{{"guest_interruptibility", "0x9"}, {"guest_rflags", "0x2"}}));
}

// unknown[] has every rule that cannot be told; possible_cause says whether it can give the report: after
// exit reason 33 a check on the host state cannot.
TEST(ExplainContract, UnknownHasEveryRuleThatCannotBeTold) {
    const Folder folder;
    const Outcome o = run({"explain", "--json", "--all-rules", folder.write("dump", kvm_dump)});
    const json dump = lines_of<json>(o.out).at(0)["dumps"][0];
    std::map<std::string, bool> cause;
    Keys in_order;
    for (const json& row : dump["unknown"]) {
        EXPECT_FALSE(row["needs"].empty()) << row;
        for (const json& name : row["needs"]) EXPECT_TRUE(name.is_string());
        cause[row["id"]] = row["possible_cause"];
        in_order.push_back(row["id"]);
    }
    Keys standing_unknown;
    for (const json& row : dump["rules"])
        if (row["standing"] == "unknown") standing_unknown.push_back(row["id"]);
    EXPECT_EQ(in_order, standing_unknown);
    EXPECT_FALSE(cause.at("host.cr0.fixed0"));
    EXPECT_TRUE(cause.at("guest.seg.cs.base.high"));
}

TEST(ExplainContract, AFileOfAnyKindGivesOneObject) {
    const Folder folder;
    const std::string dump = folder.write("dump", kvm_dump);
    const std::string empty = folder.write("empty", "");
    const std::string binary = folder.write("binary", std::string{"\0\1\xff\xfe\n\x80", 6});
    const Outcome o = run({"explain", "--json", dump, empty, binary, "/no/such/file", folder.path(), dump});
    EXPECT_EQ(o.status, 2);
    const std::vector<json> inputs = lines_of<json>(o.out);
    ASSERT_EQ(inputs.size(), 6U);
    std::vector<std::size_t> counts;
    for (const json& input : inputs) {
        EXPECT_EQ(input["schema"], "hyperstep/explain/1");
        counts.push_back(input["dumps"].size());
    }
    EXPECT_EQ(counts, (std::vector<std::size_t>{1, 0, 0, 0, 0, 1}));
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 4);
}

TEST(ExplainContract, ByteOrderMarkAndCarriageReturnsAreNoObstacle) {
    const Folder folder;
    std::string text{"\xef\xbb\xbf"};
    for (const char c : kvm_dump) text += c == '\n' ? std::string{"\r\n"} : std::string{c};
    EXPECT_EQ(run({"explain", folder.write("dump", text)}).status, 1);
    const std::string state = folder.write(
        "state", "\xef\xbb\xbf{\"schema\":\"hyperstep/state/1\",\"fields\":{\"vpid\":\"0x1\"}}\n");
    EXPECT_EQ(run({"explain", state}).status, 0);
}

TEST(ExplainContract, AStateThatCannotBeReadIsUnreadableInput) {
    const Folder folder;
    const std::string file = folder.write(
        "state", "{\"schema\":\"hyperstep/state/1\",\"complete\":true,\"fields\":{\"nope\":\"0x1\"}}\n");
    const Outcome o = run({"explain", "--json", file});
    EXPECT_EQ(o.status, 2);
    EXPECT_EQ(json::parse(o.out)["dumps"], json::array());
    EXPECT_TRUE(has(o.err, "state:1: the state cannot be read: \"nope\" is no VMCS field")) << o.err;
}

// An entry failure is bit 31 with a basic reason other than 0; the report's numbers are strings.
TEST(ExplainContract, WhatCountsAsAFailedEntry) {
    const struct {
        std::string_view text;
        bool failed;
        std::size_t suspects;
    } cases[] = {
        {"exit_reason = 0x80000000\nguest_rip = 0x10\n", false, 0},
        {"exit_reason = 0x30\nguest_rip = 0x10\n", false, 0},
        {"vm_instruction_error = 0x7\nguest_rip = 0x10\n", true, 0},
        {"exit_reason = 0x80000021\nexit_qualification = 0x3\nguest_rip = 0x10\n", true, 1},
        {"exit_reason = 0x80000021\nexit_qualification = 0x2\nguest_rip = 0x10\n", true, 5},
        {"exit_reason = 0x80000021\nexit_qualification = 0x4\nguest_rip = 0x10\n", true, 6},
        {"exit_reason = 0x80000022\nexit_qualification = 0x1\nguest_rip = 0x10\n", true, 8},
    };
    const Folder folder;
    for (const auto& c : cases) {
        SCOPED_TRACE(c.text);
        const Outcome o = run({"explain", "--json", folder.write("list", c.text)});
        EXPECT_EQ(o.status, 0) << "nothing that is shown is broken";
        const json dump = json::parse(o.out)["dumps"][0];
        EXPECT_EQ(dump["format"], "fields");
        EXPECT_EQ(dump["reported"]["entry_failed"], c.failed);
        EXPECT_EQ(dump["verdict"], c.failed ? "unknown" : "holds");
        EXPECT_EQ(dump["suspects"].size(), c.suspects);
        EXPECT_TRUE(dump["agrees"].is_null());
    }
}

// A member whose number stands behind the segment's end belongs to nothing.
TEST(ExplainContract, ANumberBehindTheSegmentsEndIsNoCrash) {
    const Folder folder;
    for (const char* text : {"cs: base=}5\n", "cs base }= 5\n", "cs { base }=5\n", "cs {base=}5\n"})
        EXPECT_EQ(run({"explain", folder.write("text", text)}).status, 2) << text;
}

TEST(CommandLineContract, ErrorsNameWhatIsNear) {
    const struct {
        std::vector<std::string> arguments;
        std::string_view message;
    } cases[] = {
        {{"explan"}, "no subcommand \"explan\"; did you mean explain?"},
        {{"vmcs", "chek"}, "no subcommand \"vmcs chek\"; did you mean check?"},
        {{"vmcs"}, "vmcs: name a subcommand: fields encode decode new check"},
        {{"explain", "--jsn", "x"}, "explain: there is no option --jsn; did you mean --json?"},
        {{"vmcs", "check", "--masrs=x", "y"}, "vmcs check: there is no option --masrs; did you mean --msrs?"},
        {{"vmcs", "check"}, "vmcs check: FILE is required"},
        {{"vmcs", "encode", "a", "b"}, "vmcs encode: it takes no argument \"b\""},
        {{"vmcs", "encode", "GUEST_RIP"}, "did you mean guest_rip, "},
        {{"explain", "--cpu", "cofee-lake", "x"}, "did you mean coffee-lake?"},
        {{"vmcs", "fields", "--cpu", "cofee-lake"}, "did you mean coffee-lake?"},
    };
    for (const auto& c : cases) {
        const Outcome o = run(c.arguments);
        EXPECT_EQ(o.status, 2) << c.message;
        EXPECT_EQ(o.out, "");
        EXPECT_TRUE(has(o.err, c.message)) << o.err;
    }
}

/// A full disk.
class NoRoom : public std::streambuf {
    int_type overflow(int_type) override { return traits_type::eof(); }
};

TEST(CommandLineContract, OutputThatCannotBeWrittenIsAnError) {
    const Folder folder;
    const std::string dump = folder.write("dump", kvm_dump);
    const std::vector<std::vector<std::string>> commands{{"--help"},
                                                         {"explain", dump},
                                                         {"explain", "--json", dump},
                                                         {"rules"},
                                                         {"generate", "--all"},
                                                         {"cpu", "list"}};
    for (const auto& arguments : commands) {
        NoRoom full;
        const Outcome o = run_into(full, arguments);
        EXPECT_EQ(o.status, 2) << arguments[0];
        EXPECT_TRUE(has(o.err, "the output cannot be written")) << arguments[0];
    }
}

}  // namespace
}  // namespace hyperstep::cli
