#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "vmx/rules/entry_check.hpp"
#include "vmx/rules/state.hpp"

namespace hyperstep::vmx {

enum class Standing : std::uint8_t { not_applicable, holds, broken, unknown };
std::string_view to_string(Standing s);

/// A check that a processor would report.
struct Failure {
    std::size_t check = 0;        ///< position in all_checks()
    std::uint32_t msr_entry = 0;  ///< for Stage::msr_load: which entry, from 1
    friend bool operator==(const Failure&, const Failure&) = default;
};
const EntryCheck& check_of(const Failure& f);
/// Exit qualification of an entry failure; 0 for other outcomes.
std::uint64_t qualification_of(const Failure& f);

/// What a processor reports: the first broken check in architectural order, nothing if the entry succeeds.
/// For a state with unknowns: the first check that is broken whatever the unknowns are.
/// The MSR-load area is looked at only when everything before it holds, entry by entry.
std::optional<Failure> first_broken(const State& state);

/// As first_broken, for a state that is known to be complete: the fast path.
std::optional<Failure> first_broken_exact(const State& state);

struct Finding {
    Standing standing = Standing::unknown;
    std::uint32_t msr_entry = 0;  ///< for a broken msr-load check: the first entry that breaks it
};

/// Every check on its own, in the order of all_checks().
std::vector<Finding> evaluate_all(const State& state);

/// One check on its own.
Finding evaluate(std::size_t check, const State& state);

/// The slots on which an unknown check still depends: those it reads that are not fully known, in the order
/// of its reads.
std::vector<Slot> unknown_reads(std::size_t check, const State& state);

/// How many MSR-load entries are looked at, at most: 512 * 8, the most that IA32_VMX_MISC can recommend.
inline constexpr std::size_t max_msr_entries = 4096;

}  // namespace hyperstep::vmx
