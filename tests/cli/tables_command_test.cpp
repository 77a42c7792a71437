#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/run_command.hpp"

// rules, vmcs, cpu and generate as a shell sees them.
namespace hyperstep::cli {
namespace {

TEST(Commands, HaveHelpWithAnExample) {
    const std::vector<std::vector<std::string>> commands{
        {"rules"}, {"vmcs"}, {"vmcs", "check"}, {"cpu"}, {"cpu", "diff"}, {"generate"}};
    for (auto arguments : commands) {
        arguments.push_back("--help");
        const Outcome o = run(arguments);
        EXPECT_EQ(o.status, 0);
        EXPECT_TRUE(has(o.out, "Examples:")) << o.out;
    }
}

struct Case {
    std::vector<std::string> arguments;
    int status;
    std::string_view out, err;  ///< parts of what is printed
};

TEST(Commands, AnswerWithTextAndStatus) {
    const Case cases[] = {
        {{"rules", "--id", "guest.int.sti_needs_if"}, 0, "outcome: exit 0x80000021, qualification 0", ""},
        {{"rules", "--id", "guest.int.sti_needs_iff"}, 2, "", "did you mean guest.int.sti_needs_if?"},
        {{"rules", "--grep", "blocking by sti"}, 0, "guest.int.sti_needs_if", ""},
        {{"rules", "--json", "--id", "exit_reasons.cpuid"},
         0,
         R"({"schema":"hyperstep/rules/1","rules":[{"id":"exit_reasons.cpuid")",
         ""},
        {{"rules", "--quirks"}, 0, "Deviations from the hardware: none.", ""},
        {{"rules", "--coverage", "/no/such/folder"}, 2, "", "/no/such/folder"},
        {{"vmcs", "encode", "guest_rip"}, 0, "0x681e\n", ""},
        {{"vmcs", "encode", "eptp"}, 0, "0x201a (bits 63:32: 0x201b)\n", ""},
        {{"vmcs", "encode", "guest_ripp"}, 2, "", "did you mean guest_rip"},
        {{"vmcs", "decode", "0x681e"}, 0, "guest_rip (Guest RIP)", ""},
        {{"vmcs", "decode", "201B"}, 0, "eptp (EPT pointer (EPTP))", ""},
        {{"vmcs", "decode", "0x6830"}, 1, "no field has this encoding", ""},
        {{"vmcs", "decode", "rip"}, 2, "", "is not an encoding; write it in hexadecimal"},
        {{"vmcs", "decode", "0x100000000"}, 2, "", "is not an encoding"},
        {{"vmcs", "fields"}, 0, "guest_rip", ""},
        {{"vmcs", "fields", "--cpu", "coffee-lake"}, 0, "[does not exist on this processor]", ""},
        {{"vmcs", "new", "--preset", "long-mod"}, 2, "", "did you mean long-mode?"},
        {{"vmcs"}, 2, "", "hyperstep: "},
        {{"cpu", "list"}, 0, "coffee-lake", ""},
        {{"cpu", "show", "coffee-lake"}, 0, "secondary.mode_based_execute", ""},
        {{"cpu", "show", "cofee-lake"}, 2, "", "did you mean coffee-lake?"},
        {{"cpu", "show", "max"}, 0, "Features of real processors that are not emulated", ""},
        {{"cpu", "show", "max", "--json"}, 0, "\"not_emulated\":[{", ""},
        {{"cpu", "show", "coffee-lake"}, 0, "  sgx  ", ""},
        {{"cpu", "list"}, 0, "max            Hyperstep", ""},
        {{"cpu", "show"}, 2, "", "name a processor"},
        {{"cpu", "diff", "all", "all"}, 0, "", ""},
        {{"cpu", "diff", "coffee-lake", "broadwell-ep"}, 1, "MAXPHYADDR", ""},
        {{"cpu", "diff", "all", "zz"}, 2, "", "no processor is named \"zz\"; there are coffee-lake"},
        {{"generate"}, 2, "", "--rule ID or --all"},
        {{"generate", "--rule", "guest.int.sti"}, 2, "", "did you mean guest.int.sti"},
        {{"generate", "--rule", "guest.int.sti_needs_if"},
         0,
         R"("rule":"guest.int.sti_needs_if","side":"broken")",
         ""},
    };
    for (const Case& c : cases) {
        std::string line;
        for (const std::string& argument : c.arguments) line += argument + ' ';
        SCOPED_TRACE(line);
        const Outcome o = run(c.arguments);
        EXPECT_EQ(o.status, c.status) << o.err;
        EXPECT_TRUE(has(o.out, c.out)) << o.out;
        EXPECT_TRUE(has(o.err, c.err)) << o.err;
        EXPECT_EQ(o.err.empty(), c.status != 2) << o.err;
    }
}

TEST(VmcsCommand, ChecksWhatItMade) {
    const Folder folder;
    for (const char* preset : {"long-mode", "pae", "protected-32", "real-mode", "virtual-8086", "host-32"}) {
        const Outcome made = run({"vmcs", "new", "--preset", preset});
        ASSERT_EQ(made.status, 0);
        const std::string file = folder.write(preset, made.out);
        const Outcome checked = run({"vmcs", "check", "--json", file.c_str()});
        EXPECT_EQ(checked.status, 0) << preset << checked.out << checked.err;
        EXPECT_EQ(checked.out,
                  "{\"schema\":\"hyperstep/vmcs/1\",\"first\":null,\"outcome\":\"enter\",\"rows\":[]}\n");
    }
}

TEST(VmcsCommand, RefusedIs1UnreadableIs2) {
    const Folder folder;
    const std::string refused =
        folder.write("refused", R"({"schema":"hyperstep/state/1","complete":true,"fields":{}})");
    const Outcome o = run({"vmcs", "check", "--json", refused.c_str()});
    EXPECT_EQ(o.status, 1);
    EXPECT_TRUE(has(o.out, "\"first\":\""));
    EXPECT_EQ(run({"vmcs", "check", refused.c_str()}).status, 1);
    const std::string open =
        folder.write("open", R"({"schema":"hyperstep/state/1","complete":false,"fields":{}})");
    EXPECT_EQ(run({"vmcs", "check", open.c_str()}).status, 2);
    const std::string no_state = folder.write("no_state", "hello");
    EXPECT_EQ(run({"vmcs", "check", no_state.c_str()}).status, 2);
    EXPECT_EQ(run({"vmcs", "check", "/no/such/file"}).status, 2);
    EXPECT_TRUE(has(run({"vmcs", "check", "/dev/zero"}).err, "/dev/zero: is longer than"));
    EXPECT_TRUE(has(run({"cpu", "show", "--msrs", "/dev/zero"}).err, "/dev/zero: is longer than"));
    EXPECT_EQ(run({"vmcs", "check", "--cpu", "no-such-cpu", refused.c_str()}).status, 2);
}

TEST(CpuCommand, ShowsMsrsFromAFile) {
    const Folder folder;
    const std::string msrs = folder.write("msrs", "0x48b: 0x5fbcff00000000\n0x3a: 5\n");
    const Outcome o = run({"cpu", "show", "--msrs", msrs.c_str()});
    EXPECT_EQ(o.status, 0);
    EXPECT_TRUE(has(o.out, "0x5fbcff00000000"));
    EXPECT_TRUE(has(o.err, "line 2: 0x3a is not a VMX capability"));
    // What `show --json` prints can be given back.
    const std::string shown = folder.write("shown", run({"cpu", "show", "coffee-lake", "--json"}).out);
    const Outcome again = run({"cpu", "show", "--msrs", shown.c_str()});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(has(again.out, "0xda040000000004"));
    EXPECT_EQ(again.err, "");
}

TEST(RulesCommand, CoverageIsCompleteOrNamesWhatIsMissing) {
    const Folder folder;
    EXPECT_EQ(run({"rules", "--coverage", folder.path().c_str()}).status, 1);
    folder.write("a.jsonl", "{\"id\":\"guest.int.sti_needs_if\",\"outcome\":\"x\"}\n");
    folder.write("ignored.txt", "nonsense\n");
    const std::string path = folder.path();
    const Outcome some = run({"rules", "--coverage", path.c_str()});
    EXPECT_EQ(some.status, 1);
    EXPECT_TRUE(has(some.err, "entry_checks: 1 of 390"));
    EXPECT_FALSE(has(some.err, "missing: guest.int.sti_needs_if\n"));
    // All the rules that `generate --all` breaks or keeps.
    const Outcome all = run({"generate", "--all"});
    EXPECT_EQ(all.status, 0);
    std::string lines;
    std::istringstream in{all.out};
    for (std::string line; std::getline(in, line);) {
        const auto at = line.find("\"rule\":\"") + 8;
        lines += "{\"id\":\"" + line.substr(at, line.find('"', at) - at) + "\",\"outcome\":\"x\"}\n";
    }
    folder.write("b.jsonl", lines);
    const Outcome complete = run({"rules", "--json", "--coverage", path.c_str()});
    EXPECT_EQ(complete.status, 0) << complete.out;
    EXPECT_TRUE(has(complete.out, R"("entry_checks":{"total":390,"hit":390,"missing":[]})"));
    folder.write("c.jsonl", "nonsense\n");
    const Outcome bad = run({"rules", "--coverage", path.c_str()});
    EXPECT_EQ(bad.status, 2);
    EXPECT_TRUE(has(bad.err, "c.jsonl:1: expected a line such as"));
}

}  // namespace
}  // namespace hyperstep::cli
