#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/dump.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"

namespace hyperstep::explain {

enum class Conclusion : std::uint8_t { holds, broken, unknown };
std::string_view to_string(Conclusion c);

/// One field's new value in a proposed repair.
struct Repair {
    vmx::Slot slot;
    std::uint64_t from;
    std::uint64_t to;
};

struct BrokenRule {
    std::size_t check;            ///< position in vmx::all_checks()
    std::uint32_t msr_entry = 0;  ///< for msr-load checks
    /// The smallest change found that satisfies the rule and breaks no other that held: tried with the
    /// checker itself.
    std::vector<Repair> repair;
};

struct UnknownRule {
    std::size_t check;
    std::vector<vmx::Slot> needs;  ///< what would have to be known
};

/// What can be said of one dump.
struct Verdict {
    Conclusion conclusion = Conclusion::unknown;
    std::vector<BrokenRule> broken;  ///< in architectural order
    /// Rules that cannot be told and may be the cause of what was reported.
    std::vector<UnknownRule> unknown;
    /// Rules that cannot be told either, but the report shows that they were passed or not reached.
    std::vector<UnknownRule> unknown_besides;
    /// The broken rules account for what was reported: reason, qualification, error. Nothing if nothing was
    /// reported or nothing is broken.
    std::optional<bool> agrees;
    /// The rules that the reported qualification or MSR-load index points to (positions in all_checks()).
    std::vector<std::size_t> suspects;
    /// Every check's standing, for --all-rules.
    std::vector<vmx::Finding> findings;
};

/// The state that is judged: the dump's, with the processor installed unless it is unknown (Capabilities()),
/// and with what the report proves of the processor (inference.hpp).
vmx::State judged_state(const Dump& dump, const vmx::Capabilities& cpu);

/// Judges a dump on a processor. An unknown processor is Capabilities(). If the entry failed with exit
/// reason 33, say, the checks on controls and host state are no cause; what cannot be told of them is in
/// unknown_besides. Of a report of AMD's SVM nothing is judged.
Verdict judge(const Dump& dump, const vmx::Capabilities& cpu);

}  // namespace hyperstep::explain
