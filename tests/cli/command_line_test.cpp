#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/run_command.hpp"

namespace hyperstep::cli {
namespace {

bool is_one_line(const std::string& text) {
    return !text.empty() && text.find('\n') == text.size() - 1;
}

/// A file that lives as long as the test.
class TextFile {
public:
    explicit TextFile(std::string_view text) {
        static int number = 0;
        path_ = (std::filesystem::temp_directory_path() /
                 ("hyperstep_cli_" + std::to_string(::getpid()) + "_" + std::to_string(number++)))
                    .string();
        std::ofstream{path_, std::ios::binary} << text;
    }
    ~TextFile() { std::filesystem::remove(path_); }
    TextFile(const TextFile&) = delete;
    TextFile& operator=(const TextFile&) = delete;
    const char* path() const { return path_.c_str(); }

private:
    std::string path_;
};

constexpr std::string_view sti_without_if = R"({"schema":"hyperstep/state/1","complete":false,"fields":{)"
                                            R"("guest_interruptibility":"0x9","guest_rflags":"0x2"}})"
                                            "\n";
constexpr std::string_view sti_with_if = R"({"schema":"hyperstep/state/1","complete":false,"fields":{)"
                                         R"("guest_interruptibility":"0x1","guest_rflags":"0x202"}})"
                                         "\n";

TEST(CommandLine, HelpHasExamplesAndVersionTheVersion) {
    const Outcome help = run({"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_TRUE(has(help.out, "hyperstep explain"));
    EXPECT_TRUE(has(help.out, "Exit status"));
    EXPECT_TRUE(help.out.ends_with("internal error.\n"));
    const Outcome version = run({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_TRUE(has(version.out, "hyperstep 0."));
}

TEST(CommandLine, BadUsageIsOneLineAndStatus2) {
    const std::vector<std::vector<std::string>> bad{{},
                                                    {"frobnicate"},
                                                    {"explain", "--frobnicate"},
                                                    {"explain", "--colour", "sometimes"},
                                                    {"explain", "--cpu"}};
    for (const auto& arguments : bad) {
        const Outcome o = run(arguments);
        EXPECT_EQ(o.status, 2);
        EXPECT_EQ(o.out, "");
        EXPECT_TRUE(is_one_line(o.err)) << o.err;
        EXPECT_TRUE(o.err.starts_with("hyperstep: ")) << o.err;
    }
}

TEST(CommandLine, AnUnknownSubcommandIsNamed) {
    EXPECT_EQ(run({"frobnicate", "x"}).err,
              "hyperstep: there is no subcommand \"frobnicate\" (see hyperstep --help)\n");
}

TEST(ExplainCommand, BrokenIs1HoldsIs0NothingIs2) {
    const TextFile broken{sti_without_if};
    const TextFile fine{sti_with_if};
    const TextFile nothing{"no dump here\n"};
    EXPECT_EQ(run({"explain", broken.path()}).status, 1);
    EXPECT_EQ(run({"explain", fine.path()}).status, 0);
    EXPECT_EQ(run({"explain", fine.path(), broken.path()}).status, 1);
    const Outcome none = run({"explain", nothing.path()});
    EXPECT_EQ(none.status, 2);
    EXPECT_TRUE(has(none.err, "no dump was recognised"));
    EXPECT_EQ(run({"explain", nothing.path(), fine.path()}).status, 0);
}

TEST(ExplainCommand, NamesTheBrokenCheck) {
    const TextFile broken{sti_without_if};
    const Outcome o = run({"explain", broken.path()});
    EXPECT_TRUE(has(o.out, "guest.int.sti_needs_if"));
    EXPECT_FALSE(has(o.out, "\x1b")) << "colour is for terminals";
    EXPECT_TRUE(has(run({"explain", "--colour", "always", broken.path()}).out, "\x1b["));
}

TEST(ExplainCommand, JsonIsAloneOnStdoutOneObjectAnInput) {
    const TextFile broken{sti_without_if};
    const TextFile empty{""};
    const Outcome o = run({"explain", "--json", broken.path(), empty.path()});
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 2);
    EXPECT_TRUE(o.out.starts_with(R"({"schema":"hyperstep/explain/1","dumps":[{"format":"hyperstep")"));
    EXPECT_TRUE(o.out.ends_with("\n{\"schema\":\"hyperstep/explain/1\",\"dumps\":[]}\n"));
}

// A complete state of our own: fields that are not given are 0, and a zero exit reason is no report.
TEST(ExplainCommand, ACompleteStateReportsNoExit) {
    const TextFile state{R"({"schema":"hyperstep/state/1","cpu":"all","complete":true,"fields":{}})"
                         "\n"};
    const Outcome o = run({"explain", "--json", state.path()});
    EXPECT_EQ(o.status, 1);
    EXPECT_TRUE(has(o.out, R"("reported":{"reason":null,"qualification":null)"));
    EXPECT_TRUE(has(o.out, R"("agrees":null)"));
    EXPECT_TRUE(has(o.out, R"("exit":null)"));
    EXPECT_FALSE(has(o.out, "instr.")) << "a running hypervisor is what is not given";
}

TEST(ExplainCommand, UnreadableInputIs2) {
    const Outcome missing = run({"explain", "/nonexistent/dump.txt"});
    EXPECT_EQ(missing.status, 2);
    EXPECT_TRUE(has(missing.err, "/nonexistent/dump.txt: No such file"));
    const Outcome folder = run({"explain", "/"});
    EXPECT_EQ(folder.status, 2);
    EXPECT_TRUE(has(folder.err, "/: Is a directory"));
}

TEST(ExplainCommand, TheProcessorIsAPresetOrAListOfMsrs) {
    const TextFile fine{sti_with_if};
    const TextFile msrs{"0x488: 0x2000\n"};
    const TextFile wrong{"0x488: 0x2000\n0x489: oops\n"};
    EXPECT_EQ(run({"explain", "--cpu", "coffee-lake", "--msrs", msrs.path(), fine.path()}).status, 0);
    const Outcome unknown = run({"explain", "--cpu", "pentium", fine.path()});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_TRUE(has(unknown.err, "coffee-lake"));
    const Outcome refused = run({"explain", "--msrs", wrong.path(), fine.path()});
    EXPECT_EQ(refused.status, 2);
    EXPECT_TRUE(has(refused.err, ":2: "));
}

TEST(ExplainCommand, BinaryInputIsNoDump) {
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) bytes.push_back(static_cast<char>(i * 37));
    const TextFile binary{bytes};
    EXPECT_EQ(run({"explain", binary.path()}).status, 2);
}

}  // namespace
}  // namespace hyperstep::cli
