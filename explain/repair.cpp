#include "explain/repair.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <tuple>

#include "vmx/rules/boundary.hpp"
#include "vmx/rules/vmcs.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;
using vmx::Standing;
using vmx::State;

/// How many candidates are tried for one check, at most.
constexpr std::size_t most_candidates = 6000;

/// Which checks read a slot.
std::span<const std::size_t> readers_of(Slot slot) {
    static const auto readers = [] {
        std::array<std::vector<std::size_t>, vmx::slot_count> by_slot;
        const auto checks = vmx::all_checks();
        for (std::size_t i = 0; i < checks.size(); ++i)
            for (const Slot s : checks[i].reads) by_slot[vmx::position(s)].push_back(i);
        return by_slot;
    }();
    return readers[vmx::position(slot)];
}

/// Less is easier to change, for somebody who writes the VMCS.
int reluctance(Slot slot, vmx::Stage stage) {
    const auto field = vmx::field_in(slot);
    if (!field) return 9;
    switch (slot) {
        case Slot::guest_cr0:
        case Slot::guest_cr4:
        case Slot::guest_efer:
        case Slot::guest_rflags:
        case Slot::guest_debugctl:
        case Slot::host_cr0:
        case Slot::host_cr4: return 1;
        case Slot::pin_controls:
        case Slot::primary_controls:
        case Slot::secondary_controls:
        case Slot::tertiary_controls:
        case Slot::exit_controls:
        case Slot::exit_controls2:
        case Slot::entry_controls: return stage == vmx::Stage::control ? 1 : 3;
        default: break;
    }
    if (vmx::type_of(*field) == vmx::FieldType::control) return stage == vmx::Stage::control ? 0 : 2;
    return 0;
}

class Search {
public:
    Search(std::size_t check, const State& state, std::span<const vmx::Finding> findings)
        : check_{check},
          stage_{vmx::all_checks()[check].stage},
          findings_{findings},
          before_{state},
          trial_{state} {
        for (const Slot s : vmx::all_checks()[check].reads) {
            const auto field = vmx::field_in(s);
            if (field && state.knows(s) && vmx::type_of(*field) != vmx::FieldType::exit) slots_.push_back(s);
        }
    }

    std::vector<Repair> run() {
        try_single_bits();
        if (best_ && best_->satisfied) return best_->changes;
        try_families();
        if (!best_ || !best_->satisfied || best_->bits > 2) try_pairs();
        if (!best_ || !best_->satisfied) try_twin();
        return best_ ? best_->changes : std::vector<Repair>{};
    }

private:
    struct Solution {
        bool satisfied = false;  ///< the rule holds; otherwise it only no longer applies
        int bits = 0, newly_unknown = 0, reluctance = 0, bits_set = 0;
        std::vector<Repair> changes;

        auto rank() const { return std::tuple{!satisfied, bits, newly_unknown, reluctance, bits_set}; }
    };

    std::uint64_t known_bits(Slot s) const { return vmx::mask_of(*vmx::field_in(s)); }

    void try_single_bits() {
        for (const Slot s : slots_)
            for (unsigned bit = 0; bit < 64; ++bit)
                if ((known_bits(s) >> bit & 1) != 0)
                    attempt({{s, before_[s].value, before_[s].value ^ (1ULL << bit)}});
    }

    void try_pairs() {
        struct Place {
            Slot slot;
            std::uint64_t mask;
        };
        std::vector<Place> places;
        for (const Slot s : slots_)
            for (unsigned bit = 0; bit < 64; ++bit)
                if ((known_bits(s) >> bit & 1) != 0) places.push_back({s, 1ULL << bit});
        for (std::size_t i = 0; i < places.size(); ++i)
            for (std::size_t j = i + 1; j < places.size() && tried_ < most_candidates; ++j) {
                const auto [a, a_mask] = places[i];
                const auto [b, b_mask] = places[j];
                const std::uint64_t old_a = before_[a].value;
                const std::uint64_t old_b = before_[b].value;
                if (a == b)
                    attempt({{a, old_a, old_a ^ a_mask ^ b_mask}});
                else
                    attempt({{a, old_a, old_a ^ a_mask}, {b, old_b, old_b ^ b_mask}});
            }
    }

