#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "explain/entry_check_report.hpp"
#include "explain/nearest_name.hpp"
#include "explain/tables_json.hpp"
#include "explain/tables_text.hpp"

// The tables as `hyperstep rules`, `vmcs`, `cpu` and `generate` print them.
namespace hyperstep::explain {
namespace {

using nlohmann::json;

std::vector<const RuleRow*> every_row() {
    return rule_rows_with("");
}

TEST(RuleRows, HaveEveryRowOfTheManualsTables) {
    std::map<std::string, std::size_t> rows;
    std::set<std::string> ids;
    for (const RuleRow& row : all_rule_rows()) {
        ++rows[row.table];
        EXPECT_TRUE(ids.insert(row.id).second) << row.id << " comes twice";
        EXPECT_FALSE(row.section.empty()) << row.id;
        EXPECT_FALSE(row.rule.empty()) << row.id;
        EXPECT_FALSE(row.outcome.empty()) << row.id;
    }
    const std::map<std::string, std::size_t> expected{{"entry_checks", 390},
                                                      {"vmcs_fields", 206},
                                                      {"controls", 126},
                                                      {"exit_reasons", 80},
                                                      {"vm_instruction_errors", 26},
                                                      {"vmx_cap_msrs", 58}};
    EXPECT_EQ(rows, expected);
}

TEST(RuleRows, AreFoundByTheirIds) {
    for (const std::string_view id : {"guest.int.sti_needs_if",
                                      "vmcs_fields.guest_rip",
                                      "controls.pin.virtual_nmis",
                                      "controls.exit.rsvd3_8",
                                      "controls.exit.rsvd0",
                                      "controls.entry.rsvd3_8",
                                      "controls.entry.rsvd12",
                                      "controls.primary.rsvd4",
                                      "exit_reasons.cpuid",
                                      "vm_instruction_errors.invalid_control_fields",
                                      "vmx_cap_msrs.ept.walk5"}) {
        const RuleRow* row = find_rule_row(id);
        ASSERT_NE(row, nullptr) << id;
        EXPECT_EQ(row->id, id);
    }
    EXPECT_EQ(find_rule_row("controls.exit.rsvd4"), nullptr);
    EXPECT_EQ(find_rule_row(""), nullptr);
    EXPECT_EQ(find_rule_row("vmcs_fields.guest_rip")->outcome, "encoding 0x681e");
    EXPECT_EQ(find_rule_row("controls.pin.virtual_nmis")->outcome, "bit 5 of pin_controls");
    EXPECT_EQ(find_rule_row("guest.int.sti_needs_if")->reads,
              (std::vector<std::string>{"guest_interruptibility", "guest_rflags"}));
}

TEST(RuleRows, AreSearchedInAllTheirParts) {
    const auto has = [](std::string_view text, std::string_view id) {
        for (const RuleRow* row : rule_rows_with(text))
            if (row->id == id) return true;
        return false;
    };
    EXPECT_TRUE(has("BLOCKING BY sti", "guest.int.sti_needs_if"));
    EXPECT_TRUE(has("guest_interruptibility", "guest.int.sti_needs_if"));
    EXPECT_TRUE(has("0x681e", "vmcs_fields.guest_rip"));
    EXPECT_TRUE(rule_rows_with("no rule says this").empty());
    EXPECT_EQ(rule_rows_with("").size(), all_rule_rows().size());
}

TEST(RulesJson, HasTheContractsKeys) {
    const auto object = json::parse(rules_json(every_row()));
    EXPECT_EQ(object["schema"], "hyperstep/rules/1");
    ASSERT_EQ(object["rules"].size(), all_rule_rows().size());
    for (const auto& row : object["rules"])
        for (const char* key : {"id", "table", "section", "rule", "outcome", "reads", "options"})
            ASSERT_TRUE(row.contains(key)) << row;
}

TEST(Coverage, NamesWhatIsMissing) {
    std::set<std::string, std::less<>> hit;
    ASSERT_TRUE(
        add_coverage("{\"id\":\"guest.int.sti_needs_if\",\"outcome\":\"x\"}\n\n{\"id\":\"unheard.of\","
                     "\"outcome\":\"x\"}\n",
                     hit));
    const auto tables = coverage_of(hit);
    ASSERT_EQ(tables.size(), 1U);
    const TableCoverage& checks = tables.at("entry_checks");
    EXPECT_EQ(checks.total, 390U);
    EXPECT_EQ(checks.hit, 1U);
    EXPECT_EQ(checks.missing.size(), 389U);
    hit.insert("exit_reasons.cpuid");
    EXPECT_EQ(coverage_of(hit).at("exit_reasons").hit, 1U);
    const auto object = json::parse(coverage_json(tables));
    EXPECT_EQ(object["tables"]["entry_checks"]["total"], 390);
    EXPECT_EQ(object["tables"]["entry_checks"]["hit"], 1);
    EXPECT_EQ(object["tables"]["entry_checks"]["missing"].size(), 389U);
}

TEST(Coverage, RefusesOtherLines) {
    for (const std::string_view line :
         {"{\"outcome\":\"x\"}", "[]", "{\"id\":1}", "nonsense", "{\"id\":\"a\"", "null"}) {
        std::set<std::string, std::less<>> hit;
        const auto added = add_coverage("\n" + std::string{line} + "\n", hit);
        ASSERT_FALSE(added) << line;
        EXPECT_EQ(added.error().line, 2U);
    }
}

TEST(Quirks, ListEveryOption) {
    const auto object = json::parse(quirks_json());
    EXPECT_TRUE(object["quirks"].empty());
    EXPECT_EQ(object["options"].size(), vmx::all_options().size());
    EXPECT_EQ(object["options"][0]["name"], "control_and_host_order");
    EXPECT_EQ(object["options"][0]["default"], "controls-first");
    EXPECT_NE(quirks_text().find("Deviations from the hardware: none."), std::string::npos);
}

TEST(FieldsJson, GivesBothEncodings) {
    const vmx::Capabilities coffee_lake = *vmx::preset("coffee-lake");
    const auto object = json::parse(fields_json(&coffee_lake));
    ASSERT_EQ(object["fields"].size(), 206U);
    std::map<std::string, json> by_name;
    for (const auto& f : object["fields"]) by_name[f["name"]] = f;
    EXPECT_EQ(by_name["eptp"]["encoding"], "0x201a");
    EXPECT_EQ(by_name["eptp"]["high"], "0x201b");
    EXPECT_EQ(by_name["guest_rip"]["high"], nullptr);
    EXPECT_EQ(by_name["guest_rip"]["width"], "natural");
    EXPECT_EQ(by_name["exit_reason"]["type"], "exit");
    EXPECT_EQ(by_name["guest_rip"]["exists"], true);
    EXPECT_EQ(by_name["tsc_multiplier"]["exists"], false);
    const auto decoded = json::parse(encoding_json(0x201b));
    EXPECT_EQ(decoded["field"]["name"], "eptp");
    EXPECT_EQ(decoded["access"], "high");
    EXPECT_EQ(json::parse(encoding_json(0x6830))["field"], nullptr);
}

TEST(ProcessorJson, NamesControlsAndCanBeReadAsMsrs) {
    const NamedProcessor cpu = *named_processor("coffee-lake");
    const std::string text = processor_json(cpu);
    const auto object = json::parse(text);
    EXPECT_EQ(object["msrs"]["0x48b"], "0x5fbcff00000000");
    EXPECT_EQ(object["facts"]["MAXPHYADDR"], 39);
    std::map<std::string, json> controls;
    for (const auto& c : object["controls"]) controls[c["name"]] = c;
    EXPECT_EQ(controls["secondary.mode_based_execute"]["allowed"], true);
    EXPECT_EQ(controls["secondary.virtual_interrupt_delivery"]["allowed"], false);
    EXPECT_EQ(controls["primary.rsvd1"]["required"], true);
    EXPECT_EQ(controls["primary.cr3_load_exiting"]["required"], false);
    EXPECT_EQ(json::parse(processor_json({"x", "", {}}))["facts"]["MAXPHYADDR"], nullptr);
}

TEST(Differences, AreBetweenWordsControlsAndBits) {
    const auto a = *named_processor("coffee-lake");
    const auto b = *named_processor("broadwell-ep");
    std::map<std::string, std::pair<std::string, std::string>> by_name;
    for (const CapabilityDifference& d : differences(a.capabilities, b.capabilities))
        by_name[d.name] = {d.a, d.b};
    EXPECT_EQ(by_name["MAXPHYADDR"], (std::pair<std::string, std::string>{"39", "46"}));
    EXPECT_EQ(by_name["pin.process_posted_interrupts"],
              (std::pair<std::string, std::string>{"not allowed", "allowed"}));
    EXPECT_EQ(by_name["ept.adv_info"], (std::pair<std::string, std::string>{"1", "0"}));
    EXPECT_FALSE(by_name.contains("IA32_VMX_CR0_FIXED0"));
    EXPECT_TRUE(differences(a.capabilities, a.capabilities).empty());
    EXPECT_EQ(differences_text(a, a), "");
    EXPECT_EQ(setting_of({}, vmx::primary::hlt_exiting), ControlSetting::unknown);
}

TEST(EntryTrial, EntersIsRefusedOrLeavesItOpen) {
    const vmx::State good = base_state(vmx::BaseState::long_mode);
    EXPECT_EQ(try_entry(good).result, EntryTrial::Result::enters);
    EXPECT_EQ(trial_json(try_entry(good), good),
              R"({"schema":"hyperstep/vmcs/1","first":null,"outcome":"enter","rows":[]})");

    vmx::State blocked = good;
    blocked.set(vmx::Slot::guest_interruptibility, 1);
    blocked.set(vmx::Slot::guest_rflags, 2);
    const auto refused = json::parse(trial_json(try_entry(blocked), blocked));
    EXPECT_EQ(refused["first"], "guest.int.sti_needs_if");
    EXPECT_EQ(refused["outcome"], "exit");
    EXPECT_EQ(refused["reason"], 0x8000'0021U);
    EXPECT_EQ(refused["qualification"], "0x0");
    ASSERT_EQ(refused["rows"].size(), 1U);
    EXPECT_EQ(refused["rows"][0]["standing"], "broken");
    EXPECT_EQ(refused["rows"][0]["fields"]["guest_rflags"], "0x2");
    EXPECT_NE(trial_text(try_entry(blocked), blocked).find("refused: exit 0x80000021"), std::string::npos);

    vmx::State vm_fail = good;
    vm_fail.set(vmx::Slot::pin_controls, 0);
    const auto failed = json::parse(trial_json(try_entry(vm_fail), vm_fail));
    EXPECT_EQ(failed["outcome"], "vmfail_valid");
    EXPECT_EQ(failed["error"], 7);

    vmx::State no_vmx = good;
    no_vmx.set(vmx::Slot::in_vmx_operation, 0);
    const auto fault = json::parse(trial_json(try_entry(no_vmx), no_vmx));
    EXPECT_EQ(fault["outcome"], "fault");
    EXPECT_EQ(fault["vector"], 6);

    vmx::State partial = good;
    partial.forget(vmx::Slot::guest_rflags);
    const EntryTrial open = try_entry(partial);
    EXPECT_EQ(open.result, EntryTrial::Result::cannot_be_told);
    EXPECT_EQ(json::parse(trial_json(open, partial))["outcome"], "unknown");
}

// Every generated line can be read again, and its state is what the line says.
TEST(Boundaries, SurviveTheirJson) {
    for (const vmx::Boundary& b : vmx::all_boundaries()) {
        SCOPED_TRACE(b.id);
        for (const BoundarySide side : {BoundarySide::broken, BoundarySide::twin}) {
            if (side == BoundarySide::broken && b.broken.empty()) continue;
            const auto line = json::parse(boundary_json(b, side));
            EXPECT_EQ(line["rule"], b.id);
            const auto read = read_state(line["state"].dump());
            ASSERT_TRUE(read) << read.error().what;
            const auto first = first_broken(read->state);
            if (side == BoundarySide::twin) {
                EXPECT_EQ(line["side"], "twin");
                EXPECT_FALSE(first) << check_of(*first).id;
            } else {
                EXPECT_EQ(line["side"], "broken");
                ASSERT_TRUE(first);
                EXPECT_EQ(check_of(*first).id, b.id);
            }
        }
    }
}

TEST(NearestNames, AreThoseWithTheFewestChanges) {
    const std::vector<std::string> names{"guest_rip", "guest_rsp", "host_rip", "exit_reason", "vpid"};
    EXPECT_EQ(nearest_names("guest_rip", names).front(), "guest_rip");
    EXPECT_EQ(nearest_names("GUEST_RIPP", names).front(), "guest_rip");
    EXPECT_EQ(nearest_names("reason", names), std::vector<std::string>{"exit_reason"});
    EXPECT_EQ(nearest_names("vpdi", names), std::vector<std::string>{"vpid"});
    EXPECT_TRUE(nearest_names("something else", names).empty());
    EXPECT_TRUE(nearest_names("", names).empty());
    EXPECT_EQ(did_you_mean("exit_reson", names), "; did you mean exit_reason?");
    EXPECT_EQ(did_you_mean("something else", names), "");
    EXPECT_EQ(nearest_names(std::string(100'000, 'x'), names).size(), 0U);
}

}  // namespace
}  // namespace hyperstep::explain
