#include <nlohmann/json.hpp>
#include <string>

#include <gtest/gtest.h>

#include "explain/field_bits.hpp"
#include "explain/report_json.hpp"
#include "explain/report_text.hpp"

// A verdict as people and as programs read it.
namespace hyperstep::explain {
namespace {

using nlohmann::json;
using vmx::Slot;

const vmx::Capabilities unknown_processor;

Dump sti_dump() {
    Dump dump;
    dump.format = Format::kvm;
    dump.line_first = 8;
    dump.line_last = 61;
    dump.state.set(Slot::guest_interruptibility, 9);
    dump.state.set(Slot::guest_rflags, 2);
    dump.reported.reason = 0x8000'0021;
    dump.reported.qualification = 0;
    dump.reported.entry_failed = true;
    return dump;
}

/// An EPT violation: a write to a page that is readable, at a linear address.
Dump ept_violation() {
    Dump dump;
    dump.format = Format::kvm;
    dump.line_first = dump.line_last = 1;
    dump.state.set(Slot::guest_physical_address, 0xfee0'0000);
    dump.reported.reason = 48;
    dump.reported.qualification = 0x18a;
    return dump;
}

std::string text_of(const Dump& dump, TextOptions options = {}) {
    return report_text(dump, unknown_processor, judge(dump, unknown_processor), options);
}

json json_of(const Dump& dump, Listing listing = Listing::findings) {
    const JudgedDump judged{dump, judged_state(dump, unknown_processor), judge(dump, unknown_processor)};
    return json::parse(report_json(std::span{&judged, 1}, listing));
}

#define EXPECT_SAYS(text, words)     EXPECT_NE((text).find(words), std::string::npos) << (text)
#define EXPECT_NOT_SAYS(text, words) EXPECT_EQ((text).find(words), std::string::npos) << (text)

TEST(ReportText, ABrokenCheckComesWithItsValuesAndItsRepair) {
    const std::string text = text_of(sti_dump());
    EXPECT_SAYS(text, "lines 8 to 61");
    EXPECT_SAYS(text, "The VM entry failed: exit reason 0x80000021, qualification 0x0");
    EXPECT_SAYS(text, "guest.int.sti_needs_if");
    EXPECT_SAYS(text, "SDM \"Checks on Guest Non-Register State\"");
    EXPECT_SAYS(text, "guest_interruptibility = 0x9 (blocking by STI, blocking by NMI)");
    EXPECT_SAYS(text, "guest_rflags = 0x2");
    EXPECT_SAYS(text, "smallest change: guest_interruptibility: 0x9 -> 0x8 (clear bit 0)");
    EXPECT_SAYS(text, "This agrees with what was reported.");
    EXPECT_NOT_SAYS(text, "\x1b");
}

TEST(ReportText, AnExitIsNoFailedEntry) {
    const std::string text = text_of(ept_violation());
    EXPECT_SAYS(text, "This is not a failed VM entry");
    EXPECT_SAYS(text, "EPT violation: data write");
    EXPECT_SAYS(text, "guest_physical_address = 0xfee00000");
    EXPECT_SAYS(text, "Nothing is broken");
}

TEST(ReportText, AFailureWithoutABrokenCheckSaysWhatToCollect) {
    Dump dump = sti_dump();
    dump.state.forget(Slot::guest_rflags);
    const std::string text = text_of(dump);
    EXPECT_SAYS(text, "Nothing is broken in what the dump shows");
    EXPECT_SAYS(text, "kvm_intel.dump_invalid_vmcs=1");
    EXPECT_SAYS(text, "guest_rflags");
}

TEST(ReportText, ADisagreementIsSaid) {
    Dump dump = sti_dump();
    dump.reported.qualification = 4;
    EXPECT_SAYS(text_of(dump), "does not account for what was reported");
}

TEST(ReportText, ColourAndAllRulesAreOnRequest) {
    const std::string text = text_of(sti_dump(), {Colour::ansi, Listing::all_rules});
    EXPECT_SAYS(text, "\x1b[1;31m");
    for (const vmx::EntryCheck& check : vmx::all_checks()) EXPECT_SAYS(text, check.id);
}

TEST(ReportText, StaysShort) {
    Dump dump;
    dump.reported.entry_failed = true;
    const std::string text = text_of(dump);
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 40);
}

TEST(ReportJson, HasTheContractsKeys) {
    const json object = json_of(sti_dump());
    EXPECT_EQ(object["schema"], "hyperstep/explain/1");
    ASSERT_EQ(object["dumps"].size(), 1U);
    const json& dump = object["dumps"][0];
    EXPECT_EQ(dump["format"], "kvm");
    EXPECT_EQ(dump["line_first"], 8);
    EXPECT_EQ(dump["line_last"], 61);
    EXPECT_EQ(
        dump["reported"],
        json::parse(
            R"({"reason":"0x80000021","qualification":"0x0","instruction_error":null,"entry_failed":true})"));
    EXPECT_EQ(dump["verdict"], "broken");
    EXPECT_EQ(dump["agrees"], true);
    EXPECT_EQ(dump["suspects"], json::array());
    ASSERT_EQ(dump["broken"].size(), 1U);
    const json& row = dump["broken"][0];
    EXPECT_EQ(row["id"], "guest.int.sti_needs_if");
    EXPECT_EQ(row["section"], "Checks on Guest Non-Register State");
    EXPECT_EQ(row["fields"], json::parse(R"({"guest_interruptibility":"0x9","guest_rflags":"0x2"})"));
    EXPECT_TRUE(row["fix"].is_string());
    EXPECT_TRUE(row["rule"].is_string());
    ASSERT_FALSE(dump["unknown"].empty());
    EXPECT_TRUE(dump["unknown"][0]["needs"].is_array());
}

TEST(ReportJson, DecodesTheExit) {
    const json dump = json_of(ept_violation())["dumps"][0];
    EXPECT_EQ(dump["verdict"], "holds");
    EXPECT_EQ(dump["agrees"], nullptr);
    EXPECT_EQ(dump["exit"]["reason"], "ept_violation");
    EXPECT_EQ(dump["exit"]["number"], 48);
    EXPECT_EQ(dump["exit"]["qualification"], "0x18a");
    EXPECT_EQ(dump["exit"]["fields"], json::parse(R"({"guest_physical_address":"0xfee00000"})"));
    EXPECT_FALSE(dump["exit"]["qualification_bits"].empty());
}

TEST(ReportJson, AnInstructionErrorIsNoExit) {
    Dump dump = sti_dump();
    dump.reported.reason.reset();
    dump.reported.qualification.reset();
    dump.reported.instruction_error = 7;
    const json object = json_of(dump)["dumps"][0];
    EXPECT_EQ(object["exit"], nullptr);
    EXPECT_EQ(object["reported"]["instruction_error"], "0x7");
    EXPECT_EQ(object["agrees"], false);
}

TEST(ReportJson, AllRulesOnRequest) {
    EXPECT_EQ(json_of(sti_dump(), Listing::all_rules)["dumps"][0]["rules"].size(), vmx::all_checks().size());
    EXPECT_FALSE(json_of(sti_dump())["dumps"][0].contains("rules"));
}

TEST(ReportJson, NoDumpsAreAnEmptyList) {
    EXPECT_EQ(json::parse(report_json({})), json::parse(R"({"schema":"hyperstep/explain/1","dumps":[]})"));
}

struct Spelling {
    Slot slot;
    std::uint64_t value;
    std::string words;
};

// Each line is read off the manual's layout of the register or field.
TEST(FieldBits, SpellTheManualsNames) {
    const Spelling spellings[] = {
        {Slot::guest_interruptibility, 0x9, "blocking by STI, blocking by NMI"},
        {Slot::guest_interruptibility, 0x42, "blocking by MOV SS, bit 6"},
        {Slot::guest_cr0, 0x8000'0011, "PE, ET, PG"},
        {Slot::guest_cr0, 0x5'0032, "MP, ET, NE, WP, AM"},
        {Slot::guest_cr4, 0x2020, "PAE, VMXE"},
        {Slot::guest_efer, 0xd01, "SCE, LME, LMA, NXE"},
        {Slot::guest_rflags, 0x2, "bit 1, IF is 0"},
        {Slot::guest_rflags, 0x2'3202, "bit 1, IF, VM, IOPL 3"},
        {Slot::guest_activity_state, 3, "wait-for-SIPI"},
        {Slot::guest_pending_dbg, 0x4000, "BS"},
        {Slot::guest_dr7, 0x4000'0000'0000'0001, "L0, bit 62"},
        {Slot::guest_cs_ar, 0xa09b, "type 11 (code, execute/read, accessed), S 1, DPL 0, present, L, G"},
        {Slot::guest_ds_ar, 0xc0f2, "type 2 (data, read/write, not accessed), S 1, DPL 3, present, D/B, G"},
        {Slot::guest_tr_ar, 0x8b, "type 11 (32/64-bit TSS, busy), S 0, DPL 0, present"},
        {Slot::guest_ldtr_ar, 0x1'0000, "unusable, type 0 (reserved), S 0, DPL 0, not present"},
        {Slot::eptp, 0x1'1aa2'd01e, "memory type 6 (WB), 4-level walk, table at 0x11aa2d000"},
        {Slot::entry_intr_info, 0x8000'0b0d, "hardware exception #GP (vector 13), with an error code"},
        {Slot::secondary_controls, 0x82, "enable_ept, unrestricted_guest"},
        {Slot::pin_controls, 0x16, ""},
        {Slot::guest_rip, 0x1000, ""},
        {Slot::guest_gs_sel, 0x2b, "index 5, GDT, RPL 3"},
        {Slot::host_pat,
         0x0000'0501'0007'0406,
         "PA0 WB, PA1 WT, PA2 UC-, PA3 UC, PA4 WC, PA5 WP, PA6 UC, PA7 UC"},
    };
    for (const Spelling& s : spellings)
        EXPECT_EQ(bits_in_words(s.slot, s.value), s.words) << vmx::info(s.slot).name;
    EXPECT_EQ(value_in_words(Slot::guest_rip, 0x1000), "0x1000");
}

}  // namespace
}  // namespace hyperstep::explain
