// The same dump, as logs, mailers and cuts leave it.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/explain/dump_samples.hpp"

namespace hyperstep::explain::test {
namespace {

void expect_same(const std::string& name, const std::string& varied, std::string_view how) {
    const std::vector<Dump> want = find_dumps(sample(name));
    const std::vector<Dump> got = find_dumps(varied);
    ASSERT_EQ(got.size(), want.size()) << name << ", " << how;
    for (std::size_t i = 0; i < want.size(); ++i) {
        EXPECT_EQ(got[i].format, want[i].format) << name << ", " << how;
        for (const vmx::Slot slot : vmx::slots_of(vmx::SlotKind::field))
            EXPECT_EQ(shown(got[i], slot), shown(want[i], slot))
                << name << ", " << how << ": " << vmx::info(slot).name;
        EXPECT_TRUE(got[i].state == want[i].state) << name << ", " << how;
        EXPECT_EQ(got[i].reported.reason, want[i].reported.reason) << name << ", " << how;
        EXPECT_EQ(got[i].reported.instruction_error, want[i].reported.instruction_error)
            << name << ", " << how;
        EXPECT_EQ(got[i].reported.entry_failed, want[i].reported.entry_failed) << name << ", " << how;
    }
}

template <class Change>
std::string each_line(const std::string& text, Change change) {
    std::vector<std::string> lines = lines_of(text);
    for (std::string& line : lines) line = change(line);
    return joined(lines);
}

class EverySample : public testing::TestWithParam<std::string> {};

TEST_P(EverySample, WithoutComments) {
    std::vector<std::string> lines = lines_of(sample(GetParam()));
    std::erase_if(lines, [](const std::string& line) { return line.starts_with("#"); });
    expect_same(GetParam(), joined(lines), "no comments");
}

TEST_P(EverySample, BehindEveryPrefix) {
    const std::vector<std::string> prefixes{"> ",
                                            "> > ",
                                            ">> ",
                                            "| ",
                                            "[  123.456789] ",
                                            "[12345.678901] kvm_intel: ",
                                            "[Fri Jun 24 17:25:51 2022] ",
                                            "Jun 24 17:25:51 host7 kernel: ",
                                            "Jun 24 17:25:51 host7 kernel: [  123.456789] ",
                                            "2022-06-24T17:25:51.123456+02:00 host7 kernel: ",
                                            "2022-06-24 17:25:51.123+0000: ",
                                            "06-24 17:25:51.123  1234  5678 E QEMU    : ",
                                            "E/QEMU    ( 1234): ",
                                            "(XEN) [2020-06-19 12:00:00.123] ",
                                            "vm-1  | ",
                                            "<4>[   12.345678] ",
                                            "00016579\t10.47746754\t",
                                            "00000012\t0.00123456\t[4] ",
                                            "\t"};
    for (const std::string& prefix : prefixes)
        expect_same(
            GetParam(),
            each_line(sample(GetParam()),
                      [&](const std::string& line) { return line.starts_with("#") ? line : prefix + line; }),
            prefix);
}

TEST_P(EverySample, WithLineEndsOfDos) {
    expect_same(GetParam(),
                each_line(sample(GetParam()), [](const std::string& line) { return line + "\r"; }),
                "CR LF");
}

TEST_P(EverySample, WithNoBreakSpaces) {
    for (const std::string space : {"\xc2\xa0", "\xa0"}) {
        const std::string text = each_line(sample(GetParam()), [&](const std::string& line) {
            std::string changed;
            for (const char c : line) changed += c == ' ' ? space : std::string(1, c);
            return changed;
        });
        expect_same(GetParam(), text, "no-break spaces");
    }
}

TEST_P(EverySample, QuotedPrintable) {
    const std::string text = each_line(sample(GetParam()), [](const std::string& line) {
        if (line.starts_with("#")) return line;
        std::string changed;
        std::size_t column = 0;
        for (const char c : line) {
            const std::string piece = c == '=' ? "=3D" : std::string(1, c);
            if (column + piece.size() > 60 && changed.find("=3D") != std::string::npos) {
                changed += "=\n";
                column = 0;
            }
            changed += piece;
            column += piece.size();
        }
        return changed;
    });
    expect_same(GetParam(), text, "quoted-printable");
}

TEST_P(EverySample, InterleavedWithForeignLines) {
    const std::vector<std::string> foreign{
        "[ 1.000000] usb 1-1: new high-speed USB device number 5 using xhci_hcd",
        "RIP: 0010:vmx_vcpu_run+0x123/0x456 [kvm_intel]",
        "RSP: 0018:ffffa6a24a52bc20 EFLAGS: 00010246",
        "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
        "CR2: 00007f1bf7fff000 CR3: 0000000122600000 CR4: 00000000001726e0",
        "FS:  00007f1bf7fff700(0000) GS:ffff97df5ed80000(0000) knlGS:0000000000000000",
        "[ 1.000001] kvm: vcpu 0: requested 12 ns lapic timer period limited to 200000 ns",
        "e1000e: RIP = 0xdead RSP = 0xbeef"};
    std::vector<std::string> lines;
    std::size_t i = 0;
    for (const std::string& line : lines_of(sample(GetParam()))) {
        // not inside what a mailer has wrapped
        const bool complete =
            lines.empty() ||
            (!lines.back().ends_with(", ") && !lines.back().ends_with("= ") && !lines.back().ends_with(" "));
        if (complete && !line.starts_with("shadow") && !line.starts_with("base=") &&
            !line.starts_with("0x") && !line.starts_with("   ") && !line.starts_with("="))
            lines.push_back(foreign[i++ % foreign.size()]);
        lines.push_back(line);
    }
    expect_same(GetParam(), joined(lines), "foreign lines");
}

TEST_P(EverySample, ArrivingInSmallPieces) {
    const std::string text = sample(GetParam());
    for (const std::size_t size : {1U, 7U, 131U, 133U}) {
        DumpScanner scanner;
        for (std::size_t at = 0; at < text.size(); at += size)
            scanner.feed(std::string_view{text}.substr(at, size));
        const std::vector<Dump> got = scanner.finish();
        const std::vector<Dump> want = find_dumps(text);
        ASSERT_EQ(got.size(), want.size());
        for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(got[i].state == want[i].state);
    }
}

TEST_P(EverySample, TwiceInOneText) {
    const std::vector<Dump> want = find_dumps(sample(GetParam()));
    const std::vector<Dump> got =
        find_dumps(sample(GetParam()) + "\nand once more:\n\n" + sample(GetParam()));
    ASSERT_LE(got.size(), 2U);
    for (const Dump& dump : got) EXPECT_TRUE(dump.state == want.front().state);
}

/// What the whole text knows is never contradicted by a part of it.
TEST_P(EverySample, CutAnywhere) {
    const std::string text = sample(GetParam());
    const std::vector<Dump> whole = find_dumps(text);
    for (std::size_t end = 0; end < text.size(); end += 3) {
        const std::vector<Dump> cut = find_dumps(std::string_view{text}.substr(0, end));
        ASSERT_LE(cut.size(), whole.size());
        for (std::size_t i = 0; i < cut.size(); ++i)
            for (const vmx::Slot slot : vmx::slots_of(vmx::SlotKind::field)) {
                const vmx::PartialWord a = cut[i].state[slot], b = whole[i].state[slot];
                ASSERT_EQ((a.value ^ b.value) & a.known & b.known, 0U)
                    << GetParam() << " cut at " << end << ": " << vmx::info(slot).name;
            }
    }
}

TEST_P(EverySample, WithAnyLineMissing) {
    const std::vector<std::string> lines = lines_of(sample(GetParam()));
    const std::vector<Dump> whole = find_dumps(sample(GetParam()));
    for (std::size_t gone = 1; gone < lines.size(); ++gone) {
        std::vector<std::string> rest = lines;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
        for (const Dump& dump : find_dumps(joined(rest)))
            for (const vmx::Slot slot : vmx::slots_of(vmx::SlotKind::field)) {
                const vmx::PartialWord a = dump.state[slot], b = whole.front().state[slot];
                EXPECT_EQ((a.value ^ b.value) & a.known & b.known, 0U)
                    << GetParam() << " without line " << gone + 1 << ": " << vmx::info(slot).name;
            }
    }
}

TEST_P(EverySample, AsPagesShowIt) {
    const std::string text = sample(GetParam());
    std::string escaped;
    for (const char c : text) {
        if (c == '<')
            escaped += "&lt;";
        else if (c == '>')
            escaped += "&gt;";
        else if (c == '&')
            escaped += "&amp;";
        else
            escaped += c;
    }
    expect_same(GetParam(), "<pre><code>" + escaped + "</code></pre>\n", "preformatted");
    const auto broken = [](const std::string& line) { return line + "<br />"; };
    expect_same(GetParam(), each_line(escaped, broken), "line breaks");
    const auto paragraphs = [](const std::string& line) { return "<p class=\"log\">" + line + "</p>"; };
    expect_same(GetParam(), each_line(escaped, paragraphs), "paragraphs");
    const auto printed = [](const std::string& line) { return line + "\\n"; };
    expect_same(GetParam(), each_line(text, printed), "printed line ends");
}

TEST_P(EverySample, AsAListOfStrings) {
    std::vector<std::string> lines = lines_of(sample(GetParam()));
    std::erase_if(lines, [](const std::string& line) { return line.find('"') != std::string::npos; });
    const std::string text = joined(lines);
    expect_same(GetParam(),
                each_line(text, [](const std::string& line) { return "            \"" + line + "\","; }),
                "strings");
    expect_same(GetParam(),
                each_line(text, [](const std::string& line) { return "\"[   12.345678] " + line + "\","; }),
                "strings with timestamps");
}

INSTANTIATE_TEST_SUITE_P(Dumps, EverySample, testing::ValuesIn(sample_names()), [](const auto& name) {
    std::string word = name.param;
    std::replace(word.begin(), word.end(), '-', '_');
    return word;
});

/// Lines of each part in another order, the headers in place. Only dumps that no mailer has wrapped.
TEST(Variations, LinesRotatedInsideTheirParts) {
    for (const std::string name : {"01-smm-sti", "02-ept-violation-healthy"})
        for (const std::size_t by : {1U, 5U, 9U}) {
            std::vector<std::string> lines = lines_of(sample(name));
            const auto is_border = [](const std::string& line) {
                return line.find("***") != std::string::npos || line.find("QEMU") != std::string::npos ||
                       line.find("VMCS 0") != std::string::npos || line.starts_with("#");
            };
            for (std::size_t from = 0; from < lines.size();) {
                if (is_border(lines[from])) {
                    ++from;
                    continue;
                }
                std::size_t to = from;
                while (to < lines.size() && !is_border(lines[to])) ++to;
                const std::size_t shift = by % (to - from);
                std::rotate(lines.begin() + static_cast<std::ptrdiff_t>(from),
                            lines.begin() + static_cast<std::ptrdiff_t>(from + shift),
                            lines.begin() + static_cast<std::ptrdiff_t>(to));
                from = to;
            }
            expect_same(name, joined(lines), "rotated by " + std::to_string(by));
        }
}

}  // namespace
}  // namespace hyperstep::explain::test
