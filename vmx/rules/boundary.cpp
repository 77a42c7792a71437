#include "vmx/rules/boundary.hpp"

#include <algorithm>
#include <array>

namespace hyperstep::vmx {
namespace {

std::vector<Boundary> collect() {
    std::vector<Boundary> all;
    for (auto part : {instruction_boundaries,
                      control_boundaries,
                      control_address_boundaries,
                      ept_control_boundaries,
                      exit_entry_control_boundaries,
                      event_injection_boundaries,
                      smm_boundaries,
                      host_boundaries,
                      host_address_space_boundaries,
                      guest_register_boundaries,
                      guest_msr_boundaries,
                      guest_segment_boundaries,
                      guest_segment_v86_boundaries,
                      guest_segment_type_boundaries,
                      guest_segment_privilege_boundaries,
                      guest_segment_rights_boundaries,
                      guest_segment_granularity_boundaries,
                      guest_system_segment_boundaries,
                      guest_rip_rflags_boundaries,
                      guest_activity_boundaries,
                      guest_interruptibility_boundaries,
                      guest_non_register_boundaries,
                      guest_pdpte_boundaries,
                      msr_load_boundaries,
                      msr_value_boundaries,
                      msr_presence_boundaries}) {
        std::vector<Boundary> some = part();
        all.insert(all.end(), some.begin(), some.end());
    }
    std::stable_sort(all.begin(), all.end(), [](const Boundary& a, const Boundary& b) {
        return find_check(a.id).value_or(all_checks().size()) <
               find_check(b.id).value_or(all_checks().size());
    });
    return all;
}

State changed(BaseState base, std::span<const Change> changes) {
    State state = base_state(base);
    apply(state, changes);
    return state;
}

}  // namespace

std::string_view to_string(BaseState b) {
    constexpr std::array<std::string_view, 6> words{
        "long-mode", "pae", "protected-32", "real-mode", "virtual-8086", "host-32"};
    return words.at(static_cast<std::size_t>(b));
}

Change turn_on(Control c) {
    return set_bits(slot_of(c.word), c.mask());
}

void apply(State& state, std::span<const Change> changes) {
    for (const Change& change : changes) {
        switch (change.kind) {
            case Change::Kind::assign: state.set(change.slot, change.value); break;
            case Change::Kind::set_bits:
                state.set(change.slot, state[change.slot].value | change.value);
                break;
            case Change::Kind::clear_bits:
                state.set(change.slot, state[change.slot].value & ~change.value);
                break;
            case Change::Kind::msr_entry:
                state.msr_load.push_back(change.entry);
                state.set(Slot::entry_msr_load_count, state[Slot::entry_msr_load_count].value + 1);
                break;
        }
    }
}

std::span<const Boundary> all_boundaries() {
    static const std::vector<Boundary> all = collect();
    return all;
}

State broken_state(const Boundary& b) {
    return changed(b.base, b.broken);
}
State twin_state(const Boundary& b) {
    return changed(b.base, b.twin);
}

}  // namespace hyperstep::vmx
