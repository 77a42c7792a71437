#include "explain/msr_text.hpp"

#include <string>

#include <gtest/gtest.h>

// A processor's capability MSRs, in the forms people have.
namespace hyperstep::explain {
namespace {

using vmx::Slot;

vmx::Capabilities read(const std::string& text) {
    const auto result = read_msrs(text, {});
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return result.value_or(vmx::Capabilities{});
}

TEST(MsrText, OneLineAnMsr) {
    const auto cpu = read(
        "# a comment\n0x480: 0xda040000000004\n48b 5fbcff00000000\nIA32_VMX_MISC = 0x7004c1e7\n0x10: "
        "0x1234\n");
    EXPECT_EQ(cpu[Slot::vmx_basic].value, 0xda'0400'0000'0004U);
    EXPECT_TRUE(cpu[Slot::vmx_basic].fully_known());
    EXPECT_EQ(cpu[Slot::vmx_procbased_ctls2].value, 0x5f'bcff'0000'0000U);
    EXPECT_EQ(cpu[Slot::vmx_misc].value, 0x7004'c1e7U);
    EXPECT_FALSE(cpu[Slot::vmx_vmfunc].fully_known());
}

TEST(MsrText, RdmsrAsTypedAndPrinted) {
    const auto cpu = read("# rdmsr -a 0x480\nda040000000004\nda040000000004\n$ sudo rdmsr 0x488\n2000\n");
    EXPECT_EQ(cpu[Slot::vmx_basic].value, 0xda'0400'0000'0004U);
    EXPECT_EQ(cpu[Slot::cr4_fixed0].value, 0x2000U);
}

TEST(MsrText, Json) {
    const auto cpu = read(R"({"0x480":"0xda040000000004","MAXPHYADDR":39})");
    EXPECT_EQ(cpu[Slot::vmx_basic].value, 0xda'0400'0000'0004U);
    EXPECT_EQ(cpu[Slot::maxphyaddr].value, 39U);
    EXPECT_EQ(read(R"({"cpu":"coffee-lake"})"), *vmx::preset("coffee-lake"));
}

TEST(MsrText, StandsOnAPreset) {
    const auto cpu = read_msrs("0x485: 0x0\n", *vmx::preset("coffee-lake"));
    ASSERT_TRUE(cpu);
    EXPECT_EQ((*cpu)[Slot::vmx_misc].value, 0U);
    EXPECT_EQ((*cpu)[Slot::maxphyaddr].value, 39U);
}

TEST(MsrText, RefusalsNameTheLine) {
    const auto line_of = [](const std::string& text) {
        const auto result = read_msrs(text, {});
        EXPECT_FALSE(result) << text;
        return result ? 99U : result.error().line;
    };
    EXPECT_EQ(line_of("0x480: 0x1\n0x481: oops\n"), 2U);
    EXPECT_EQ(line_of("0x480: 0x1\nhello world\n"), 2U);
    EXPECT_EQ(line_of("rdmsr -a 0x480\n1\n2\n"), 3U);
    EXPECT_EQ(line_of(""), 0U);
    EXPECT_EQ(line_of("0x10: 0x1\n"), 0U);
    EXPECT_EQ(line_of("{\n\"0x10\":\"0x1\"}"), 2U);
}

}  // namespace
}  // namespace hyperstep::explain
