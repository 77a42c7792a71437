#include "tests/cli/run_command.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/json_lines.hpp"

// `hyperstep run` as CONTRACTS has it: statuses, output, the result file.
namespace hyperstep::cli {
namespace {

using Code = std::vector<std::uint8_t>;

/// A multiboot image by address fields: 32 bytes of header at 1 MiB, then the code.
std::string image_of(const Code& code) {
    constexpr std::uint32_t magic = 0x1bad'b002, flags = 1 << 16, address = 0x10'0000;
    constexpr std::array<std::uint32_t, 8> header{
        magic, flags, 0U - magic - flags, address, address, 0, 0, address + 32};
    std::string image;
    for (const std::uint32_t word : header)
        for (unsigned i = 0; i < 4; ++i) image += static_cast<char>(word >> (8 * i));
    for (const std::uint8_t byte : code) image += static_cast<char>(byte);
    return image;
}

Code operator+(Code a, const Code& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
const Code halt{0xfa, 0xf4};      // cli; hlt
const Code for_ever{0xeb, 0xfe};  // jmp $
Code out_byte(std::uint16_t port, std::uint8_t value) {
    return {
        0x66, 0xba, static_cast<std::uint8_t>(port), static_cast<std::uint8_t>(port >> 8), 0xb0, value, 0xee};
}
Code print(const std::string& text) {
    Code code;
    for (const char each : text) code = code + out_byte(0x3f8, static_cast<std::uint8_t>(each));
    return code;
}
Code debug_exit(std::uint32_t value) {
    Code code{0xb8};
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return code + Code{0xe7, 0xf4};  // out 0f4h, eax
}

class Run : public testing::Test {
protected:
    Folder folder;

    Outcome run_code(const Code& code, std::vector<std::string> options = {}) {
        return run_image(image_of(code), std::move(options));
    }
    Outcome run_image(const std::string& image, std::vector<std::string> options = {}) {
        options.insert(options.begin(), {"run", folder.write("image", image), "--memory", "16M"});
        return run(options);
    }
    std::string content(const std::string& name) const {
        std::ifstream stream{folder.path() + "/" + name, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    std::string file(const std::string& name) const { return folder.path() + "/" + name; }
    nlohmann::json result_of(const Code& code, std::vector<std::string> options = {}) {
        options.insert(options.end(), {"--result", file("result")});
        run_code(code, std::move(options));
        return nlohmann::json::parse(content("result"));
    }
};

// ---- how a run ends ---------------------------------------------------------------------------------------

TEST_F(Run, EndsAreStatuses) {
    struct Case {
        const char* ended;
        int status;
        Code code;
        std::vector<std::string> options;
    };
    const Case cases[] = {
        {"debug_exit", 1, debug_exit(0), {}},
        {"debug_exit", 43, debug_exit(21), {}},
        {"debug_exit", 255, debug_exit(0xff), {}},
        {"debug_exit", 3, debug_exit(0x8000'0001), {}},
        {"poweroff", 0, Code{0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef} + halt, {}},
        {"reset", 0, out_byte(0xcf9, 6) + halt, {}},
        {"pattern", 0, print("xlogin: y") + for_ever, {"--until-pattern", "login: "}},
        {"triple_fault", 3, {0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b}, {}},
        {"limit", 5, for_ever, {"--max-instructions", "1000"}},
        {"deadlock", 6, halt, {}},
    };
    for (const Case& each : cases) {
        std::vector<std::string> options = each.options;
        options.insert(options.end(), {"--result", file("result")});
        const Outcome outcome = run_code(each.code, options);
        EXPECT_EQ(outcome.status, each.status) << each.ended << outcome.err;
        EXPECT_EQ(nlohmann::json::parse(content("result"))["ended"], each.ended);
    }
}

TEST_F(Run, TheWordAtPort8900TurnsOff) {
    Code code;
    for (const char each : std::string{"Shutdown"})
        code = code + out_byte(0x8900, static_cast<std::uint8_t>(each));
    const auto result = result_of(code + for_ever);
    EXPECT_EQ(result["ended"], "poweroff");
    EXPECT_EQ(result["instructions"], 8 * 3);
}

TEST_F(Run, TheLimitIsExact) {
    for (const char* const limit : {"1", "2", "777", "123456"}) {
        const auto result = result_of(for_ever, {"--max-instructions", limit});
        EXPECT_EQ(result["instructions"].get<std::uint64_t>(), std::stoull(limit));
    }
}

TEST_F(Run, ALoopIsDecodedOnce) {
    EXPECT_EQ(result_of(for_ever, {"--max-instructions", "123456"})["decoded"], 1);
}

TEST_F(Run, ThePatternEndsTheRunWithTheInstructionThatCompletesIt) {
    const auto result = result_of(print("aaab") + for_ever, {"--until-pattern", "aab"});
    EXPECT_EQ(result["ended"], "pattern");
    EXPECT_EQ(result["instructions"], 12);
}

// ---- output -----------------------------------------------------------------------------------------------

TEST_F(Run, SerialIsStdoutByteForByteAndNothingElseIs) {
    const std::string text{"a\r\n\x00\xff", 5};
    const Outcome outcome = run_code(print(text) + debug_exit(0));
    EXPECT_EQ(outcome.out, text);
    EXPECT_EQ(outcome.err, "");
}

TEST_F(Run, TheResultHasTheMembersOfTheContract) {
    const auto result = result_of(print("x") + debug_exit(7), {"--smp", "2"});
    EXPECT_EQ(result["schema"], "hyperstep/run/1");
    EXPECT_EQ(result["code"], 7);
    EXPECT_EQ(result["instructions"], 5);
    EXPECT_EQ(result["virtual_ns"], 5);
    EXPECT_EQ(result["clock"], "virtual");
    const std::string hash = result["state_hash"];
    EXPECT_EQ(hash.size(), 16U);
    EXPECT_EQ(hash.find_first_not_of("0123456789abcdef"), std::string::npos);
    ASSERT_EQ(result["vcpus"].size(), 2U);
    EXPECT_EQ(result["vcpus"][0]["rax"], "0x7");
    EXPECT_EQ(result["vcpus"][0]["rdx"], "0x3f8");
    EXPECT_EQ(result["vcpus"][1]["activity"], "wait_for_sipi");
}

TEST_F(Run, HashLinesAreAtTheirMultiples) {
    const Outcome outcome = run_code(for_ever, {"--max-instructions", "3500", "--state-hash-every", "1000"});
    std::istringstream lines{outcome.err};
    for (const unsigned count : {1000U, 2000U, 3000U}) {
        std::string word, hash;
        unsigned number = 0;
        lines >> word >> number >> hash;
        EXPECT_EQ(word, "hash");
        EXPECT_EQ(number, count);
        EXPECT_EQ(hash.size(), 16U);
    }
}

TEST_F(Run, TheSameCommandIsTheSameRun) {
    const auto once = result_of(print("x") + for_ever, {"--max-instructions", "5000", "--seed", "3"});
    const auto again = result_of(print("x") + for_ever,
                                 {"--max-instructions", "5000", "--seed", "3", "--state-hash-every", "999"});
    EXPECT_EQ(once, again);
}

TEST_F(Run, TheTraceIsJsonLines) {
    run_code(out_byte(0x80, 0x5a) + Code{0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b},
             {"--trace", file("trace"), "--trace-instructions"});
    std::istringstream lines{content("trace")};
    std::vector<nlohmann::json> events;
    for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
    ASSERT_GE(events.size(), 6U);
    EXPECT_EQ(
        events[0],
        (nlohmann::json{
            {"t", 0}, {"cpu", 0}, {"level", 0}, {"ev", "retire"}, {"cs_base", "0x0"}, {"rip", "0x100020"}}));
    const nlohmann::json io{{"t", 2},
                            {"cpu", 0},
                            {"level", 0},
                            {"ev", "io"},
                            {"port", "0x80"},
                            {"bytes", 1},
                            {"write", true},
                            {"value", "0x5a"}};
    EXPECT_NE(std::find(events.begin(), events.end(), io), events.end());
    const auto inject =
        std::find_if(events.begin(), events.end(), [](const auto& e) { return e["ev"] == "inject"; });
    ASSERT_NE(inject, events.end());
    EXPECT_EQ((*inject)["vector"], 6);
    EXPECT_EQ((*inject)["type"], 3);
    EXPECT_EQ((*inject)["rip"], "0x10002e");
}

TEST_F(Run, ADiagnosisNamesThePlace) {
    folder.write("map", "0000000000100020 T start\n0000000000100027 T broken\n");
    const Outcome outcome = run_code({0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b}, {"--symbols", file("map")});
    EXPECT_TRUE(has(outcome.err, "a triple fault on processor 0")) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "at 0x100027 broken"));
    EXPECT_TRUE(has(outcome.err, "=> 0x100027 <broken>: ud2"));
    EXPECT_TRUE(has(outcome.err, "exception 6 at rip 0x100027"));
}

// ---- what the guest is given ------------------------------------------------------------------------------

TEST_F(Run, TheCommandLineBeginsWithTheImagesName) {
    // ebx + 16: the command line; print it up to its zero.
    const Code code{0x8b,
                    0x73,
                    0x10,  // mov esi, [ebx+16]
                    0x66,
                    0xba,
                    0xf8,
                    0x03,  // mov dx, 3f8h
                    0xac,  // next: lodsb
                    0x84,
                    0xc0,  // test al, al
                    0x74,
                    0x03,  // jz done
                    0xee,  // out dx, al
                    0xeb,
                    0xf8};  // jmp next
    EXPECT_EQ(run_code(code + debug_exit(0), {"--append", "n=3 verbose"}).out, "image n=3 verbose");
}

TEST_F(Run, AModuleIsWhereTheListSays) {
    folder.write("module", "M");
    const Code code{0x8b,
                    0x73,
                    0x18,  // mov esi, [ebx+24]: the list
                    0x8b,
                    0x36,
                    0x8a,
                    0x06,  // mov esi, [esi]; mov al, [esi]
                    0x66,
                    0xba,
                    0xf8,
                    0x03,   // mov dx, 3f8h
                    0xee};  // out dx, al
    EXPECT_EQ(run_code(code + debug_exit(0), {"--module", file("module") + ",a b"}).out, "M");
}

// ---- what is refused --------------------------------------------------------------------------------------

TEST_F(Run, BadImagesAreStatus2AndOneLine) {
    const std::string good = image_of(halt);
    std::string elf =
        "\x7f"
        "ELF";
    elf.resize(40, '\1');
    std::string far = good;
    far[15] = far[19] = static_cast<char>(0x70);  // header and load address at 1.75 GiB
    far[31] = 0x70;
    for (const std::string& image :
         {std::string{}, std::string{"not an image"}, good.substr(0, 31), elf, far}) {
        const Outcome outcome = run_image(image);
        EXPECT_EQ(outcome.status, 2) << image.size();
        EXPECT_EQ(outcome.out, "");
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
        EXPECT_TRUE(has(outcome.err, "image: ")) << outcome.err;
    }
    EXPECT_EQ(run({"run", file("missing")}).status, 2);
    EXPECT_EQ(run({"run", folder.path()}).status, 2);
}

TEST_F(Run, BadOptionsAreStatus2) {
    const std::vector<std::vector<std::string>> bad{{"--memory", "1M"},
                                                    {"--memory", "much"},
                                                    {"--memory", "1025G"},
                                                    {"--memory", "99999999999G"},
                                                    {"--smp", "0"},
                                                    {"--smp", "65"},
                                                    {"--cpu", "all"},
                                                    {"--cpu", "z80"},
                                                    {"--clock", "sun"},
                                                    {"--max-instructions", "-1"},
                                                    {"--entry", "0x1000"},
                                                    {"--flat", "here"},
                                                    {"--module", "/nonexistent"},
                                                    {"--symbols", "/nonexistent"},
                                                    {"--result", "/nonexistent/x"},
                                                    {"--trace", "/nonexistent/x"},
                                                    {"--no-such-option"}};
    for (const auto& options : bad) {
        const Outcome outcome = run_code(halt, options);
        EXPECT_EQ(outcome.status, 2) << options.front() << outcome.err;
        EXPECT_FALSE(outcome.err.empty());
    }
    EXPECT_EQ(run({"run"}).status, 2);
}

TEST_F(Run, AFlatImageIsEnteredAsTheUserSays) {
    const std::string code = {'\xb0', '\x01', '\xe6', '\xf4'};  // mov al, 1; out 0f4h, al
    for (const char* const mode : {"real", "protected", "long"})
        EXPECT_EQ(run_image(code, {"--flat", "0x8000", "--entry-mode", mode}).status, 3) << mode;
    EXPECT_EQ(run_image(code, {"--flat", "0x8000", "--entry", "0x8004"}).status, 2) << "behind the image";
}

TEST_F(Run, ABiosServiceSaysThatItIsNotThere) {
    // int 15h; setc al; cmp ax, 8601h; jne fail; mov al, 7; out 0f4h, al; fail: hlt
    const std::string code{"\xcd\x15\x0f\x92\xc0\x3d\x01\x86\x75\x04\xb0\x07\xe6\xf4\xf4", 15};
    EXPECT_EQ(run_image(code, {"--flat", "0x8000"}).status, 7 << 1 | 1);
}

TEST_F(Run, TheHostsClockIsNamedInTheResult) {
    EXPECT_EQ(result_of(debug_exit(0), {"--clock", "host"})["clock"], "host");
}

}  // namespace
}  // namespace hyperstep::cli
