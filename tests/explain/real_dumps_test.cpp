#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "explain/dump.hpp"
#include "explain/verdict.hpp"

// Dumps that people posted: each known cause is found, and nothing else is accused.
namespace hyperstep::explain {
namespace {

using Ids = std::set<std::string>;

struct RealDump {
    std::string_view file;
    Ids broken;  ///< what the thread came to; for some, nothing that the dump shows
    Conclusion conclusion;
    std::optional<bool> agrees;
};

const RealDump real_dumps[] = {
    {"01-smm-sti.txt", {"guest.int.sti_needs_if"}, Conclusion::broken, true},
    {"02-ept-violation-healthy.txt", {}, Conclusion::holds, std::nullopt},
    {"05-unexpected-ve.txt", {}, Conclusion::holds, std::nullopt},
    {"07-ds-not-accessed.txt",
     {"guest.seg.ds.type_accessed", "guest.seg.es.type_accessed"},
     Conclusion::broken,
     true},
    {"08-xen-debug-key.txt", {}, Conclusion::holds, std::nullopt},
    {"12-xen-icebp-mov-ss.txt", {"guest.pdbg.bs_required"}, Conclusion::broken, true},
    {"15-hardware-error-0.txt", {}, Conclusion::holds, std::nullopt},
    {"18-interrupt-with-if-0.txt", {"guest.rflags.if_with_extint"}, Conclusion::broken, std::nullopt},
    {"20-xen-cr3-bit-63.txt", {"guest.cr3.width"}, Conclusion::broken, true},
    {"26-noirvisor-error-7.txt", {}, Conclusion::unknown, std::nullopt},
    {"29-sregs-cs-base.txt", {"guest.seg.cs.base.high"}, Conclusion::broken, std::nullopt},
    {"31-haxm-invalid-guest-state.txt", {}, Conclusion::unknown, std::nullopt},
    {"33-virtualbox-gs-limit.txt", {"guest.seg.gs.limit.v86"}, Conclusion::broken, std::nullopt},
    {"36-xen-dr7-high-bits.txt", {}, Conclusion::unknown, std::nullopt},
    {"41-unusable-tr.txt",
     {"guest.seg.tr.type_ia32e",
      "guest.seg.tr.usable",
      "guest.seg.tr.present",
      "guest.seg.tr.g_high",
      "guest.rflags.if_with_extint"},
     Conclusion::broken,
     true},
    {"42-xen-mov-ss-and-single-step.txt", {"guest.pdbg.bs_required"}, Conclusion::broken, true},
    // The event lacks its error code, which processors of today can be told to allow: not sure without them.
    {"43-xen-vmlaunch-error-7.txt", {}, Conclusion::unknown, std::nullopt},
};

std::string text_of(const RealDump& real) {
    const auto root = std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path();
    std::ifstream file{root / "casebook" / "dumps" / real.file};
    EXPECT_TRUE(file) << real.file;
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        lines.push_back(text.substr(at, end - at));
        at = end;
    }
    return lines;
}

Ids broken_ids(const Verdict& verdict) {
    Ids ids;
    for (const BrokenRule& b : verdict.broken) ids.emplace(vmx::all_checks()[b.check].id);
    return ids;
}

/// All that is broken in the dumps of a text.
Ids accused_in(std::string_view text) {
    Ids ids;
    for (const Dump& dump : find_dumps(text)) ids.merge(broken_ids(judge(dump, vmx::Capabilities{})));
    return ids;
}

bool within(const Ids& some, const Ids& all) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

TEST(RealDumps, KnownCausesAreFoundAndNothingElse) {
    for (const RealDump& real : real_dumps) {
        SCOPED_TRACE(real.file);
        const std::vector<Dump> dumps = find_dumps(text_of(real));
        ASSERT_EQ(dumps.size(), 1U);
        const Verdict verdict = judge(dumps[0], vmx::Capabilities{});
        EXPECT_EQ(broken_ids(verdict), real.broken);
        EXPECT_EQ(to_string(verdict.conclusion), to_string(real.conclusion));
        EXPECT_EQ(verdict.agrees, real.agrees);
    }
}

/// The processor is not known; on those that it may be, the guest state is as wrong, and the healthy one as
/// healthy.
TEST(RealDumps, AProcessorTakesNothingBack) {
    for (const RealDump& real : real_dumps)
        for (const auto& preset : vmx::all_presets()) {
            SCOPED_TRACE(std::string{real.file} + " on " + std::string{preset.name});
            for (const Dump& dump : find_dumps(text_of(real)))
                EXPECT_TRUE(within(real.broken, broken_ids(judge(dump, *vmx::preset(preset.name)))));
        }
}

/// What is missing is added; no control of the guest's debugging is changed for it.
TEST(RealDumps, ASingleStepBehindMovSsIsMadePending) {
    const std::vector<Dump> dumps =
        find_dumps(text_of({"42-xen-mov-ss-and-single-step.txt", {}, Conclusion::broken, true}));
    ASSERT_EQ(dumps.size(), 1U);
    const Verdict verdict = judge(dumps[0], vmx::Capabilities{});
    ASSERT_EQ(verdict.broken.size(), 1U);
    ASSERT_EQ(verdict.broken[0].repair.size(), 1U);
    EXPECT_EQ(verdict.broken[0].repair[0].slot, vmx::Slot::guest_pending_dbg);
    EXPECT_EQ(verdict.broken[0].repair[0].to, 0x4000U);
}

TEST(RealDumps, CutAnywhereTheyAreAccusedOfNothingMore) {
    for (const RealDump& real : real_dumps) {
        std::string text;
        for (const std::string& line : lines_of(text_of(real))) {
            text += line;
            EXPECT_TRUE(within(accused_in(text), real.broken)) << real.file << " up to: " << line;
        }
    }
}

TEST(RealDumps, WithoutAnyOneLineTheyAreAccusedOfNothingMore) {
    for (const RealDump& real : real_dumps) {
        const std::vector<std::string> lines = lines_of(text_of(real));
        for (std::size_t missing = 0; missing < lines.size(); ++missing) {
            std::string text;
            for (std::size_t i = 0; i < lines.size(); ++i)
                if (i != missing) text += lines[i];
            EXPECT_TRUE(within(accused_in(text), real.broken)) << real.file << " without: " << lines[missing];
        }
    }
}

}  // namespace
}  // namespace hyperstep::explain
