#include "machine/symbols.hpp"

#include <string>

#include <gtest/gtest.h>

#include "machine/run.hpp"

namespace hyperstep::machine {
namespace {

ImageExpected<Symbols> read(const std::string& text) {
    return Symbols::read(std::as_bytes(std::span{text.data(), text.size()}));
}

TEST(Symbols, OfASystemMapNameAddressesUpToTheNextOne) {
    const auto symbols =
        read("0000000000001000 T start\nffffffff81000000 T _text [core]\r\n0000000000002000 t main\n");
    ASSERT_TRUE(symbols);
    EXPECT_EQ(symbols->name_of(0xfff), std::nullopt);
    EXPECT_EQ(symbols->name_of(0x1000), "start");
    EXPECT_EQ(symbols->name_of(0x1fff), "start+0xfff");
    EXPECT_EQ(symbols->name_of(0x2001), "main+0x1");
    EXPECT_EQ(symbols->name_of(0xffff'ffff'8100'0010), "_text+0x10");
    EXPECT_EQ(symbols->name_of(0xffff'ffff'ffff'ffff), std::nullopt);
    EXPECT_EQ(symbols->start_of(0x1fff), 0x1000U);
}

TEST(Symbols, ALineThatIsNoneIsNamed) {
    EXPECT_EQ(read("1000 T a\nnonsense\n").error().field, "line 2");
    for (const char* const line : {"T a", "1000", "1000 T", "1000 T ", "1000Ta", "10000000000000000 T a"})
        EXPECT_FALSE(read(line)) << line;
    EXPECT_EQ(read("")->size(), 0U);
}

TEST(PatternWatch, FindsWhatAStringSearchFinds) {
    const std::string text = "aabaabaaab aabaabaabaaab abab";
    for (const char* const pattern : {"a", "aaab", "aabaabaaab", "b a", "abab", "abc", "aabaaba"}) {
        PatternWatch watch{pattern};
        for (std::size_t i = 0; i < text.size(); ++i) {
            const std::string seen = text.substr(0, i + 1);
            EXPECT_EQ(watch.sees(text[i]), seen.ends_with(pattern)) << pattern << " at " << i;
        }
    }
    EXPECT_FALSE(PatternWatch{""}.sees('a'));
}

}  // namespace
}  // namespace hyperstep::machine
