#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/json_lines.hpp"
#include "tests/cli/run_command.hpp"

// The formats that outside tools rely on: keys, types, exit statuses.
namespace hyperstep::cli {
namespace {

using nlohmann::json;

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
    for (const json& line : lines_of<json>(run({"generate", "--all"}).out)) {
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

}  // namespace
}  // namespace hyperstep::cli
