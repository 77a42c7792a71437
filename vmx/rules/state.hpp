#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "vmx/rules/controls.hpp"
#include "vmx/rules/known.hpp"
#include "vmx/rules/slots.hpp"

namespace hyperstep::vmx {

/// One 16-byte entry of an MSR area. SDM "VM-Exit Controls for MSRs", "VM-Entry Controls for MSRs".
struct MsrEntry {
    std::uint32_t index = 0;
    std::uint32_t reserved = 0;
    std::uint64_t value = 0;
    friend bool operator==(const MsrEntry&, const MsrEntry&) = default;
};

/// All that a VM entry looks at, as far as it is known: one word and one known-mask a slot, and the MSR-load
/// area. A plain value. A slot never has a value bit that is not known.
class State {
public:
    /// Nothing known but the options (at their defaults) and what holds for every Intel processor with
    /// Intel 64.
    State();

    PartialWord operator[](Slot s) const { return PartialWord{value_[position(s)], known_[position(s)]}; }
    /// Sets a whole slot; bits that the slot's field cannot hold are dropped.
    void set(Slot s, std::uint64_t value) { set(s, PartialWord{value}); }
    void set(Slot s, PartialWord word);
    void forget(Slot s) { set(s, PartialWord::nothing_known()); }
    bool knows(Slot s) const { return known_[position(s)] == ~0ULL; }

    /// Every field, processor-state and memory slot that is not fully known becomes 0 in its unknown bits.
    void complete_with_zeros();
    /// True if every slot is fully known: the exact checker may be used.
    bool complete() const;

    const std::uint64_t* values() const { return value_.data(); }

    /// The VM-entry MSR-load area, as far as its entries are known, from entry 1 on.
    std::vector<MsrEntry> msr_load;
    /// False: there may be entries that `msr_load` does not hold.
    bool msr_load_complete = false;

    friend bool operator==(const State&, const State&) = default;

private:
    std::array<std::uint64_t, slot_count> value_{};
    std::array<std::uint64_t, slot_count> known_{};
};

}  // namespace hyperstep::vmx
