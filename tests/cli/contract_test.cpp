#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <streambuf>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "cli/command_line.hpp"

// The formats that outside tools rely on: keys, types, exit statuses.
namespace hyperstep::cli {
namespace {

using nlohmann::json;
using Keys = std::vector<std::string>;

struct Outcome {
    int status;
    std::string out, err;
};

Outcome run(std::vector<std::string> arguments) {
    std::vector<const char*> words{"hyperstep"};
    for (const std::string& a : arguments) words.push_back(a.c_str());
    std::ostringstream out;
    std::ostringstream err;
    std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
    std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
    const int status = run_command_line(words);
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {status, out.str(), err.str()};
}

bool has(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
}

/// A folder that lives as long as the test.
class Folder {
public:
    Folder() {
        static int number = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("hyperstep_contract_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
        std::filesystem::create_directory(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string write(const std::string& name, std::string_view text) const {
        const std::string file = (path_ / name).string();
        std::ofstream{file, std::ios::binary} << text;
        return file;
    }
    std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

std::vector<json> lines_of(const std::string& text) {
    std::vector<json> objects;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) objects.push_back(json::parse(line));
    return objects;
}

/// "0x" and lower-case digits.
bool is_hex(const json& value) {
    if (!value.is_string()) return false;
    const std::string text = value.get<std::string>();
    return text.size() > 2 && text.starts_with("0x") &&
           text.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
}

bool has_keys(const json& object, const Keys& keys) {
    return std::all_of(
        keys.begin(), keys.end(), [&](const std::string& key) { return object.contains(key); });
}

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
    const std::vector<json> inputs = lines_of(o.out);
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
    const json dump = lines_of(o.out).at(0)["dumps"][0];
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
    const std::vector<json> inputs = lines_of(o.out);
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

TEST(RulesContract, RowsHaveAllKeysAndIdsByTheRule) {
    const json object = json::parse(run({"rules", "--json"}).out);
    EXPECT_EQ(object["schema"], "hyperstep/rules/1");
    std::set<std::string> ids;
    for (const json& row : object["rules"]) {
        EXPECT_TRUE(has_keys(row, {"id", "table", "section", "rule", "outcome", "reads", "options"})) << row;
        EXPECT_TRUE(row["reads"].is_array() && row["options"].is_array()) << row;
        const std::string id = row["id"];
        const std::string table = row["table"];
        EXPECT_TRUE(ids.insert(id).second) << id;
        // Sheets without an id column name their rows by their own name and the row's short name.
        EXPECT_TRUE(table == "entry_checks" || id.starts_with(table + ".")) << id;
    }
    for (const char* id : {"guest.int.sti_needs_if",
                           "vmcs_fields.guest_rip",
                           "controls.pin.external_interrupt_exiting",
                           "exit_reasons.cpuid",
                           "vm_instruction_errors.none",
                           "vmx_cap_msrs.basic.revision"})
        EXPECT_TRUE(ids.contains(id)) << id;
}

TEST(RulesContract, CoverageIsJsonOnStdoutWithOrWithoutJson) {
    const Folder folder;
    folder.write("a.jsonl", "{\"id\":\"guest.int.sti_needs_if\",\"outcome\":\"exit\"}\n");
    for (const Outcome& o : {run({"rules", "--coverage", folder.path()}),
                             run({"rules", "--coverage", folder.path(), "--json"})}) {
        EXPECT_EQ(o.status, 1);
        const json object = json::parse(o.out);
        EXPECT_EQ(object["schema"], "hyperstep/rules/1");
        const json& table = object["tables"]["entry_checks"];
        EXPECT_EQ(table["hit"], 1);
        EXPECT_EQ(table["total"], table["missing"].size() + 1);
    }
}

TEST(RulesContract, NoMatchIsSaidOnStderr) {
    const Outcome o = run({"rules", "--grep", "no row has this"});
    EXPECT_EQ(o.status, 0);
    EXPECT_EQ(o.out, "");
    EXPECT_EQ(o.err, "hyperstep: rules: no row contains \"no row has this\"\n");
}

// Every line that `generate` writes, through `vmcs check`: the broken side's first broken row is the rule,
// with what the line says also breaks; the twin enters.
TEST(GenerateContract, CheckGivesWhatEachLinePromises) {
    const Folder folder;
    std::map<std::string, std::set<std::string>> sides;
    for (const json& line : lines_of(run({"generate", "--all"}).out)) {
        if (sides[line["rule"]].contains(line["side"])) continue;  // one of each is enough here
        SCOPED_TRACE(line["rule"].get<std::string>() + " " + line["side"].get<std::string>());
        ASSERT_TRUE(has_keys(line, {"schema", "rule", "side", "also_broken", "state"}));
        sides[line["rule"]].insert(line["side"].get<std::string>());
        const Outcome o = run({"vmcs", "check", "--json", folder.write("state", line["state"].dump())});
        const json trial = json::parse(o.out);
        ASSERT_TRUE(has_keys(trial, {"schema", "first", "outcome", "rows"}));
        std::set<std::string> rows;
        for (const json& row : trial["rows"]) rows.insert(row["id"].get<std::string>());
        if (line["side"] == "twin") {
            EXPECT_EQ(o.status, 0);
            EXPECT_TRUE(trial["first"].is_null());
            EXPECT_EQ(trial["outcome"], "enter");
            EXPECT_TRUE(rows.empty());
            continue;
        }
        EXPECT_EQ(o.status, 1);
        EXPECT_EQ(trial["first"], line["rule"]);
        std::set<std::string> expected = line["also_broken"];
        expected.insert(line["rule"].get<std::string>());
        EXPECT_EQ(rows, expected);
        const std::string outcome = trial["outcome"];
        EXPECT_TRUE(has_keys(trial["rows"][0], {"id", "section", "rule", "fields", "fix"}));
        EXPECT_EQ(trial.contains("vector"), outcome == "fault");
        EXPECT_EQ(trial.contains("error"), outcome == "vmfail_valid");
        EXPECT_EQ(trial.contains("reason"), outcome == "exit");
        EXPECT_EQ(trial.contains("qualification"), outcome == "exit");
        EXPECT_TRUE(outcome != "exit" || is_hex(trial["qualification"]));
        EXPECT_TRUE(outcome != "exit" || trial["reason"].is_number_unsigned());
    }
    EXPECT_EQ(sides.size(), 390U);
    // Three rows are no failures: an ignored control, a cleared field, MSRs loaded before a failure.
    const auto one_sided =
        std::count_if(sides.begin(), sides.end(), [](const auto& rule) { return rule.second.size() != 2; });
    EXPECT_EQ(one_sided, 3);
}

json new_state(const std::string& preset) {
    return json::parse(run({"vmcs", "new", "--preset", preset}).out);
}

/// "outcome number" of checking a state.
std::string trial_of(const json& state) {
    const Folder folder;
    const json trial = json::parse(run({"vmcs", "check", "--json", folder.write("s", state.dump())}).out);
    std::string text = trial["outcome"];
    for (const char* key : {"vector", "error", "reason"})
        if (trial.contains(key)) text += " " + std::to_string(trial[key].get<std::uint64_t>());
    return text;
}

TEST(StateContract, KeysAndTypes) {
    const json state = new_state("long-mode");
    ASSERT_TRUE(has_keys(state,
                         {"schema",
                          "cpu",
                          "instruction",
                          "launch_state",
                          "current_vmcs",
                          "complete",
                          "fields",
                          "memory",
                          "processor"}));
    EXPECT_EQ(state["schema"], "hyperstep/state/1");
    EXPECT_EQ(state["cpu"], "all");
    EXPECT_EQ(state["instruction"], "vmlaunch");
    EXPECT_EQ(state["launch_state"], "clear");
    EXPECT_TRUE(is_hex(state["current_vmcs"]));
    EXPECT_EQ(state["complete"], true);
    for (const auto& [name, value] : state["fields"].items()) EXPECT_TRUE(is_hex(value)) << name;
    for (const json& piece : state["memory"]) {
        EXPECT_TRUE(is_hex(piece["gpa"]));
        EXPECT_TRUE(piece["bytes"].is_string());
    }
    const json& processor = state["processor"];
    EXPECT_TRUE(processor["cpl"].is_number_unsigned());
    EXPECT_TRUE(is_hex(processor["cr0"]));
    EXPECT_TRUE(is_hex(processor["efer"]));
    EXPECT_TRUE(processor["mov_ss_blocking"].is_boolean());
    EXPECT_TRUE(processor["smm"].is_boolean());
}

// SDM "VMLAUNCH/VMRESUME", operation: #UD 6, #GP 13; errors 4, 5, 26; VMfailInvalid without a current VMCS.
TEST(StateContract, InstructionAndProcessorDecideFirst) {
    json s = new_state("long-mode");
    EXPECT_EQ(trial_of(s), "enter");
    s["launch_state"] = "launched";
    EXPECT_EQ(trial_of(s), "vmfail_valid 4");
    s["instruction"] = "vmresume";
    EXPECT_EQ(trial_of(s), "enter");
    s["launch_state"] = "clear";
    EXPECT_EQ(trial_of(s), "vmfail_valid 5");
    s["processor"]["mov_ss_blocking"] = true;
    EXPECT_EQ(trial_of(s), "vmfail_valid 26");
    s["current_vmcs"] = "0xffffffffffffffff";
    EXPECT_EQ(trial_of(s), "vmfail_invalid");
    s["processor"]["cpl"] = 3;
    EXPECT_EQ(trial_of(s), "fault 13");
    s["processor"]["cr0"] = "0x80050032";
    EXPECT_EQ(trial_of(s), "fault 6");
}

// The VMCS-link pointer's revision identifier and shadow bit are read from memory; absent bytes are 0 in a
// complete state.
TEST(StateContract, MemoryIsWhatTheFieldsPointTo) {
    json s = new_state("long-mode");
    s["cpu"] = "coffee-lake";  // revision 4
    s["current_vmcs"] = "0x1000";
    s["memory"] = json::array({json{{"gpa", "0x1000"}, {"bytes", "04000000"}}});
    EXPECT_EQ(trial_of(s), "enter");
    s["fields"]["vmcs_link_pointer"] = "0x7000";
    EXPECT_EQ(trial_of(s), "exit 2147483681") << "revision 0 at the link pointer";
    s["memory"].push_back(json{{"gpa", "0x7000"}, {"bytes", "04000000"}});
    EXPECT_EQ(trial_of(s), "enter");
    s["memory"].back()["bytes"] = "04000080";
    EXPECT_EQ(trial_of(s), "exit 2147483681") << "the shadow bit without VMCS shadowing";
}

TEST(StateContract, AbsentFieldsAre0OnlyIfComplete) {
    const Folder folder;
    json s = new_state("long-mode");
    s["fields"].erase("guest_rflags");
    s["complete"] = false;
    const Outcome open = run({"vmcs", "check", "--json", folder.write("open", s.dump())});
    EXPECT_EQ(open.status, 2);
    EXPECT_TRUE(json::parse(open.out)["first"].is_null());
    s["complete"] = true;
    const json closed = json::parse(run({"vmcs", "check", "--json", folder.write("c", s.dump())}).out);
    EXPECT_EQ(closed["first"], "guest.rflags.bit1");
}

// MSRs say nothing of CPUID; what they leave open is as in `all`.
TEST(StateContract, ListsOfMsrsAreProcessorsToo) {
    const Folder folder;
    const json shown = json::parse(run({"cpu", "show", "coffee-lake", "--json"}).out);
    json s = new_state("long-mode");
    s["fields"]["host_fs_base"] = "0xff00000000000000";  // canonical with 57 bits of linear address
    s["cpu"] = shown["msrs"];
    EXPECT_EQ(trial_of(s), "enter");
    std::string msrs;
    for (const auto& [index, value] : shown["msrs"].items())
        msrs += index + ": " + value.get<std::string>() + "\n";
    const std::string file = folder.write("state", s.dump());
    EXPECT_EQ(run({"vmcs", "check", "--msrs", folder.write("msrs", msrs), file}).status, 0);
    EXPECT_EQ(run({"vmcs", "check", "--cpu", "coffee-lake", file}).status, 1) << "it has 48 bits";
}

TEST(StateContract, BadStatesAreNamedByLineAndColumn) {
    const Folder folder;
    const struct {
        std::string_view text, message;
    } cases[] = {
        {"{\r\n\"complete\":true,\r\n\"fields\":{\"vpid\":\"0x1\",}}",
         ":3: this is not JSON from column 24 on"},
        {"{\"fields\":{\"vpid\":\"0x1\",\n\"vpid\":\"0x2\"}}", ":2: \"vpid\" is given twice"},
        {"{\"complete\":true,\n\"complete\":false}", ":2: \"complete\" is given twice"},
        {"{\"fields\":{\"vpids\":\"0x1\"}}", "did you mean vpid"},
        {"{\"fields\":{\"guest_rip\":\"0x10000000000000000\"}}", "\"guest_rip\" has to be a number"},
        {"{\"fields\":{\"guest_rip\":-1}}", "\"guest_rip\" has to be a number"},
        {"{\"fields\":{\"guest_cs_sel\":\"0x10000\"}}", "the field has 16 bits"},
        {"", "this is not JSON"},
        {"[]", "a state is a JSON object"},
    };
    for (const auto& c : cases) {
        const Outcome o = run({"vmcs", "check", "--json", folder.write("state", c.text)});
        EXPECT_EQ(o.status, 2) << c.text;
        EXPECT_EQ(o.out, "");
        EXPECT_TRUE(has(o.err, c.message)) << o.err;
    }
    const std::string deep(100'000, '[');
    EXPECT_TRUE(has(run({"vmcs", "check", folder.write("deep", deep)}).err, "nested deeper"));
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
        std::vector<const char*> words{"hyperstep"};
        for (const std::string& a : arguments) words.push_back(a.c_str());
        NoRoom full;
        std::ostringstream err;
        std::streambuf* const old_out = std::cout.rdbuf(&full);
        std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
        EXPECT_EQ(run_command_line(words), 2) << arguments[0];
        std::cout.rdbuf(old_out);
        std::cerr.rdbuf(old_err);
        EXPECT_TRUE(has(err.str(), "the output cannot be written")) << arguments[0];
    }
}

}  // namespace
}  // namespace hyperstep::cli
