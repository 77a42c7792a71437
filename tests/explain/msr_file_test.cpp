#include "explain/msr_file.hpp"

#include <string>

#include <gtest/gtest.h>

namespace hyperstep::explain {
namespace {

using vmx::Slot;

std::uint64_t value_of(const MsrFile& file, Slot s) {
    for (const GivenCapability& g : file.given)
        if (g.slot == s) return g.value;
    ADD_FAILURE() << vmx::info(s).name << " is not given";
    return 0;
}

// Each text gives IA32_VMX_BASIC = 0xda040000000004 and IA32_VMX_PROCBASED_CTLS2 = 0x5fbcff00000000.
TEST(MsrFile, ReadsTheFormsThatPeopleHave) {
    constexpr std::string_view texts[] = {
        "0x480: 0x00da040000000004\n0x48b: 0x005fbcff00000000\n",
        "480 da040000000004\n48b 5fbcff00000000",
        "0x480 = da040000000004\r\n0x48B = 5FBCFF00000000\r\n",
        "00000480: 00da040000000004\n0000048b: 005fbcff00000000\n",
        "IA32_VMX_BASIC: da040000000004\nIA32_VMX_PROCBASED_CTLS2: 5fbcff00000000\n",
        "ia32_vmx_basic = 0xda040000000004\nMSR_IA32_VMX_PROCBASED_CTLS2 = 0x5fbcff00000000\n",
        "BASIC            0x00da040000000004\nPROCBASED_CTLS2  0x005fbcff00000000\n",
        "# rdmsr 0x480\nda040000000004\n# rdmsr 0x48b\n5fbcff00000000\n",
        "$ sudo rdmsr -a 0x480\nda040000000004\nda040000000004\n$ sudo rdmsr -a "
        "0x48b\n5fbcff00000000\n5fbcff00000000\n",
        "root@host:~# rdmsr -0 0x480\n00da040000000004\nroot@host:~# rdmsr -0 0x48b\n005fbcff00000000\n",
        "IA32_VMX_BASIC:\nda040000000004\nda040000000004\n\nIA32_VMX_PROCBASED_CTLS2:\n5fbcff00000000\n",
        "# a comment\nmsr 0x480: 0xda040000000004\n// another\n  msr[48b] = 0x5fbcff00000000\n",
        "0x480: da040000000004 da040000000004\n0x48b: 5fbcff00000000\n",
        R"({"0x480":"0xda040000000004","0x48b":"0x5fbcff00000000"})",
        R"({"IA32_VMX_BASIC": "da040000000004", "IA32_VMX_PROCBASED_CTLS2": 26947926190194688})",
        R"({"schema":"x/1","msrs":{"480":"0xda040000000004","48b":"0x5fbcff00000000"},"controls":[{"0x480":"1"}]})",
    };
    for (const std::string_view text : texts) {
        SCOPED_TRACE(text);
        const auto file = read_msrs(text);
        ASSERT_TRUE(file) << file.error().line << ": " << file.error().what;
        EXPECT_EQ(file->given.size(), 2U);
        EXPECT_EQ(value_of(*file, Slot::vmx_basic), 0x00da'0400'0000'0004U);
        EXPECT_EQ(value_of(*file, Slot::vmx_procbased_ctls2), 0x005f'bcff'0000'0000U);
        EXPECT_TRUE(file->notes.empty()) << file->notes.front();
    }
}

TEST(MsrFile, ReadsOtherCapabilities) {
    constexpr std::string_view texts[] = {
        "MAXPHYADDR 39\nlinear-address width: 48\nIntel 64 = 1\n",
        "maxphyaddr = 0x27\nlinear-address width 0x30\nIntel 64: 1\n",
        "address sizes\t: 39 bits physical, 48 bits virtual\nIntel 64: 1\n",
        R"({"MAXPHYADDR": 39, "linear-address width": "48", "Intel 64": true})",
    };
    for (const std::string_view text : texts) {
        SCOPED_TRACE(text);
        const auto file = read_msrs(text);
        ASSERT_TRUE(file) << file.error().line << ": " << file.error().what;
        EXPECT_EQ(file->given.size(), 3U);
        EXPECT_EQ(value_of(*file, Slot::maxphyaddr), 39U);
        EXPECT_EQ(value_of(*file, Slot::linear_width), 48U);
        EXPECT_EQ(value_of(*file, Slot::intel64), 1U);
    }
}

TEST(MsrFile, MakesKnownExactlyWhatIsGiven) {
    const auto file = read_msrs("0x48c: 0xf0106734141\nMAXPHYADDR: 39\n");
    ASSERT_TRUE(file);
    const vmx::Capabilities cap = file->over();
    const vmx::Capabilities unknown;
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const bool given = s == Slot::vmx_ept_vpid_cap || s == Slot::maxphyaddr;
        EXPECT_EQ(cap[s].known, given ? ~0ULL : unknown[s].known) << vmx::info(s).name;
        EXPECT_TRUE(given || cap[s].value == unknown[s].value) << vmx::info(s).name;
    }
    EXPECT_EQ(cap[Slot::vmx_ept_vpid_cap].value, 0xf01'0673'4141U);
    const vmx::Capabilities over_preset = file->over(*vmx::preset("all"));
    EXPECT_TRUE(over_preset.fully_known());
    EXPECT_EQ(over_preset[Slot::maxphyaddr].value, 39U);
    EXPECT_EQ(over_preset[Slot::vmx_procbased_ctls3].value, 0x1ffU);
}

TEST(MsrFile, PassesOverOtherMsrsWithANote) {
    const auto file =
        read_msrs("0x3a: 0x5\n0x480: 0xda040000000004\nIA32_FEATURE_CONTROL 5\n# rdmsr 0x10\n123\n");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->given.size(), 1U);
    EXPECT_EQ(
        file->notes,
        (std::vector<std::string>{"line 1: 0x3a is not a VMX capability and is passed over",
                                  "line 3: IA32_FEATURE_CONTROL is not a VMX capability and is passed over",
                                  "line 5: 0x10 is not a VMX capability and is passed over"}));
}

TEST(MsrFile, NotesWhatNoProcessorHas) {
    const auto file = read_msrs("0x480: 0xda040080000004\n");
    ASSERT_TRUE(file);
    ASSERT_EQ(file->notes.size(), 1U);
    EXPECT_EQ(file->notes.front(),
              "line 1: IA32_VMX_BASIC = 0xda040080000004 differs in bits 0x80000000 from every processor "
              "with Intel 64 and VMX");
}

struct Refused {
    std::string_view text;
    std::size_t line;
    std::string_view says;
};

TEST(MsrFile, SaysWhatIsWrongAndWhere) {
    constexpr Refused cases[] = {
        {"", 0, "no VMX capability MSR"},
        {"\n# nothing\n", 0, "no VMX capability MSR"},
        {"0x3a: 5\n", 0, "no VMX capability MSR"},
        {"0x480: 1\n\n0x480: 2\n", 3, "IA32_VMX_BASIC is 0x2 here and 0x1 in line 1"},
        {"# rdmsr -a 0x480\n1\n1\n2\n", 4, "IA32_VMX_BASIC is 0x2 here and 0x1 in line 2"},
        {"0x480: xyz\n", 1, "\"xyz\" is not a value of 0x480"},
        {"0x480: x\x1b[31m\n", 1, "\"x?\" is not a value"},
        {"0x480: 0x1ffffffffffffffff\n", 1, "is not a value of 0x480: expected one number of up to 64 bits"},
        {"0x480:\n0x1ffffffffffffffff\n", 2, "neither an MSR nor a capability"},
        {"\nda040000000004\n", 2, "neither an MSR nor a capability"},
        {"12345678\n", 1, "stands alone: a value needs its MSR before it"},
        {"vendor_id : GenuineIntel\n", 1, "\"vendor_id\" is neither an MSR nor a capability"},
        {"rdmsr -d 0x480\n1234\n", 1, "rdmsr -d does not print the whole value in hexadecimal"},
        {"# rdmsr foo!\n", 1, "\"foo!\" is not an MSR"},
        {"MAXPHYADDR: 99\n", 1, "MAXPHYADDR cannot be 99: a physical-address width lies between 32 and 52"},
        {"linear-address width: 50\n", 1, "a linear-address width is 48 or 57"},
        {"SGX: 2\n", 1, "this is 0 (no) or 1 (yes)"},
        {"{", 1, "not valid JSON"},
        {"{\n\"0x480\": }", 2, "not valid JSON"},
        {"{}", 0, "no VMX capability MSR"},
        {"{\"0x480\":\"0x1\",\n\"0x480\":\"0x2\"}", 2, "IA32_VMX_BASIC is 0x2 here and 0x1 in line 1"},
        {"{\"0x480\":\"0x1\",\n\"IA32_VMX_BASIC\":2}", 2, "IA32_VMX_BASIC is 0x2 here and 0x1 in line 1"},
        {"{\"0x480\":-1}", 1, "0x480 cannot be -1"},
        {"{\"0x480\":1.5}", 1, "0x480 cannot be 1.5"},
        {"{\"0x480\":\"zzz\"}", 1, "\"zzz\" is not a value of 0x480"},
    };
    for (const Refused& c : cases) {
        SCOPED_TRACE(c.text);
        const auto file = read_msrs(c.text);
        ASSERT_FALSE(file);
        EXPECT_EQ(file.error().line, c.line);
        EXPECT_NE(file.error().what.find(c.says), std::string::npos) << file.error().what;
    }
}

TEST(MsrFile, IsTotalAndBounded) {
    EXPECT_FALSE(read_msrs(std::string(max_msr_file_bytes + 1, '\n')));
    EXPECT_FALSE(read_msrs(std::string(max_msr_file_bytes, '[')));
    EXPECT_FALSE(read_msrs("{\"a\":" + std::string(max_msr_file_bytes - 10, '[')));
    EXPECT_FALSE(read_msrs(std::string(max_msr_file_bytes, '\0')));
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "0x10: 1\n";
    const auto file = read_msrs(many + "0x480: 1\n");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->notes.size(), 51U);
    EXPECT_EQ(file->notes.back(), "and 950 more such lines");
    // Every byte at every place of a short list is read or refused, never more.
    const std::string sample = "# rdmsr 0x480\n1\n0x48b: 0x5f\nMAXPHYADDR 39\n";
    for (std::size_t at = 0; at < sample.size(); ++at)
        for (int byte = 0; byte < 256; ++byte) {
            std::string text = sample;
            text[at] = static_cast<char>(byte);
            const auto read = read_msrs(text);
            EXPECT_TRUE(read || !read.error().what.empty());
        }
}

}  // namespace
}  // namespace hyperstep::explain