    /// Values that rules of this kind ask for.
    void try_families() {
        const auto to = [&](Slot s, std::uint64_t value) {
            value &= known_bits(s);
            if (value != before_[s].value) attempt({{s, before_[s].value, value}});
        };
        for (const Slot s : slots_) {
            const std::uint64_t v = before_[s].value;
            for (unsigned n = 1; n < 64; ++n) {
                const std::uint64_t low = ~0ULL >> (64 - n);
                to(s, v & low);  // reserved high bits, aligned from above
                to(s, v & ~low);
                to(s, (v >> (n - 1) & 1) != 0 ? v | ~low : v & low);
            }
            for (const std::uint64_t literal : {0ULL,
                                                1ULL,
                                                0xffffULL,
                                                0xf3ULL,
                                                0x8bULL,
                                                0x1'0000ULL,
                                                0x400ULL,
                                                0x7'0406'0007'0406ULL,
                                                ~0ULL})
                to(s, literal);
            for (const Slot other : vmx::all_checks()[check_].reads) {
                if (other == s || !before_.knows(other)) continue;
                const std::uint64_t w = before_[other].value;
                to(s, w);
                to(s, w << 4U);
                to(s, w >> 4U);
                if (vmx::info(other).kind != vmx::SlotKind::capability) continue;
                to(s, v | (w & 0xffff'ffff));  // bits that must be 1, as the control MSRs and the fixed-0
                                               // MSRs give them
                to(s, v & w >> 32U);           // bits that may be 1
                to(s, v & w);
                to(s, (v | (w & 0xffff'ffff)) & w >> 32U);
            }
            try_bytes(s);
        }
    }

    /// Byte-wise: a memory type that is none becomes uncacheable.
    void try_bytes(Slot s) {
        std::uint64_t value = before_[s].value;
        for (unsigned byte = 0; byte < 8; ++byte) {
            const std::uint64_t type = value >> (8 * byte) & 0xff;
            if (type > 7 || type == 2 || type == 3) value &= ~(0xffULL << (8 * byte));
        }
        if (value != before_[s].value) attempt({{s, before_[s].value, value & known_bits(s)}});
    }

    /// What the rule's own boundary twins have in these fields: one field, then all of them.
    void try_twin() {
        for (const vmx::Boundary& b : vmx::all_boundaries()) {
            if (b.id != vmx::all_checks()[check_].id) continue;
            const State twin = twin_state(b);
            std::vector<Repair> all;
            for (const Slot s : slots_) {
                if (twin[s].value == before_[s].value) continue;
                all.push_back({s, before_[s].value, twin[s].value});
                attempt({all.back()});
            }
            if (all.size() > 1) attempt(all);
        }
    }

    void attempt(std::vector<Repair> changes) {
        ++tried_;
        Solution candidate;
        candidate.changes = std::move(changes);
        for (const Repair& change : candidate.changes) {
            candidate.bits += std::popcount(change.from ^ change.to);
            candidate.bits_set += std::popcount(change.to & ~change.from);
            candidate.reluctance += reluctance(change.slot, stage_);
            trial_.set(change.slot, change.to);
        }
        const bool better = accept(candidate) && (!best_ || candidate.rank() < best_->rank());
        for (const Repair& change : candidate.changes) trial_.set(change.slot, change.from);
        if (better) best_ = std::move(candidate);
    }

    bool accept(Solution& candidate) const {
        const Standing now = evaluate(check_, trial_).standing;
        if (now != Standing::holds && now != Standing::not_applicable) return false;
        candidate.satisfied = now == Standing::holds;
        if (best_ && candidate.rank() >= best_->rank()) return false;
        for (const Repair& change : candidate.changes)
            for (const std::size_t other : readers_of(change.slot)) {
                const Standing before = findings_[other].standing;
                if (before == Standing::broken) continue;
                const Standing after = evaluate(other, trial_).standing;
                if (after == Standing::broken) return false;
                if (after == Standing::unknown && before != Standing::unknown) ++candidate.newly_unknown;
            }
        return true;
    }

    std::size_t check_;
    vmx::Stage stage_;
    std::span<const vmx::Finding> findings_;
    const State& before_;
    State trial_;
    std::vector<Slot> slots_;
    std::size_t tried_ = 0;
    std::optional<Solution> best_;
};

}  // namespace

std::vector<Repair> find_repair(std::size_t check,
                                const State& state,
                                std::span<const vmx::Finding> findings) {
    if (vmx::all_checks()[check].stage == vmx::Stage::msr_load && findings[check].msr_entry != 0) return {};
    return Search{check, state, findings}.run();
}

}  // namespace hyperstep::explain
